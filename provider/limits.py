"""What Google refuses, said at plan: the rules that several resources share, and how a refusal is worded.

A value that is not known yet passes: it is judged when it is. Knows no schema and no call.
Source: Google Cloud, "Requirements for labels"; Vertex AI REST v1; Terraform shows the attribute that a path names.
"""

from __future__ import annotations

import re
from typing import Any

from tfplugin.planning import Path
from tfplugin.resource import Problem

MAX_DISPLAY_NAME = 128
MAX_LABELS = 64
MAX_LABEL = 63
REGION = re.compile(r"^[a-z]+(?:-[a-z]+)+\d+$")
MULTI_REGIONS = ("us", "europe", "asia")
_LABEL = re.compile(r"^[\w-]*$")
_SERVICE_ACCOUNT = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


def refused(path: Path, got: Any, allowed: str, cure: str = "") -> Problem:
    """An error about one attribute: the value that came, what may come, and what to do."""
    return Problem(f"{name_at(path)} is not allowed", f"Got {got!r}; allowed is {allowed}. {cure}".strip(), path)


def doubted(path: Path, got: Any, allowed: str, cure: str = "") -> Problem:
    """The same as a warning: it may work, and often does not."""
    detail = f"Got {got!r}; allowed is {allowed}. {cure}".strip()
    return Problem(f"{name_at(path)} may not work", detail, path, is_warning=True)


def name_at(path: Path) -> str:
    """The attribute's name: the last one in its path."""
    return next((str(one) for one in reversed(path) if isinstance(one, str)), "It")


def is_whole(value: Any) -> bool:
    """Whether it is a known number without a fraction. Terraform has one kind of number only."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)


def number_problems(path: Path, value: Any, *, least: int, most: int | None = None) -> list[Problem]:
    """least, most: the bounds, both allowed; most None for none."""
    if not isinstance(value, int | float):
        return []
    if is_whole(value) and value >= least and (most is None or value <= most):
        return []
    bounds = f"{least} or more" if most is None else f"from {least} to {most}"
    return [refused(path, value, f"a whole number, {bounds}")]


def display_name_problems(path: Path, name: Any) -> list[Problem]:
    if not isinstance(name, str) or 1 <= len(name) <= MAX_DISPLAY_NAME:
        return []
    return [refused(path, f"{name[:20]}… ({len(name)} characters)", f"1 to {MAX_DISPLAY_NAME} characters")]


def label_problems(path: Path, labels: Any) -> list[Problem]:
    """Keys and values of a map of labels."""
    if not isinstance(labels, dict):
        return []
    found = []
    if len(labels) > MAX_LABELS:
        found.append(refused(path, f"{len(labels)} labels", f"at most {MAX_LABELS}"))
    for key, value in labels.items():
        if not (key and _is_label(key) and not key[0].isdigit() and key[0] not in "_-"):
            allowed = f"a key of at most {MAX_LABEL} of a-z, 0-9, _ and -, beginning with a letter"
            found.append(refused(path, key, allowed))
        if isinstance(value, str) and not _is_label(value):
            allowed = f"a value of at most {MAX_LABEL} of a-z, 0-9, _ and -"
            found.append(refused(path, f"{key} = {value}", allowed, "Dots and capitals are what goes wrong most."))
    return found


def _is_label(text: str) -> bool:
    """Letters of other scripts are allowed, capitals are not."""
    return len(text) <= MAX_LABEL and _LABEL.match(text) is not None and text == text.lower()


def account_problems(path: Path, account: Any) -> list[Problem]:
    if not isinstance(account, str) or _SERVICE_ACCOUNT.match(account):
        return []
    return [
        refused(
            path, account, "the e-mail address of a service account, such as serving@PROJECT.iam.gserviceaccount.com"
        )
    ]


def region_problems(path: Path, location: Any) -> list[Problem]:
    if not isinstance(location, str) or REGION.match(location):
        return []
    cure = "Vertex AI serves in regions only, not in zones or multi-regions."
    return [refused(path, location, "a region such as europe-west4", cure)]


def pair_problems(path: Path, got: str, location: Any, *, what: str, other: Any) -> list[Problem]:
    """got: the value whose location must be the other's. what: whose that is, in words."""
    if not isinstance(location, str) or not isinstance(other, str) or location == other:
        return []
    cure = f"Put both into one region: got {location} and {other}."
    if location in MULTI_REGIONS:
        cure = f"{location} is a multi-region, which Vertex AI does not pull from: make a repository in {other}."
    return [refused(path, got, f"one in {other}, as {what}", cure)]
