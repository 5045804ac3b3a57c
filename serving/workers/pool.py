"""An engine made of worker processes: each sequence goes to the worker with the least to do, and stays there.

Workers run free of each other: a step here ends when any of them has reported a token. A worker that dies takes its
own sequences with it, at once, and another takes its place. Knows sequences and connections; no tensors, no HTTP.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import signal
import time
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from serving.engine.protocol import BatchFailed
from serving.errors import EngineFailed
from serving.sequence import Sequence
from serving.workers.messages import Layout, Newcomer, Order, Report, Token
from serving.workers.nursery_process import NurseryGone

log = logging.getLogger(__name__)

LOOK_S = 0.25


class WorkerFailed(Exception):
    """What went wrong in a worker; where it was an exception, the worker's own log has the trace."""


@dataclass(slots=True, eq=False)
class Worker:
    """A worker as the server sees it. sequences: those that it has, by the number they were sent under."""

    connection: Connection
    pid: int
    sequences: dict[int, Sequence] = field(default_factory=dict)
    num_threads: int = 0
    heard_at: float = 0.0

    @property
    def num_rows(self) -> int:
        return sum(sequence.request.num_rows for sequence in self.sequences.values())


class WorkerPool:
    """Starts with all its workers. hire: a new one; raises `NurseryGone`.

    stall_s: a worker that has sequences and says nothing for so long is killed.
    """

    def __init__(self, layout: Layout, *, hire: Callable[[], tuple[Connection, int]], stall_s: float) -> None:
        self._layout = layout
        self._hire = hire
        self._stall_s = stall_s
        self._numbers = itertools.count()
        self.workers = [Worker(*hire()) for _ in range(layout.num_workers)]
        self.num_replaced = 0

    def step(self, running: list[Sequence]) -> None:
        """Sends newcomers out, then waits until one of the running has its next token, or has ended.

        Raises `BatchFailed`, and `WorkerFailed` when no worker is left.
        """
        self._replace([worker for worker in self.workers if not worker.sequences and self._is_dead(worker)])
        if not self.workers:
            raise WorkerFailed("no worker process is left")
        self._send_orders(running)
        is_heard, failed, why = False, list[Sequence](), ""
        while not is_heard and not failed:
            dead = self._stalled()
            ready = wait([worker.connection for worker in self.workers], LOOK_S)
            for worker in [worker for worker in self.workers if worker.connection in ready and worker not in dead]:
                try:
                    report = worker.connection.recv()
                except (EOFError, OSError):
                    dead.append(worker)
                    continue
                is_heard |= self._hear(worker, report)
                failed += [worker.sequences.pop(number) for number in report.failed if number in worker.sequences]
                why = report.why or why
            if dead:
                failed += [sequence for worker in dead for sequence in worker.sequences.values()]
                why = f"of {len(dead)} worker processes that died"
                self._replace(dead)
        if failed:
            raise BatchFailed(failed) from WorkerFailed(why)

    def close(self) -> None:
        """Hangs up; each worker ends after its step."""
        for worker in self.workers:
            worker.connection.close()

    def _send_orders(self, running: list[Sequence]) -> None:
        wanted = {id(sequence): sequence for sequence in running if not sequence.is_ended}
        leavers: dict[int, list[int]] = {}
        for worker in self.workers:
            leavers[worker.pid] = [n for n, sequence in worker.sequences.items() if id(sequence) not in wanted]
            for number in leavers[worker.pid]:
                del worker.sequences[number]
            for sequence in worker.sequences.values():
                del wanted[id(sequence)]
        newcomers: dict[int, list[int]] = {worker.pid: [] for worker in self.workers}
        for sequence in wanted.values():
            worker = min(self.workers, key=lambda worker: worker.num_rows)
            number = next(self._numbers)
            worker.sequences[number] = sequence
            newcomers[worker.pid].append(number)
        num_threads = self._num_threads()
        for worker in self.workers:
            begun = ((number, worker.sequences[number]) for number in newcomers[worker.pid])
            orders = tuple(Newcomer(number, one.request, one.is_streaming) for number, one in begun)
            self._send(worker, Order(orders, tuple(leavers[worker.pid]), num_threads))

    def _num_threads(self) -> int:
        """A worker that works alone may take the cores of the idle ones."""
        is_alone = sum(bool(worker.sequences) for worker in self.workers) == 1
        return self._layout.alone_threads if is_alone else self._layout.num_threads

    def _send(self, worker: Worker, order: Order) -> None:
        """Says nothing where there is nothing to say. One that has died is found so when it is listened to."""
        is_busy = bool(worker.sequences)
        if order.newcomers:
            worker.heard_at = time.monotonic()
        if not order.newcomers and not order.leavers and (not is_busy or worker.num_threads == order.num_threads):
            return
        worker.num_threads = order.num_threads
        with contextlib.suppress(OSError):
            worker.connection.send(order)

    def _hear(self, worker: Worker, report: Report) -> bool:
        """Passes on what a worker says; returns whether it concerned anybody who runs."""
        worker.heard_at = now = time.monotonic()
        told = [*(token.id for token in report.tokens), *report.advanced, *(number for number, _ in report.ended)]
        is_heard = any(number in worker.sequences for number in told)
        leavers = self._accept(worker, report.tokens, now) + self._go_on(worker, report.advanced, now)
        for number, why in report.ended:
            ended = worker.sequences.pop(number, None)
            if ended is not None:
                ended.end(EngineFailed(why))
        if leavers:
            self._send(worker, Order(leavers=tuple(leavers), num_threads=worker.num_threads))
        return is_heard

    def _accept(self, worker: Worker, tokens: Seq[Token], now: float) -> list[int]:
        """Returns who has ended by a stop string, a deadline or its client: the worker does not know."""
        leavers = []
        for token in tokens:
            sequence = worker.sequences.get(token.id)
            if sequence is None:  # it has left in the meantime
                continue
            sequence.accept(token.token_id, is_eos=token.is_eos, now=now, likelihood=token.likelihood)
            if token.is_last or sequence.is_ended:
                del worker.sequences[token.id]
            if sequence.is_ended and not token.is_last:
                leavers.append(token.id)
        return leavers

    def _go_on(self, worker: Worker, numbers: Seq[int], now: float) -> list[int]:
        """For those whose search has no token yet; returns who has ended, as `_accept`."""
        leavers = []
        for number in numbers:
            sequence = worker.sequences.get(number)
            if sequence is not None and not sequence.go_on(now):
                del worker.sequences[number]
                leavers.append(number)
        return leavers

    def _is_dead(self, worker: Worker) -> bool:
        """Of an idle one; what it still has to say concerns nobody any more."""
        try:
            while worker.connection.poll():
                worker.connection.recv()
        except (EOFError, OSError):
            return True
        return False

    def _stalled(self) -> list[Worker]:
        late = time.monotonic() - self._stall_s
        stalled = [worker for worker in self.workers if worker.sequences and worker.heard_at < late]
        for worker in stalled:
            log.error("worker %d has said nothing for %g s", worker.pid, self._stall_s)
        return stalled

    def _replace(self, dead: list[Worker]) -> None:
        for worker in dead:
            log.error("worker %d is gone with %d sequences", worker.pid, len(worker.sequences))
            with contextlib.suppress(ProcessLookupError):  # hung, not dead; nobody else takes its number before
                os.kill(worker.pid, signal.SIGKILL)
            worker.connection.close()
            self.workers.remove(worker)
            try:
                self.workers.append(Worker(*self._hire()))
                self.num_replaced += 1
            except NurseryGone as error:
                log.error("no other worker takes its place: %s", error)
