"""What the server, the nursery and its workers say to each other. Plain data, pickled between our own processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.checkpoint.folder import Wanted
from serving.engine.memory import Plan
from serving.request import ValidRequest
from serving.sequence import Likelihood
from serving.telemetry.logs import Format

# ---- the server and the nursery


@dataclass(frozen=True, slots=True)
class Layout:
    """num_workers processes, each with num_threads; one that works alone takes `alone_threads`."""

    num_workers: int
    num_threads: int
    alone_threads: int

    def __str__(self) -> str:
        processes = f"{self.num_workers} worker process{'es' if self.num_workers > 1 else ''}"
        threads = f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        alone = f" ({self.alone_threads} when one works alone)" if self.alone_threads != self.num_threads else ""
        return f"{processes} with {threads}{alone}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the nursery is to load, and between which layouts it chooses: pairs of workers and threads."""

    folder: Path
    wanted: Wanted
    layouts: tuple[tuple[int, int], ...]
    log_level: str
    log_format: Format


@dataclass(frozen=True, slots=True)
class Phase:
    """Loading has come to its next part, or `advanced` by so many bytes in this one."""

    name: str = ""
    total_bytes: int | None = None
    advanced: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """The weights are in memory."""

    plan: Plan
    dtype: str


@dataclass(frozen=True, slots=True)
class Measure:
    """Choose between the layouts, now that nothing else runs. Answered with a `Layout`; then workers can be had."""


@dataclass(frozen=True, slots=True)
class Hired:
    """A worker, for the socket that was sent."""

    pid: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Loading has failed; there will be no workers."""

    why: str


# ---- the server and a worker


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A sequence to begin; whether somebody reads its tokens one by one."""

    id: int
    request: ValidRequest
    is_streaming: bool


@dataclass(frozen=True, slots=True)
class Order:
    """Sequences to begin and to forget, and the number of threads for the steps that follow."""

    newcomers: tuple[Newcomer, ...] = ()
    leavers: tuple[int, ...] = ()
    num_threads: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """The next token of a sequence. is_last: the worker has ended the sequence with it."""

    id: int
    token_id: int
    is_eos: bool
    is_last: bool
    likelihood: Likelihood | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What one step brought. advanced: sequences that it took further without a token, as a beam search goes.
    ended: single sequences that went wrong, with the reason. failed: sequences whose batch did, for the cause that
    `why` names."""

    tokens: tuple[Token, ...] = ()
    advanced: tuple[int, ...] = ()
    ended: tuple[tuple[int, str], ...] = ()
    failed: tuple[int, ...] = ()
    why: str = ""
