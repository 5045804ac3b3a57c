"""Ids of deployed models that tell whose they are: five digits of the resource, five of what it deploys.

A deployed model has no labels, so its id is all that an apply which was killed leaves behind. The first
half stays the same for the life of a resource, the second follows from model, machine and identity.
Plain arithmetic; knows nothing of HTTP or of Terraform.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

HALF = 5
LENGTH = 2 * HALF


def new_lineage(endpoint: str, model: str, track: str) -> str:
    """The first half of a new resource's ids. model: without version; track: what tells twins apart."""
    return str(10 ** (HALF - 1) + _number([endpoint, model, track]) % (9 * 10 ** (HALF - 1)))


def lineage_of(deployed_model_id: str) -> str:
    """The first half that the successors of this id have, whoever chose it."""
    return deployed_model_id[:HALF] if _is_ours(deployed_model_id) else new_lineage("", deployed_model_id, "")


def derived_id(lineage: str, identity: Sequence[Any], *, attempt: int = 0) -> str:
    """Ten digits that depend on nothing but the arguments. attempt: another one, when that one is taken."""
    return f"{lineage}{_number([*identity, attempt] if attempt else list(identity)) % 10**HALF:0{HALF}d}"


def siblings(deployed_model_id: str, others: Sequence[str]) -> list[str]:
    """Those among the others that the same resource deployed."""
    lineage = lineage_of(deployed_model_id)
    return [one for one in others if one != deployed_model_id and _is_ours(one) and one[:HALF] == lineage]


def _is_ours(deployed_model_id: str) -> bool:
    return len(deployed_model_id) == LENGTH and deployed_model_id.isdigit() and deployed_model_id[0] != "0"


def _number(parts: Sequence[Any]) -> int:
    digest = hashlib.sha256(json.dumps(list(parts), sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big")
