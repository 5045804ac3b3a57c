"""How an endpoint's traffic is split: which splits are allowed, and whose turn it is.

Knows nothing of processes or HTTP. Source of the rules: EndpointService.DeployModel and Endpoint.traffic_split.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from localcloud.errors import invalid

THE_NEW_ONE = "0"  # in deployModel's split: the model that is being deployed

Split = dict[str, int]


def checked_split(split: Mapping[str, object], *, deployed: Collection[str]) -> Split:
    """The split with ints, zero shares kept. Raises INVALID_ARGUMENT unless it is empty or sums to 100."""
    unknown = [key for key in split if key not in deployed]
    if unknown:
        raise invalid(f"The following DeployedModel ID(s) [{', '.join(unknown)}] do not exist.")
    try:
        checked = {key: int(str(value)) for key, value in split.items()}
    except ValueError as error:
        raise invalid(f"traffic_split must hold whole percentages, got {dict(split)}.") from error
    if any(not 0 <= share <= 100 for share in checked.values()):
        raise invalid(f"Each traffic percentage must be between 0 and 100, got {checked}.")
    if checked and sum(checked.values()) != 100:
        raise invalid(f"The traffic percentages must add up to 100, got {sum(checked.values())} ({checked}).")
    return checked


def split_after_deploy(old: Split, wanted: Mapping[str, object], *, new_id: str, deployed: Collection[str]) -> Split:
    """Empty leaves the split as it is, so that a first model without a split gets no traffic; else it overwrites."""
    if not wanted:
        return old
    if THE_NEW_ONE not in wanted:
        raise invalid(
            f"traffic_split must have the key {THE_NEW_ONE!r}, for the model being deployed; got {sorted(wanted)}."
        )
    checked = checked_split(wanted, deployed={*deployed, THE_NEW_ONE})
    share = checked.pop(THE_NEW_ONE)
    return {**checked, new_id: share}


class Turns:
    """Smooth weighted round robin: 75/25 answers a, a, b, a and not by luck. One per endpoint; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credit: dict[str, dict[str, int]] = {}

    def next(self, endpoint: str, split: Mapping[str, int]) -> str:
        with self._lock:
            old = self._credit.get(endpoint, {})
            credit = {key: old.get(key, 0) + share for key, share in split.items() if share > 0}
            chosen = max(credit, key=lambda key: credit[key])
            credit[chosen] -= 100
            self._credit[endpoint] = credit
            return chosen
