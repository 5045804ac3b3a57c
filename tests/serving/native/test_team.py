"""The threads that compute one step together, and the cores they do it on."""

import os
from pathlib import Path

import pytest
import torch

from serving.native.library import kernels
from serving.products.panels import PanelLinear
from tests.serving.team import team

ALLOWED = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(kernels() is None or len(ALLOWED) < 2, reason="no kernels, or one core")


def own_cores(num_threads):
    """Cores that threads of this process have for themselves, once so many have computed together."""
    linear = PanelLinear(torch.zeros(64, 8))
    with team(num_threads):
        linear(torch.zeros(4, 8))
    threads = [os.sched_getaffinity(int(folder.name)) for folder in Path("/proc/self/task").iterdir()]
    return {core for cores in threads if len(cores) == 1 for core in cores}


def test_a_team_as_large_as_the_machine_has_a_core_for_each_of_its_threads():
    # the first is the calling thread's, while it computes
    assert own_cores(len(ALLOWED)) == set(sorted(ALLOWED)[1:])


def test_any_other_team_goes_where_the_system_sends_it():
    own_cores(len(ALLOWED))

    assert own_cores(len(ALLOWED) + 1) == set()


def test_the_calling_thread_may_go_anywhere_afterwards():
    own_cores(len(ALLOWED))

    assert os.sched_getaffinity(0) == ALLOWED
