"""Shares of an endpoint's traffic, added up over the resources of one plan.

Terraform shows one resource at a time, and an endpoint gives 100 in all: two that want more would take it from each
other at every apply. Knows planned states; knows nothing of what others have deployed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from provider.names import split_model
from tfplugin.resource import PluginError
from tfplugin.values import State, is_known

WHOLE = 100


@dataclass
class Shares:
    """The shares planned so far, by endpoint and resource. Thread-safe: Terraform plans several at once."""

    _planned: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, planned: State) -> None:
        """PluginError when the endpoint would have to give more than it has. A resource counts once, as planned last.

        What is not known yet is not counted.
        """
        endpoint, track = planned["endpoint"], planned["track"]
        if not is_known([endpoint, track, planned["model"], planned["traffic_percent"]]):
            return
        # Not the deployed model's id: a replacement is planned twice, and has another one the second time.
        key = (split_model(planned["model"])[0].rpartition("/")[2], track or "")
        with self._lock:
            shares = self._planned.setdefault(endpoint, {})
            shares[key] = int(planned["traffic_percent"])
            total = sum(shares.values())
            told = " and ".join(
                f"{share} to {model}" + (f" ({of_track})" if of_track else "")
                for (model, of_track), share in shares.items()
            )
        if total > WHOLE:
            raise PluginError(
                f"{endpoint.rpartition('/')[2]} is to give {total} % of its traffic",
                f"Got {told}; allowed is {WHOLE} in all. Set traffic_percent of each.",
                path=("traffic_percent",),
            )
