"""Reads a Dockerfile into instructions. Knows its syntax; does nothing with it.

Source: Docker, "Dockerfile reference": continuations, comments, heredocs, flags, JSON form, variables.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_FLAG = re.compile(r"^--([a-z-]+)(?:=(\S*))?\s+")
_VARIABLE = re.compile(r"\\\$|\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")


class DockerfileError(Exception):
    """The file is not understood; the message names the line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction. flags: `--from=x` as {"from": "x"}; value: the rest, continuations joined."""

    line: int
    name: str
    value: str
    flags: Mapping[str, str]

    def words(self) -> list[str]:
        """The value as a list: JSON form, or split as a shell does."""
        return self.json_form() or shlex.split(self.value)

    def json_form(self) -> list[str] | None:
        """The words of `["a", "b"]`; None for the shell form."""
        if not self.value.startswith("["):
            return None
        try:
            words = json.loads(self.value)
        except ValueError:
            return None
        return [str(word) for word in words] if isinstance(words, list) else None

    def command(self) -> list[str]:
        """argv of CMD and ENTRYPOINT: the shell form runs under /bin/sh."""
        form = self.json_form()
        return form if form is not None else ["/bin/sh", "-c", self.value]

    def pairs(self) -> list[tuple[str, str]]:
        """`A=1 B="2 3"`, or the old `A 1`. DockerfileError when it is neither."""
        words = shlex.split(self.value, posix=True)
        if words and "=" not in words[0]:
            name, _, rest = self.value.partition(" ")
            return [(name, rest.strip())]
        if not all("=" in word for word in words):
            raise DockerfileError(f"line {self.line}: {self.name} {self.value!r} must be NAME=VALUE pairs")
        return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def parse(text: str) -> list[Instruction]:
    """All instructions. DockerfileError names the line of one that is unknown or cut off."""
    lines = text.splitlines()
    found: list[Instruction] = []
    index = 0
    while index < len(lines):
        start = index
        joined, index = _joined(lines, index)
        if not joined:
            continue
        index = _past_heredocs(joined, lines, index)
        found.append(_instruction(joined, start + 1))
    if not any(one.name == "FROM" for one in found):
        raise DockerfileError("there is no FROM")
    return found


def _joined(lines: list[str], index: int) -> tuple[str, int]:
    """The next instruction's text with its continued lines, and the index after it."""
    parts: list[str] = []
    while index < len(lines):
        line = lines[index].strip()
        index += 1
        if not line or line.startswith("#"):  # a comment inside a continuation is passed over
            if parts:
                continue
            return "", index
        if not line.endswith("\\"):
            parts.append(line)
            break
        parts.append(line[:-1].strip())
    return " ".join(part for part in parts if part), index


def _past_heredocs(joined: str, lines: list[str], index: int) -> int:
    """The index after the heredocs of a RUN or COPY."""
    if joined.split(None, 1)[0].upper() not in ("RUN", "COPY", "ADD"):
        return index
    for _, word in _HEREDOC.findall(joined):
        while index < len(lines) and lines[index].strip() != word:
            index += 1
        if index == len(lines):
            raise DockerfileError(f"the heredoc {word} is not closed")
        index += 1
    return index


def _instruction(joined: str, line: int) -> Instruction:
    name, _, value = joined.partition(" ")
    name, value = name.upper(), value.strip()
    if name not in KNOWN:
        raise DockerfileError(f"line {line}: unknown instruction {name!r}; known are {', '.join(sorted(KNOWN))}")
    flags: dict[str, str] = {}
    while flag := _FLAG.match(value + " "):
        flags[flag.group(1)] = flag.group(2) or ""
        value = value[flag.end() :].lstrip() if flag.end() <= len(value) else ""
    if not value and name != "HEALTHCHECK":
        raise DockerfileError(f"line {line}: {name} has no value")
    return Instruction(line, name, value, flags)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$A`, `${A}`, `${A:-default}`, `${A:+instead}`; an unknown variable is empty, `\\$` stays a dollar."""

    def value(match: re.Match[str]) -> str:
        if match.group(0) == "\\$":
            return "$"
        name, operator, word = match.group(1) or match.group(4), match.group(2), match.group(3)
        held = variables.get(name, "")
        if operator == "-":
            return held or expand(word, variables)
        if operator == "+":
            return expand(word, variables) if held else ""
        return held

    return _VARIABLE.sub(value, text)
