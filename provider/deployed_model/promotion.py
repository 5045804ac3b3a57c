"""Whether a new version may take the place of the one that serves: by its evaluation, or by a person's word.

Evaluation metrics are labels of the two model versions. A refused version is not deployed: the plan keeps the old one
and says so, since Terraform lets a provider plan an attribute's prior value in place of the configured one.
Knows labels and rules; knows nothing of deployments. Source of the rule: `should_deploy` of Google's
llm-pipeline-examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from provider.limits import refused
from provider.names import split_model
from tfplugin.resource import Context, PluginError, Problem
from tfplugin.schema import NUMBER, STRING, Attribute, Block, Body, list_of
from tfplugin.values import UNKNOWN, State, is_known

RULES = ("all_greater", "none_less", "any_greater")
ON_REFUSAL = ("keep", "fail")
VERDICT = "promotion_verdict"
REFUSED, PROMOTED = "refused", "promoted"
SAME_TASK = "task"  # two versions that have this label must have the same
_NUMBER = re.compile(r"-?\d+(_\d+)?")

_OVERRIDE = Block(
    name="override",
    max_items=1,
    body=Body(
        description="A person's decision to deploy one version whatever its metrics. It holds for that version alone, "
        "so that one which is forgotten lets no other through; `promotion_verdict` records it.",
        attributes=[
            Attribute(
                name="model",
                type=STRING,
                required=True,
                description="The version that it is for: `projects/P/locations/L/models/M@VERSION`, or `M@VERSION`.",
            ),
            Attribute(name="by", type=STRING, required=True, description="Who decided."),
            Attribute(name="reason", type=STRING, required=True, description="Why."),
        ],
    ),
)
BLOCK = Block(
    name="promotion",
    max_items=1,
    body=Body(
        description="The condition under which another version takes the place of the one that serves. Metrics are "
        "labels of both versions, written `43_1234` for 43.1234, since labels have no dots. The first version behind "
        "an endpoint has none to beat, nor has another container around the same `artifact_uri`. A version that is "
        "refused is not deployed: the plan keeps the old one, warns, and shows the metrics of both versions in "
        "`promotion_verdict`.",
        attributes=[
            Attribute(
                name="metrics",
                type=list_of(STRING),
                required=True,
                description='Labels to compare, more being better, as `["eval_rouge1", "eval_rouge2"]`.',
            ),
            Attribute(
                name="rule",
                type=STRING,
                optional=True,
                description="`all_greater` (default): every metric is strictly greater; `none_less`: none is less; "
                "`any_greater`: at least one is greater.",
            ),
            Attribute(
                name="min_gain",
                type=NUMBER,
                optional=True,
                description="How much greater counts as greater, in the metric's unit; default 0, which is strictly.",
            ),
            Attribute(
                name="on_refusal",
                type=STRING,
                optional=True,
                description="`keep` (default): a warning, and the old version stays; `fail`: the plan is an error.",
            ),
        ],
        blocks=[_OVERRIDE],
    ),
)


@dataclass(frozen=True)
class Version:
    """What the registry tells of a model version. artifact: the folder of its weights; empty when in the image."""

    labels: Mapping[str, str]
    artifact: str = ""


# A version by its full name; PluginError when there is no such one.
Look = Callable[[str], Version]


@dataclass(frozen=True)
class Comparison:
    """One metric of both versions; None where a version has no such label, or one that is no number."""

    metric: str
    old: float | None
    new: float | None
    is_greater: bool

    @property
    def is_known(self) -> bool:
        return self.old is not None and self.new is not None

    def __str__(self) -> str:
        return f"{self.metric} {_shown(self.old)} -> {_shown(self.new)}"


def decided(context: Context, look: Look, prior: State | None, planned: State, config: State) -> tuple[State, State]:
    """What to plan, and the configuration to plan it from: with the old version in both when the new one is refused."""
    if planned["promotion"] is UNKNOWN:
        return planned | {VERDICT: UNKNOWN}, config
    block = next(iter(planned["promotion"] or ()), None)
    if block is None:
        return planned | {VERDICT: None}, config
    if prior is None:
        return planned | {VERDICT: f"{PROMOTED}: nothing served before"}, config
    if not is_known([planned["model"], block]):
        return planned | {VERDICT: UNKNOWN}, config
    if planned["model"] == prior["model"]:
        held = prior.get(VERDICT)
        return planned | {VERDICT: None if str(held).startswith(REFUSED) else held}, config
    verdict = judge(block, old=prior["model"], new=planned["model"], look=look)
    if verdict.startswith(PROMOTED):
        return planned | {VERDICT: verdict}, config
    cure = f"To deploy it all the same, add `override` with model = {_short(planned['model'])!r}, by and reason."
    if block["on_refusal"] == "fail":
        raise PluginError("The new version may not take over", f"{verdict}.\n{cure}", path=("model",))
    context.warn(f"{_short(prior['model'])} stays: the new version may not take over", f"{verdict}.\n{cure}")
    return planned | {VERDICT: verdict, "model": prior["model"]}, config | {"model": prior["model"]}


def judge(block: State, *, old: str, new: str, look: Look) -> str:
    """The verdict in one line: `promoted` or `refused`, who against whom, by which rule, every metric of both."""
    rule, gain = block["rule"] or RULES[0], float(block["min_gain"] or 0)
    before, after = look(old), look(new)
    found = [_compared(name, before.labels, after.labels, gain) for name in block["metrics"]]
    said = f"by {rule}" + (f" with min_gain {gain:g}" if gain else "") + ": " + ", ".join(map(str, found))
    pair = f"{_short(new)} over {_short(old)}"
    if after.artifact and after.artifact == before.artifact:  # another container around the same weights
        return f"{PROMOTED} {pair}: the weights are the same"
    complaint = _complaint(rule, found, before, after, gain)
    if complaint is None:
        return f"{PROMOTED} {pair} {said}"
    override = next(iter(block["override"] or ()), None)
    if override is not None and override["model"] in (new, _short(new)):
        word = f"{override['by']}, who says: {override['reason']}"
        return f"{PROMOTED} {pair} on the word of {word}; otherwise refused, since {complaint}, {said}"
    return f"{REFUSED} {pair} {said}; {complaint}"


def _complaint(rule: str, found: list[Comparison], before: Version, after: Version, gain: float) -> str | None:
    """Why the rule does not hold; None when it does."""
    tasks = before.labels.get(SAME_TASK), after.labels.get(SAME_TASK)
    if None not in tasks and tasks[0] != tasks[1]:
        return f"they are made for different tasks, {tasks[0]} and {tasks[1]}"
    if missing := [one.metric for one in found if not one.is_known]:
        return f"not a label of both with a number such as 43_1234: {', '.join(missing)}"
    if rule == "any_greater":
        return None if any(one.is_greater for one in found) else "none is greater"
    if rule == "none_less":
        less = [one.metric for one in found if (one.new or 0) < (one.old or 0)]
        return f"less: {', '.join(less)}" if less else None
    not_greater = [one.metric for one in found if not one.is_greater]
    by = f" by more than {gain:g}" if gain else ""
    return f"not greater{by}: {', '.join(not_greater)}" if not_greater else None


def _compared(metric: str, before: Mapping[str, str], after: Mapping[str, str], gain: float) -> Comparison:
    old, new = number_of(before.get(metric)), number_of(after.get(metric))
    return Comparison(metric, old, new, old is not None and new is not None and new - old > gain)


def number_of(label: str | None) -> float | None:
    """`43_1234` -> 43.1234; None for what is no number."""
    return float(label.replace("_", ".")) if label is not None and _NUMBER.fullmatch(label) else None


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:.4f}"


def _short(model: str) -> str:
    """`projects/p/locations/l/models/m@3` -> `m@3`."""
    return model.rpartition("/")[2]


def problems(config: State) -> list[Problem]:
    """What is wrong with the block."""
    found: list[Problem] = []
    for index, block in enumerate(_bodies(config["promotion"])):
        path = ("promotion", index)
        if block["metrics"] == []:
            found.append(refused((*path, "metrics"), [], "at least one label"))
        for name, allowed in (("rule", RULES), ("on_refusal", ON_REFUSAL)):
            if isinstance(block[name], str) and block[name] not in allowed:
                found.append(refused((*path, name), block[name], " or ".join(allowed)))
        gain = block["min_gain"]
        if isinstance(gain, int | float) and gain < 0:
            found.append(refused((*path, "min_gain"), gain, "0 or more"))
        for number, override in enumerate(_bodies(block["override"])):
            found += _override_problems(override, (*path, "override", number))
    return found


def _bodies(blocks: Any) -> list[State]:
    """Those that are known by now."""
    return blocks if isinstance(blocks, list) else []


def _override_problems(override: State, path: tuple[Any, ...]) -> list[Problem]:
    found = [
        refused((*path, name), override[name], "a name" if name == "by" else "a sentence")
        for name in ("by", "reason")
        if isinstance(override[name], str) and not override[name].strip()
    ]
    model = override["model"]
    if isinstance(model, str) and not model.rpartition("@")[0]:
        found.append(refused((*path, "model"), model, "a model with its version, as M@VERSION"))
    elif isinstance(model, str) and "/" in model:
        split_model(model)
    return found
