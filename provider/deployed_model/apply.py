"""What an apply does so that a planned deployed model serves: it is brought up, changed, or takes another's place.

Each function returns the state at the end, and looks at the endpoint first: it goes on from whatever an apply that was
cut short has left. Knows states and the rollout; knows nothing of Terraform, nor of what an error leaves in state.
"""

from __future__ import annotations

from provider import duration
from provider.api import JsonObject
from provider.deployed_model import traffic
from provider.deployed_model.document import MUTABLE, mutation, seen
from provider.deployed_model.endpoint import addresses, deployed_of, split_of
from provider.deployed_model.planning import DEPLOYING, READY
from provider.deployed_model.relatives import relatives_of
from provider.deployed_model.rollout import Rollout, Unfit
from tfplugin.values import UNKNOWN, State

UPDATE_TIMEOUT = "1h"


def brought_up(rollout: Rollout, state: State) -> State:
    """A deployment that was begun, once it serves."""
    _scaled(rollout, rollout.finish(), state)
    _prove(rollout, None)
    return _settled(rollout, state, previous=None)


def replaced(rollout: Rollout, prior: State, planned: State) -> State:
    """The new one in the old one's place."""
    shown, before = rollout.endpoint.get(), str(prior["deployed_model_id"])
    old = before if deployed_of(shown, before) is not None else None
    if old is not None and planned["strategy"] == "recreate":
        rollout.instead_of(old)
        return _settled(rollout, planned, previous=None)
    rollout.begin(split={} if old is not None else traffic.with_share(split_of(shown), "0", rollout.share))
    _scaled(rollout, rollout.finish(), planned)
    _prove(rollout, old)
    if old is not None and not planned["keep_previous"]:
        rollout.take_down(old)
    return _settled(rollout, planned, previous=old if planned["keep_previous"] else None)


def changed(rollout: Rollout, prior: State, planned: State) -> State:
    """The same one, as planned; and whatever an apply that was cut short has left, gone."""
    shown = rollout.endpoint.get()
    if deployed_of(shown, rollout.number) is None:  # its deployment had failed, or it went after the plan
        rollout.begin(split=traffic.with_share(split_of(shown), "0", rollout.share))
        shown = rollout.finish()
    _scaled(rollout, shown, planned)
    rollout.take_back(relatives_of(shown, prior))
    if prior["status"] == DEPLOYING:
        _prove(rollout, None)
    else:
        rollout.endpoint.set_traffic(rollout.endpoint.get(), rollout.number, rollout.share, warn=rollout.warn)
    return _settled(rollout, planned, previous=planned["previous_deployed_model_id"])


def _scaled(rollout: Rollout, shown: JsonObject, planned: State) -> None:
    """Brings what is deployed to the planned replicas and logging."""
    body, mask = _change_of(rollout, shown, planned)
    timeout_s = duration.timeout(planned, "update", UPDATE_TIMEOUT)
    if mask and rollout.endpoint.settle_changes(timeout_s=timeout_s, progress=rollout.progress):
        body, mask = _change_of(rollout, rollout.endpoint.get(), planned)
    if mask:
        rollout.progress.phase("CHANGING " + ", ".join(mask))
        rollout.endpoint.mutate(body, mask, timeout_s=timeout_s, progress=rollout.progress)
        rollout.progress.phase("CHANGED")


def _change_of(rollout: Rollout, shown: JsonObject, planned: State) -> tuple[JsonObject, list[str]]:
    """What a mutate has to change, and its mask: empty when there is nothing."""
    now = planned | seen(shown, deployed_of(shown, rollout.number) or {}, planned)
    return mutation(now, planned) if any(now[name] != planned[name] for name in MUTABLE) else ({}, [])


def _settled(rollout: Rollout, planned: State, *, previous: str | None) -> State:
    """The state at the end, once nothing of this resource's own is left but the new one and the kept one."""
    for stray in relatives_of(rollout.endpoint.get(), planned):
        if stray != previous:
            rollout.take_down(stray)
    shown = rollout.endpoint.get()
    found = deployed_of(shown, rollout.number) or {}
    told = {"create_time": found.get("createTime"), "display_name": found.get("displayName")}
    told |= {"operation": rollout.operation, **addresses(rollout.endpoint.api, shown)}
    told = {name: value for name, value in told.items() if planned[name] is UNKNOWN or planned[name] is None}
    settled: State = {"status": READY, "previous_deployed_model_id": previous, "leftover_deployed_model_ids": []}
    return planned | told | settled


def _prove(rollout: Rollout, old: str | None) -> None:
    """Gives the new one the traffic. Raises Unfit once the old one has it back and the new one is gone."""
    try:
        rollout.take_over(old)
    except Unfit as error:
        if old is None:
            rollout.take_down(rollout.number)
            raise Unfit(f"{error}. It was undeployed again") from error
        rollout.give_back(old)
        raise Unfit(f"{error}. It was undeployed, and {old} has all the traffic again") from error
