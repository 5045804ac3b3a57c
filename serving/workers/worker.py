"""A worker process: an engine that runs the sequences it is sent, and reports after each step.

Knows its connection and its engine; knows no text, no deadlines, no scheduler. It ends when the server hangs up.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence as Seq
from multiprocessing.connection import Connection

from serving.engine.continuous.t5_engine import T5Engine
from serving.engine.protocol import BatchFailed
from serving.errors import ServingError
from serving.sequence import Completion, Likelihood, Sequence
from serving.workers.messages import Newcomer, Order, Report, Token

log = logging.getLogger(__name__)


def work(engine: T5Engine, connection: Connection) -> None:
    """Returns when the other side has closed the connection."""
    running: dict[int, Shadow] = {}
    try:
        while True:
            while not running or connection.poll():
                _follow(connection.recv(), engine, running)
            report = _step(engine, list(running.values()))
            running = {number: shadow for number, shadow in running.items() if not shadow.is_ended}
            connection.send(report)
    except (EOFError, OSError):
        log.debug("the server has hung up")


def _follow(order: Order, engine: T5Engine, running: dict[int, Shadow]) -> None:
    for number in order.leavers:
        running.pop(number, None)
    running |= {newcomer.id: Shadow(newcomer) for newcomer in order.newcomers}
    if order.num_threads:
        engine.num_threads = order.num_threads


def _step(engine: T5Engine, shadows: Seq[Shadow]) -> Report:
    failed: Seq[Sequence] = ()
    why = ""
    try:
        engine.step(list(shadows))
    # as in the server's own engine thread: whatever goes wrong in there, somebody waits for an answer
    except Exception as error:
        failed = error.sequences if isinstance(error, BatchFailed) else shadows
        why = type(error.__cause__ or error).__name__
        log.exception("%d of %d running sequences failed", len(failed), len(shadows))
        for sequence in failed:
            sequence.end(Completion("", 0, "stop"))
    tokens = tuple(token for shadow in shadows for token in shadow.news)
    advanced = tuple(shadow.id for shadow in shadows if shadow.has_advanced and not shadow.is_ended)
    ended = tuple((s.id, s.outcome.message) for s in shadows if isinstance(s.outcome, ServingError))
    for shadow in shadows:
        shadow.news, shadow.has_advanced = [], False
    return Report(tokens, advanced, ended, tuple(sequence.id for sequence in failed), why)


class Shadow(Sequence):
    """A sequence as a worker sees it: tokens alone. Its text, deadline and client are the server's matter."""

    def __init__(self, newcomer: Newcomer) -> None:
        super().__init__(
            newcomer.id,
            newcomer.request,
            tokenizer=_NoText(),
            deadline=math.inf,
            listener=lambda event: None,
            is_streaming=newcomer.is_streaming,
        )
        self.news: list[Token] = []
        self.has_advanced = False  # by a step that brought no token
        self._num_accepted = 0

    def go_on(self, now: float) -> bool:
        self.has_advanced = True
        return super().go_on(now)

    def accept(self, token_id: int, *, is_eos: bool, now: float, likelihood: Likelihood | None = None) -> bool:
        self._num_accepted += 1
        is_last = is_eos or self._num_accepted >= self.request.max_new_tokens
        self.news.append(Token(self.id, token_id, is_eos, is_last, likelihood))
        if is_last:
            return self.end(Completion("", self._num_accepted, "eos" if is_eos else "length"))
        return True


class _NoText:
    """The tokenizer where text is nobody's matter."""

    open_ids: frozenset[int] = frozenset()
    rewrites: tuple[str, ...] = ()
    num_tokens = 0

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def decode(self, ids: Seq[int]) -> str:
        raise NotImplementedError

    def piece(self, id_: int) -> str:
        raise NotImplementedError
