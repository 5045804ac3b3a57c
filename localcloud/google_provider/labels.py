"""Labels and annotations as Google's provider plans them.

`labels` is what the configuration says, `terraform_labels` adds the provider's defaults and its
attribution label, `effective_labels` is all that is on the resource. Only keys that Terraform wrote
are Terraform's; others stay. Knows nothing of REST.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.google_provider.settings import Settings
from tfplugin.values import UNKNOWN, State, is_known

ATTRIBUTION = "goog-terraform-provisioned"


def plan_labels(settings: Settings, prior: State | None, planned: State) -> None:
    """Sets `terraform_labels` and `effective_labels` of a planned state that has `labels`."""
    labels = planned.get("labels")
    if not is_known(labels):
        planned["terraform_labels"] = planned["effective_labels"] = UNKNOWN
        return
    before = dict((prior or {}).get("terraform_labels") or {})
    ours = {**settings.default_labels, **_attribution(settings, prior, before), **(labels or {})}
    planned["terraform_labels"] = ours
    planned["effective_labels"] = _effective((prior or {}).get("effective_labels"), before, ours)


def _attribution(settings: Settings, prior: State | None, before: Mapping[str, str]) -> dict[str, str]:
    if not settings.attribution_label:
        return {}
    wanted = prior is None or settings.attribution_proactive or ATTRIBUTION in before
    return {ATTRIBUTION: "true"} if wanted else {}


def plan_annotations(prior: State | None, planned: State) -> None:
    annotations = planned.get("annotations")
    if not is_known(annotations):
        planned["effective_annotations"] = UNKNOWN
        return
    before = (prior or {}).get("annotations") or {}
    effective = (prior or {}).get("effective_annotations")
    planned["effective_annotations"] = _effective(effective, before, annotations or {})


def _effective(effective: Any, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """All that is on the resource, without what was Terraform's before, with what is now."""
    kept = {key: value for key, value in (effective or {}).items() if key not in before}
    return {**kept, **after}


def observe(state: State, prior: State, name: str, found: Mapping[str, str] | None) -> None:
    """Splits what is on the resource (`labels` or `annotations`) into Terraform's part and all of it."""
    on_resource = dict(found or {})
    for part in (name, f"terraform_{name}"):
        if part in state:
            wrote = prior.get(part)
            ours = {key: on_resource[key] for key in wrote or {} if key in on_resource}
            state[part] = ours if ours or wrote is not None else None
    state[f"effective_{name}"] = on_resource
