"""Runs the engine in its own thread over what the scheduler admits. Knows no HTTP, no tensors, no asyncio."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable

from serving.engine.protocol import BatchFailed, Engine
from serving.errors import EngineFailed, NotReady, ServingError
from serving.request import ValidRequest
from serving.scheduler import Scheduler
from serving.sequence import Listener, Sequence, late
from serving.text import Tokenizer

log = logging.getLogger(__name__)


class Dispatcher:
    """The seam between request threads and the engine's thread; its lock guards the scheduler.

    check: one small generation that raises when the engine is unwell; run after a failed batch.
    on_broken: called once, from the engine's thread, when that check fails.
    on_step: hears after each step how many sequences took part, and its seconds.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        check: Callable[[Engine], None],
        on_broken: Callable[[str], None],
        on_step: Callable[[int, float], None] = lambda num_sequences, seconds: None,
    ) -> None:
        self.scheduler = scheduler
        self._check = check
        self._on_broken = on_broken
        self._on_step = on_step
        self._changed = threading.Condition()
        self._refusal: ServingError | None = None
        self._ids = itertools.count(1)
        self._num_steps = 0
        self._thread: threading.Thread | None = None

    def start(self, engine: Engine) -> None:
        # daemon: a step that hangs in a kernel must not keep a stopping process alive
        self._thread = threading.Thread(target=self._run, args=(engine,), name="engine", daemon=True)
        self._thread.start()

    def require_room(self, num_sequences: int, num_tokens: int, *, client: str) -> None:
        """Raises what `submit` would raise for that much, so that nobody prepares what is refused anyway."""
        with self._changed:
            if self._refusal is not None:
                raise self._refusal
            self.scheduler.require_room(num_sequences, num_tokens, client=client)

    def submit(
        self,
        requests: list[ValidRequest],
        *,
        tokenizer: Tokenizer,
        deadline: float,
        listener: Callable[[int], Listener],
        is_streaming: bool = False,
    ) -> list[Sequence]:
        """Lets the requests wait, all or none, and returns their sequences; `listener(i)` hears of the i-th.

        Raises `Overloaded`, or the error that a stopping dispatcher refuses with.
        """
        now = time.monotonic()
        sequences = [
            Sequence(
                next(self._ids),
                request,
                tokenizer=tokenizer,
                arrived=now,
                deadline=deadline,
                listener=listener(index),
                is_streaming=is_streaming,
            )
            for index, request in enumerate(requests)
        ]
        with self._changed:
            if self._refusal is not None:
                raise self._refusal
            self.scheduler.add(sequences)
            self._changed.notify()
        return sequences

    def cancel(self, sequences: list[Sequence], error: ServingError) -> None:
        """Ends these: those that wait now, those that run at their next token."""
        with self._changed:
            for sequence in self.scheduler.withdraw(sequences):
                sequence.end(error)
            for sequence in sequences:
                sequence.cancel(error)

    def stop(self, error: ServingError) -> None:
        """Refuses newcomers from now on; what was accepted goes on."""
        with self._changed:
            self._refusal = error
            self._changed.notify()

    def abort(self, error: ServingError) -> None:
        """Refuses newcomers and ends everything accepted with `error`."""
        self.stop(error)
        with self._changed:
            sequences = [*self.scheduler.waiting, *self.scheduler.running]
        self.cancel(sequences, error)

    def give_up(self, error: ServingError) -> None:
        """Ends everything accepted, now, without the engine's thread: for when that thread is gone or stuck."""
        self.stop(error)
        with self._changed:
            sequences = [*self.scheduler.waiting, *self.scheduler.running]
            self.scheduler.withdraw(sequences)
        for sequence in sequences:
            sequence.end(error)

    @property
    def progress(self) -> int | None:
        """A number that grows with every step and token; None while there is nothing to do."""
        if self._thread is None or not self.scheduler.has_work:
            return None
        return self._num_steps + sum(sequence.num_steps for sequence in list(self.scheduler.running))

    def _run(self, engine: Engine) -> None:
        is_over = False
        try:
            self._loop(engine)
            is_over = True
        finally:
            # SystemExit out of a library, or a fault in here: the thread ends, and nobody else would end its requests
            if not is_over:
                log.error("the engine's thread has died", exc_info=True)
                self.give_up(NotReady("the engine has died; this server is going away"))
                self._on_broken("the engine's thread has died")

    def _loop(self, engine: Engine) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.scheduler.has_work or self._refusal is not None)
                if not self.scheduler.has_work:
                    return
                now = time.monotonic()
                for sequence in self.scheduler.expire(now):
                    sequence.end(late(0))
                for sequence in self.scheduler.admit():
                    sequence.timeline.started = now
                running = list(self.scheduler.running)
            if running and not self._step(engine, running):
                return
            self._num_steps += 1
            seconds = time.monotonic() - now
            self._on_step(len(running), seconds)
            with self._changed:
                num_ended = len(self.scheduler.retire())
                self.scheduler.record(num_ended=num_ended, seconds=seconds)

    def _step(self, engine: Engine, running: list[Sequence]) -> bool:
        """Returns whether the engine can go on."""
        try:
            engine.step(running)
        # Whatever goes wrong in there, the clients of this batch are waiting for an answer.
        except Exception as error:
            failed = error.sequences if isinstance(error, BatchFailed) else running
            log.exception("%d of %d running sequences failed", len(failed), len(running))
            kind = type(error.__cause__ or error).__name__
            for sequence in failed:
                sequence.end(EngineFailed(f"the engine failed on this batch ({kind}); the request may be sent again"))
            # where others run on, their next step shows whether the engine is well
            return any(not sequence.is_ended for sequence in running) or self._recover(engine)
        return True

    def _recover(self, engine: Engine) -> bool:
        try:
            self._check(engine)
        except Exception as error:
            log.exception("the engine does not recover")
            self.abort(NotReady("the engine has failed for good; this server is going away"))
            self._on_broken(f"{type(error).__name__}: {error}")
            return False
        return True
