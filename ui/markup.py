"""The few pieces of HTML that the page makes itself. Whatever comes from elsewhere becomes text here."""

from __future__ import annotations

import html
from typing import Literal

# gradio puts HTML through two template languages: ${…} and {{…}} must not be seen by either
TEMPLATE_SIGNS = str.maketrans({"$": "&#36;", "{": "&#123;", "}": "&#125;", "`": "&#96;", "\\": "&#92;"})


def escape(text: str) -> str:
    return html.escape(text).translate(TEMPLATE_SIGNS)


def facts(pairs: dict[str, str]) -> str:
    """A list of names and values."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs.items())
    return f"<dl>{rows}</dl>"


def status(kind: Literal["waiting", "done", "error"], text: str) -> str:
    """One line that screen readers speak as it changes; an error at once."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="{kind}" role="{role}">{escape(text)}</p>'
