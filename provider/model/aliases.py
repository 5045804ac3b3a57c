"""Aliases of versions: the users' own, and the one by which a request's version is found again.

Knows Google's documents; knows neither states nor containers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from provider.api import JsonObject

_REQUEST = re.compile(r"^request-[0-9a-f]{40}$")


def alias_of(request: Sequence[Any]) -> str:
    """The alias of a request, told by what it asks for."""
    return f"request-{hashlib.sha256(json.dumps(list(request), sort_keys=True).encode()).hexdigest()[:40]}"


def aliases_of(found: JsonObject) -> list[str]:
    """A version's aliases but those of requests, which are the provider's own."""
    return [alias for alias in found.get("versionAliases", []) if not _REQUEST.match(alias)]


def made_here(versions: Sequence[JsonObject]) -> list[str]:
    """Ids of the versions that were uploaded with a request's alias, the oldest first."""
    return [
        str(one["versionId"])
        for one in sorted(versions, key=lambda one: int(one["versionId"]))
        if any(_REQUEST.match(alias) for alias in one.get("versionAliases", []))
    ]
