"""Shares of an endpoint's traffic, added up over the resources of one plan.

Terraform shows one resource at a time, and an endpoint gives 100 in all: two that want more would take it from each
other at every apply. Knows planned states; knows nothing of what others have deployed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from provider.deployed_model.lineage import lineage_of
from tfplugin.resource import PluginError
from tfplugin.values import State, is_known

WHOLE = 100


@dataclass
class Shares:
    """The shares planned so far, by endpoint and resource. Thread-safe: Terraform plans several at once."""

    _planned: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, planned: State) -> None:
        """PluginError when the endpoint would have to give more than it has. A resource counts once, as planned last.

        What is not known yet is not counted.
        """
        values = [planned["endpoint"], planned["deployed_model_id"], planned["traffic_percent"]]
        if not is_known(values):
            return
        endpoint, number, percent = values
        with self._lock:
            shares = self._planned.setdefault(endpoint, {})
            shares[lineage_of(str(number))] = (f"{planned['model']}".rpartition("/")[2], int(percent))
            total = sum(share for _, share in shares.values())
            told = " and ".join(f"{share} to {model}" for model, share in shares.values())
        if total > WHOLE:
            raise PluginError(
                f"{endpoint.rpartition('/')[2]} is to give {total} % of its traffic",
                f"Got {told}; allowed is {WHOLE} in all. Set traffic_percent of each.",
                path=("traffic_percent",),
            )
