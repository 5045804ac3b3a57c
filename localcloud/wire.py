"""What all services share on the wire: JSON bodies, update masks, pages, filters.

Google's clients differ: masks come in camelCase or snake_case, in the query or as `{"paths": []}`;
bodies come with and without a content type. Knows nothing of any resource.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Request

from localcloud.errors import invalid
from localcloud.store import Document

MAX_PAGE = 1000


async def _json_body(request: Request) -> Document:
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    if not isinstance(body, dict):
        raise invalid(f"Invalid JSON payload received. Expected an object, got {type(body).__name__}.")
    return body


# The body of a request as an object, whatever its Content-Type says; {} when there is none.
JsonBody = Annotated[Document, Depends(_json_body)]


def camel(name: str) -> str:
    """`traffic_split.paths` -> `trafficSplit.paths`."""
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)


def update_mask(query: str | None, body: Any = None) -> list[str]:
    """The fields named by a mask, in camelCase, from the query or else from the body; [] when there is none."""
    mask = query if query else body
    if isinstance(mask, dict):
        mask = ",".join(mask.get("paths", []))
    return [camel(path.strip()) for path in (mask or "").split(",") if path.strip()]


def page(items: list[Document], *, key: str, size: str | None, token: str | None) -> Document:
    """One page as `{key: [...], "nextPageToken"}`, as every list call of Google answers."""
    start = _offset(token)
    try:
        wanted = int(size or 0)
    except ValueError as error:
        raise invalid(f"pageSize must be a number, got {size!r}.") from error
    if wanted < 0:
        raise invalid(f"pageSize must not be negative, got {wanted}.")
    end = start + min(wanted or MAX_PAGE, MAX_PAGE)
    body: Document = {key: items[start:end]} if items[start:end] else {}
    if end < len(items):
        body["nextPageToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return body


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error) as error:
        raise invalid(f"The page token {token!r} is invalid.") from error


_TERM = re.compile(r"""^\s*(?P<field>[\w.\-]+)\s*(?:(?P<op>!=|=|:)\s*(?P<value>"[^"]*"|'[^']*'|\S+))?\s*$""")


def matches(document: Document, expression: str | None, *, fields: Iterable[str]) -> bool:
    """Whether a list filter holds: `field = value`, `!=`, `labels.key:*`, `labels.key`, joined by AND.

    fields: those that may be asked for, in camelCase; `labels` allows `labels.anything`.
    """
    if not expression:
        return True
    return all(_holds(document, term, list(fields)) for term in re.split(r"\s+AND\s+", expression.strip()))


def _holds(document: Document, term: str, fields: list[str]) -> bool:
    parsed = _TERM.match(term)
    head, _, rest = (parsed.group("field") if parsed else "").partition(".")
    if parsed is None or camel(head) not in fields:
        known = ", ".join(fields)
        raise invalid(f"Invalid filter {term!r}: use `field = value` joined by AND; fields are {known}.")
    value = document.get(camel(head))
    if rest:
        value = (value or {}).get(rest)
    wanted = (parsed.group("value") or "*").strip("\"'")
    if wanted == "*":
        return value is not None
    equal = str(value) == wanted if value is not None else False
    return not equal if parsed.group("op") == "!=" else equal
