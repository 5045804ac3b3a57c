"""`.dockerignore`: which files of a context an image's build does not see.

Source: Docker, "Build context": patterns with `*`, `**`, `?`; the last match wins; `!` takes back.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath


class Ignore:
    """The patterns of one context. A Dockerfile's own `NAME.dockerignore` goes before the general one."""

    def __init__(self, patterns: list[str]) -> None:
        self._rules = [(not one.startswith("!"), _pattern(one.lstrip("!"))) for one in patterns]

    @classmethod
    def of(cls, context: Path, dockerfile: Path) -> Ignore:
        for path in (dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"):
            if path.exists():
                lines = (line.strip() for line in path.read_text().splitlines())
                return cls([line for line in lines if line and not line.startswith("#")])
        return cls([])

    def hides(self, path: PurePosixPath) -> bool:
        """path: relative to the context. A pattern that meets a folder meets what is below it."""
        hidden = False
        for hides, pattern in self._rules:
            if any(pattern.fullmatch(str(one)) for one in (path, *path.parents) if str(one) != "."):
                hidden = hides
        return hidden


def _pattern(text: str) -> re.Pattern[str]:
    text = text.strip().strip("/")
    parts = []
    for token in re.split(r"(\*\*/?|\*|\?)", text):
        parts.append({"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(token, re.escape(token)))
    return re.compile("".join(parts))
