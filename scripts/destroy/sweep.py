"""Everything of a deployment that costs money or may, looked for in all services at once.

What could not be looked at is told beside what was found: an empty list alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from cdk.config import DeploymentConfig
from scripts.destroy import beside, serving
from scripts.destroy.billable import (
    BUCKET,
    BUILD,
    DEPLOYED_MODEL,
    ENDPOINT,
    JOB,
    KINDS,
    MODEL,
    PAGE,
    REPOSITORY,
    TENSORBOARD,
    Billable,
)
from scripts.google_api import GoogleApi, GoogleApiError

Look = Callable[[DeploymentConfig, GoogleApi], Iterator[Billable]]
# What a look finds -> how it looks, and the stack that it belongs to.
LOOKS: dict[tuple[str, ...], tuple[Look, str]] = {
    (DEPLOYED_MODEL, ENDPOINT): (serving.endpoints, "endpoint"),
    (MODEL,): (serving.models, "model"),
    (JOB,): (serving.jobs, "training"),
    (TENSORBOARD,): (serving.tensorboards, "training"),
    (PAGE,): (beside.pages, "ui"),
    (BUILD,): (beside.builds, "registry"),
    (REPOSITORY,): (beside.repositories, "registry"),
    (BUCKET,): (beside.buckets, "registry"),
}


@dataclass(frozen=True)
class Sweep:
    """found: what is there, ended builds included. not_seen: kinds that could not be looked for, with the reason."""

    found: tuple[Billable, ...]
    not_seen: dict[str, str]

    @property
    def goes_on(self) -> tuple[Billable, ...]:
        """What is there now and would be tomorrow."""
        return tuple(one for one in self.found if one.until is None)

    def of(self, stack: str | None) -> Sweep:
        """Only what belongs to one stack; all of it for None."""
        if stack is None:
            return self
        kinds = {kind for names, (_, owner) in LOOKS.items() if owner == stack for kind in names}
        found = tuple(one for one in self.found if one.stack == stack)
        return replace(self, found=found, not_seen={kind: why for kind, why in self.not_seen.items() if kind in kinds})


def sweep(config: DeploymentConfig) -> Sweep:
    """Asks every service, each in a thread of its own."""
    with closing(GoogleApi(config.google)) as api, ThreadPoolExecutor(len(LOOKS)) as pool:
        looks = {kinds: pool.submit(_look, look, config, api) for kinds, (look, _) in LOOKS.items()}
        results = {kinds: future.result() for kinds, future in looks.items()}
    found = [one for result in results.values() if not isinstance(result, str) for one in result]
    not_seen = {kind: why for kinds, why in results.items() if isinstance(why, str) for kind in kinds}
    return Sweep(tuple(sorted(found, key=lambda one: (KINDS.index(one.kind), one.name))), not_seen)


def _look(look: Look, config: DeploymentConfig, api: GoogleApi) -> list[Billable] | str:
    """What was found, or why nothing can be said."""
    try:
        return list(look(config, api))
    except GoogleApiError as error:
        return str(error) or type(error).__name__
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # an answer of another shape than documented
        return f"the answer could not be read: {type(error).__name__}: {error}"
