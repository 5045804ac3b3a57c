"""What checkov found, against the findings that we live with and why.

Reads checkov's JSON and the suppressions; runs nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class PolicyCheckFailed(Exception):
    """checkov checked nothing, or said nothing that can be read: a gate that checks nothing must not open."""


@dataclass(frozen=True)
class Finding:
    check: str
    resource: str
    what: str

    @property
    def key(self) -> tuple[str, str]:
        return self.check, self.resource.removeprefix("resource.")


@dataclass(frozen=True)
class Outcome:
    """stale: suppressions, as check and resource, that find nothing any more in a resource that is there."""

    passed: int
    open: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, str], ...]
    stale: tuple[tuple[str, str], ...]

    @property
    def is_fine(self) -> bool:
        return not self.open and not self.stale


def judge(output: str, reasons: dict[tuple[str, str], str], *, present: Collection[str]) -> Outcome:
    """checkov's standard output. present: the resources it was given. PolicyCheckFailed when nothing was checked."""
    passed, found = _read(output)
    if not passed and not found:
        raise PolicyCheckFailed("checkov checked nothing: it may have found no file of a kind that it knows")
    here = {finding.key for finding in found}
    return Outcome(
        passed=passed,
        open=tuple(finding for finding in found if finding.key not in reasons),
        suppressed=tuple((finding, reasons[finding.key]) for finding in found if finding.key in reasons),
        stale=tuple(sorted(key for key in set(reasons) - here if key[1] in present)),
    )


def suppressions(file: Path) -> dict[tuple[str, str], str]:
    """Reasons by check and resource. PolicyCheckFailed for one without a reason."""
    rows: list[dict[str, Any]] = tomllib.loads(file.read_text()).get("suppressed", [])
    for row in rows:
        if len(str(row.get("reason", ""))) < 20:
            raise PolicyCheckFailed(f"{file.name}: {row.get('check')}: got no reason; every suppression says why")
    return {(row["check"], resource): row["reason"] for row in rows for resource in row["resources"]}


def _read(output: str) -> tuple[int, list[Finding]]:
    try:
        documents = json.loads(output)
    except ValueError:
        raise PolicyCheckFailed(f"checkov said nothing that can be read: {output[-500:]!r}") from None
    documents = documents if isinstance(documents, list) else [documents]
    checked = [one for one in documents if "results" in one]  # without, it is the summary of nothing
    found = {finding for one in checked for finding in _failed(one["results"]["failed_checks"])}
    return sum(one["summary"]["passed"] for one in checked), sorted(found, key=lambda one: one.key)


def _failed(checks: Iterable[dict[str, Any]]) -> Iterable[Finding]:
    return (Finding(one["check_id"], one["resource"], one["check_name"]) for one in checks)
