"""What a plan says of a deployed model: its id before Google is asked, and what only the apply can tell.

Plain functions on states; touches no network.
"""

from __future__ import annotations

from typing import Any

from provider import duration
from provider.deployed_model.document import identity
from provider.deployed_model.lineage import derived_id, lineage_of, new_lineage
from provider.names import split_model
from tfplugin.resource import PluginError, Problem
from tfplugin.values import UNKNOWN, State, is_known

READY, DEPLOYING, ROLLING = "ready", "deploying", "rolling"
CHOSEN_DIGITS = 10
STRATEGIES = ("rolling", "recreate")
# What only a finished deployment tells.
LEARNED = ("create_time", "dedicated_endpoint_dns", "predict_url", "status")
# What only the end of a replacement tells.
SETTLED = ("operation", "status", "create_time", "previous_deployed_model_id")


def planned_new(planned: State, config: State) -> State:
    """A create's plan: its id follows from what is known."""
    wanted = _wanted(planned, config)
    if _chosen(config["deployed_model_id"]) is None and is_known([wanted, planned["endpoint"], planned["track"]]):
        model, _ = split_model(planned["model"])
        lineage = new_lineage(planned["endpoint"], model, planned["track"] or "")
        planned["deployed_model_id"] = derived_id(lineage, wanted)
    id_ = _full_id(planned["endpoint"], planned["deployed_model_id"])
    return planned | {"id": id_, "previous_deployed_model_id": None, "leftover_deployed_model_ids": []}


def planned_change(prior: State, planned: State, config: State) -> State:
    """An update's plan: a successor, or the same one changed, or what an apply that was cut short has left to do."""
    if prior["status"] == DEPLOYING:
        planned |= dict.fromkeys(LEARNED, UNKNOWN)
    if config["deployed_model_id"] not in (None, prior["deployed_model_id"]) or is_another(prior, planned):
        return planned | _successor(prior, planned, config)
    if prior["status"] != READY or prior["leftover_deployed_model_ids"]:
        planned |= {"status": UNKNOWN, "leftover_deployed_model_ids": []}
    if prior["previous_deployed_model_id"] and not planned["keep_previous"]:
        planned |= {"previous_deployed_model_id": None}
    return planned


def _chosen(number: Any) -> Any:
    """A configured id that a new deployment can have. PluginError when Google would refuse it."""
    if isinstance(number, str) and len(number) > CHOSEN_DIGITS:
        raise PluginError(
            "deployed_model_id is not allowed",
            f"Got {number!r}; allowed is 1 to {CHOSEN_DIGITS} digits for a new deployment: longer ones are Google's "
            "own choice. Leave it out.",
            path=("deployed_model_id",),
        )
    return number


def is_another(prior: State, planned: State) -> bool:
    """Whether the planned one differs in what Google cannot change."""
    return identity(prior) != identity(planned)


def _successor(prior: State, planned: State, config: State) -> State:
    """What a plan says of the one that comes in the place of the prior one."""
    number = _chosen(config["deployed_model_id"])
    if number is None:
        number = _successor_id(str(prior["deployed_model_id"]), _wanted(planned, config))
    elif number == prior["deployed_model_id"] and planned["strategy"] != "recreate":
        raise PluginError(
            "A new deployment needs an id of its own",
            f"deployed_model_id is {number!r}, which the one that serves has. Set another number, or none, or let "
            'strategy be "recreate".',
            path=("deployed_model_id",),
        )
    learned = dict.fromkeys(SETTLED, UNKNOWN)
    if config["display_name"] is None and prior["model"] != planned["model"]:
        learned["display_name"] = UNKNOWN
    id_ = _full_id(planned["endpoint"], number)
    return learned | {"deployed_model_id": number, "id": id_, "leftover_deployed_model_ids": []}


def _successor_id(before: str, wanted: list[Any]) -> Any:
    if not is_known(wanted):
        return UNKNOWN
    ids = (derived_id(lineage_of(before), wanted, attempt=attempt) for attempt in range(2))
    return next(one for one in ids if one != before)


def _wanted(planned: State, config: State) -> list[Any]:
    """The identity as configured: a name that Google filled in is none, so that a rollback finds the same id."""
    return identity(planned | {"display_name": config["display_name"]})


def _full_id(endpoint: Any, number: Any) -> Any:
    return f"{endpoint}/deployedModels/{number}" if is_known([endpoint, number]) else UNKNOWN


def problems(config: State) -> list[Problem]:
    """What is wrong with how a replacement shall go."""
    found: list[Problem] = []
    strategy, drain = config["strategy"], config["drain"]
    if isinstance(strategy, str) and strategy not in STRATEGIES:
        text = f"Got {strategy!r}; allowed is {' or '.join(STRATEGIES)}."
        found.append(Problem("strategy is not allowed", text, ("strategy",)))
    if isinstance(drain, str):
        try:
            duration.pause(drain)
        except ValueError as error:
            found.append(Problem("drain is no duration", f"{error}, or 0s.", ("drain",)))
    return found
