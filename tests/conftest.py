"""What every test relies on, whoever starts them; and which tests share a worker when `-n` starts several."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

# A shell starts a background job with Ctrl-C ignored, and every process below inherits that: a test that
# interrupts would wait for ever. With a handler here, those that are started below have the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers share the cores: two threads of torch in each would mostly wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Long rooms start first, so that the workers end at about the same time; a room that is not here comes last.
LONGEST_FIRST = ("e2e", "provider", "serving", "scripts", "clients", "training", "localcloud", "cdk", "google_provider")
# It measures a server under load, as tests/serving does: not beside it.
ELSEWHERE = {"tests/scripts/test_soak.py": "serving"}


def group(nodeid: str) -> str:
    """A room stays on one worker: its tests share a local cloud, a served model or a synthesis, and those that measure
    time, or bring up a whole system, would disturb each other.
    """
    file = nodeid.partition("::")[0]
    return ELSEWHERE.get(file, file.split("/")[1])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Not `xdist_group`: xdist 3.8 writes a group into `_nodeid`, which pytest 9.2 no longer reads."""
    from xdist.scheduler import LoadScopeScheduling

    class ByRoom(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False  # by number of tests, which says little of their time
    return ByRoom(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # without workers the order is the tree's
        items.sort(key=lambda item: rank(group(item.nodeid)))


def rank(group: str) -> int:
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)
