"""Project ids and their numbers, and names written with either.

Google's long-running operations and Vertex AI replies name the project by number; requests may
use either. The store keeps ids only: `canonical` on the way in, `numbered` on the way out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

_PROJECT = re.compile(r"^projects/([^/]+)")


class Projects:
    """Knows the numbers given at start, and derives a stable one for every other project id."""

    def __init__(self, numbers: Mapping[str, str] | None = None) -> None:
        self._numbers = dict(numbers or {})
        self._ids = {number: project for project, number in self._numbers.items()}

    def number(self, project: str) -> str:
        """The 12-digit number of a project id; a number is its own."""
        if project.isdigit():
            return project
        if project not in self._numbers:
            digest = int.from_bytes(hashlib.sha256(project.encode()).digest()[:8], "big")
            number = str(100_000_000_000 + digest % 900_000_000_000)
            self._numbers[project] = number
            self._ids[number] = project
        return self._numbers[project]

    def id(self, project: str) -> str:
        """The id of a project number seen before; an id, or an unknown number, is its own."""
        return self._ids.get(project, project)

    def canonical(self, name: str) -> str:
        """`projects/123/locations/l/models/m` -> `projects/my-id/locations/l/models/m`."""
        return _PROJECT.sub(lambda match: f"projects/{self.id(match.group(1))}", name)

    def numbered(self, name: str) -> str:
        """`projects/my-id/locations/l/models/m` -> `projects/123/locations/l/models/m`."""
        return _PROJECT.sub(lambda match: f"projects/{self.number(match.group(1))}", name)

    def learn(self, names: Iterable[str]) -> None:
        """Derives the numbers of all projects in these names again, so that a restart still knows them."""
        for name in names:
            match = _PROJECT.match(name)
            if match is not None:
                self.number(match.group(1))

    def known(self) -> dict[str, str]:
        return dict(self._numbers)
