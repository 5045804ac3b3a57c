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
_REFERENCE = re.compile(r"\\\$|\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
_QUOTED_OR_REFERENCE = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|""" + _REFERENCE.pattern)


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
        """The value as a list: JSON form, or split as a shell does. DockerfileError when a quote is open."""
        return self.json_form() or self._split()

    def _split(self) -> list[str]:
        try:
            return shlex.split(self.value)
        except ValueError as error:
            raise DockerfileError(f"line {self.line}: {self.name} {self.value!r}: {error}") from error

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
        words = self._split()
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
    """The next instruction's text with its continued lines, and the index after it.

    A continued line is joined as it is written, its indentation included: `A=on\\` and `e` are `A=one`.
    """
    joined, is_continued = "", False
    while index < len(lines):
        line = lines[index].rstrip()
        index += 1
        if not line.strip() or line.lstrip().startswith("#"):  # a comment inside a continuation is passed over
            if is_continued:
                continue
            return "", index
        is_continued = line.endswith("\\")
        joined += line.removesuffix("\\")
        if not is_continued:
            break
    return joined.strip(), index


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
    name, value = [*joined.split(None, 1), ""][:2]
    name = name.upper()
    if name not in KNOWN:
        raise DockerfileError(f"line {line}: unknown instruction {name!r}; known are {', '.join(sorted(KNOWN))}")
    flags: dict[str, str] = {}
    while flag := _FLAG.match(value + " "):
        flags[flag.group(1)] = flag.group(2) or ""
        value = value[flag.end() :].lstrip() if flag.end() <= len(value) else ""
    if not value and name != "HEALTHCHECK":
        raise DockerfileError(f"line {line}: {name} has no value")
    return Instruction(line, name, value, flags)


def expand(text: str, variables: Mapping[str, str], *, as_words: bool = False) -> str:
    """`$A`, `${A}`, `${A:-default}`, `${A:+instead}`; an unknown variable is empty, `\\$` stays a dollar.

    Nothing is expanded in single quotes. as_words: the text will be split into words, and what a variable
    holds must stay in its word, as in Docker: it is escaped.
    """

    def replaced(match: re.Match[str]) -> str:
        whole = match.group(0)
        if whole.startswith("'"):
            return whole
        if whole.startswith('"'):
            return _REFERENCE.sub(lambda one: escaped(_held(one, variables), r'(["\\])'), whole)
        return escaped(_held(match, variables), r"""([\s'"\\])""")

    def escaped(value: str, special: str) -> str:
        return re.sub(special, r"\\\1", value) if as_words else value

    return _QUOTED_OR_REFERENCE.sub(replaced, text)


def _held(reference: re.Match[str], variables: Mapping[str, str]) -> str:
    """What one reference stands for."""
    if reference.group(0) == "\\$":
        return "$"
    braced, operator, word, plain = reference.groups()
    held = variables.get(braced or plain, "")
    if operator == "-":
        return held or expand(word, variables)
    if operator == "+":
        return expand(word, variables) if held else ""
    return held
