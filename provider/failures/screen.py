"""A failure that explains itself in one screen: what was asked, the phase, how long, cause, cure, log, console.

Finds the cause in the catalogue (`causes`) and lays the screen out. Makes no call: who calls it brings the
log's lines. Nothing that looks like a secret, and no control character, gets from a log to the screen.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from provider.failures.cause import CALLER, OF_CONTAINER, ROLES, VERTEX_AGENT, Cause
from provider.failures.causes import CAUSES, TRANSIENT
from provider.failures.container_causes import SERVING
from provider.failures.job_causes import OF_JOB, TRAINING

WIDTH, ROWS = 96, 15  # of the detail; Terraform adds a frame of 2 columns and about 6 rows
LABEL_WIDTH = 10
MIN_LOG_ROWS, MAX_LOG_ROWS = 3, 10
MAX_LINE_CHARS, MAX_SAID_CHARS = 500, 2000  # of anybody's text: patterns take time
BUILD_STATUS = ("FAILURE", "TIMEOUT", "INTERNAL_ERROR", "EXPIRED")
_SECRETS = re.compile(
    r"(?P<key>(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credential)[\w-]{0,40}[\"']?\s*[=:]\s*[\"']?"
    r"|Bearer |Authorization: ?\w+ )(?P<value>[^\s\"',;]{4,})"
    r"|\b(?:ya29\.[\w.-]+|hf_\w{20,}|AIza[\w-]{20,}|gh[pousr]_\w{20,}|AKIA\w{12,}|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+|sk-[\w-]{20,})",
    re.IGNORECASE,
)
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")  # the summary has it whole
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Failure(Protocol):
    """An error with Google's reason and words."""

    summary: str
    detail: str
    reason: str
    message: str


E = TypeVar("E", bound=Failure)


@dataclass(frozen=True)
class Match:
    """A cause found, in a user's words. line: the log's line that told it; None when Google's words did."""

    name: str
    text: str
    cure: str
    line: str | None = None


@dataclass(frozen=True)
class Log:
    """The end of a log, newest line last; or why there is none. where: an address for people."""

    lines: Sequence[str] = ()
    note: str = ""
    where: str = ""


def explain(
    error: E,
    *,
    what: str,
    phase: str,
    elapsed: str,
    asked: str = "",
    log: Log | None = None,
    console: str = "",
    operation: str = "",
    ports: Collection[int] = (),
) -> E:
    """The same error with a screen for its detail. Explaining it again, with more known, is no harm.

    what: the resource, for the summary. phase, elapsed: as they are shown. ports: those the container is asked on,
    empty when not known.
    """
    said = f"{error.reason}: {' '.join(error.message.split())}"[:MAX_SAID_CHARS]
    log = log if log is not None and _asks_log(said) else Log()
    lines = [clean(line) for line in log.lines if line.strip()]
    found = find(said, lines, ports=ports)
    first = error.message.strip().splitlines()[0] if error.message.strip() else error.reason
    error.summary = clean(f"{what} failed after {elapsed}: {found.text if found else first}")[: 3 * WIDTH]
    rows = [
        *(_row("Asked", asked, most=3) if asked else ()),
        *_row("Phase", phase, most=1),
        *_row("Google", said, most=1 if found else 3),
        *_row("Cause", found.text if found else "None that is known here; the log and Google's words tell.", most=3),
        *(_row("Cure", found.cure, most=4) if found else ()),
    ]
    last = [*_link("Console", console), *_link("Operation", "/".join(operation.split("/")[-2:]))]
    left = ROWS - _height(rows) - _height(last)
    error.detail = "\n".join([*rows, *_log_rows(lines, log, found, left), *last])
    return error


def words_of(error: Mapping[str, Any]) -> str:
    """Google's message in an error document (google.rpc.Status), and what its details say of quotas."""
    metadata = [one.get("metadata") or {} for one in error.get("details") or () if isinstance(one, dict)]
    quotas = [f"{key}: {value}" for one in metadata for key, value in one.items() if key.startswith("quota_")]
    message = str(error.get("message", ""))
    return f"{message} ({', '.join(quotas)})" if quotas else message


def advice(reason: str, message: str) -> str:
    """Cause and cure of a refused call, for its detail; empty when nothing is known."""
    found = find(f"{reason}: {message}")
    return f"{found.text} {found.cure}" if found else ""


def find(said: str, log_lines: Sequence[str] = (), *, ports: Collection[int] = ()) -> Match | None:
    """The cause that Google's words (`REASON: message`) and the end of a log tell; None when none is known."""
    said = said[:MAX_SAID_CHARS]
    lines = [line[:MAX_LINE_CHARS] for line in log_lines] if _asks_log(said) else []
    for cause in (*CAUSES, *_particular(said), TRANSIENT):
        found = _found_in(cause, said, lines, ports)
        if found is not None:
            return found
    return None


def _particular(said: str) -> Sequence[Cause]:
    """The causes that only jobs have, or only what serves."""
    if OF_JOB.search(said):
        return TRAINING
    return SERVING if _asks_log(said) and not said.startswith(BUILD_STATUS) else ()


def _asks_log(said: str) -> bool:
    """Whether Google's words say that the log tells more: a quota or a permission is nothing of the container's."""
    return said.startswith(BUILD_STATUS) or any(words.search(said) for words in (OF_CONTAINER, OF_JOB))


def clean(line: str) -> str:
    """Without secrets, colours and control characters."""
    plain = _CONTROL.sub("", line[:MAX_LINE_CHARS].replace("\t", "    "))
    return _SECRETS.sub(lambda found: f"{found['key'] or ''}[removed]", plain)


def _found_in(cause: Cause, said: str, lines: Sequence[str], ports: Collection[int]) -> Match | None:
    if cause.logged is not None and (cause.when is None or re.search(cause.when, said)):
        for line in reversed(lines):
            seen = re.search(cause.logged, line)
            if seen is not None and not _is_right_port(cause, seen, lines, ports):
                return _match(cause, seen, line, ports)
    seen = re.search(cause.said, said) if cause.said is not None else None
    return None if seen is None else _match(cause, seen, None, ports)


def _is_right_port(cause: Cause, seen: re.Match[str], lines: Sequence[str], ports: Collection[int]) -> bool:
    """Whether a port in the log accuses nobody: it is the right one, none is known, or requests have come in."""
    if cause.name != "wrong-port":
        return False
    was_asked = any(re.search(r"\b(?:GET|POST) /", line) for line in lines)
    return was_asked or not ports or int(seen["port"]) in ports or int(seen["port"]) > 65535


def _match(cause: Cause, seen: re.Match[str], line: str | None, ports: Collection[int]) -> Match:
    words = _words({name.rstrip("_"): text.strip() for name, text in seen.groupdict().items() if text}, ports)
    words |= {"Who": words["who"][0].upper() + words["who"][1:]}
    return Match(cause.name, cause.text.format(**words), cause.cure.format(**words), line)


def _words(found: dict[str, str], ports: Collection[int]) -> dict[str, str]:
    """What the texts of a cause may name, with a word for what was not found."""
    permission = found.get("permission", "")
    role = next((role for prefix, role in ROLES.items() if permission.lower().startswith(prefix.lower())), None)
    return {
        "account": "that was named",
        "asked_port": ", ".join(map(str, ports)),
        "error": "see the log",
        "identity": VERTEX_AGENT,
        "image": "that was named",
        "permission": "for this call",
        "quota": "of this machine",
        "role": role or "that holds it",
        "who": CALLER,
        **found,
        "size": f"{found['size']}, " if "size" in found else "",
        "limit": f" (limit {found['limit']})" if "limit" in found else "",
    }


def _row(label: str, text: str, *, most: int) -> list[str]:
    """One labelled paragraph of at most so many rows. Terraform leaves lines alone that begin with a space."""
    wrapped = textwrap.wrap(
        _DIGEST.sub(r"\1…", clean(text)),
        WIDTH - LABEL_WIDTH,
        max_lines=most,
        placeholder=" …",
        break_on_hyphens=False,
        break_long_words=False,  # names and addresses stay whole, to be copied
    ) or [""]
    return [f" {label + ':':<{LABEL_WIDTH - 1}}{wrapped[0]}", *(" " * LABEL_WIDTH + line for line in wrapped[1:])]


def _link(label: str, address: str) -> list[str]:
    """An address stays whole, however long: it must be possible to open it."""
    return [f" {label + ':':<{LABEL_WIDTH - 2}} {address}"] if address else []


def _log_rows(lines: Sequence[str], log: Log, found: Match | None, left: int) -> list[str]:
    if not lines:
        return [*_row("Log", log.note, most=2), *_link("Read it", log.where)] if log.note else []
    most = min(max(left - 1, MIN_LOG_ROWS), MAX_LOG_ROWS)
    shown = list(lines[-most:])
    if found is not None and found.line is not None and found.line not in shown:
        shown = [found.line, *shown[1:]]  # what told the cause must be seen
    return [f" {'Log:':<{LABEL_WIDTH - 1}}its last lines", *(f"   | {_cut(line, WIDTH - 5)}" for line in shown)]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _height(rows: Iterable[str]) -> int:
    """Rows on a terminal, long ones counted as often as they break."""
    return sum(1 + (len(row) - 1) // WIDTH for row in rows)
