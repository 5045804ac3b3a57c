"""The process that holds the weights and forks workers: they share its memory, and a dead one is replaced at once.

`python -m serving.workers.nursery FD` is started by the server; FD is a socket on which it reads a pickled `Settings`,
tells its progress, and then forks a worker for every socket that it is handed. It takes one step at a time and starts
no threads: a fork copies the calling thread alone, and OpenMP's pool must not exist before it.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from multiprocessing.connection import Connection

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.folder import LoadedModel, load_model
from serving.telemetry.logs import configure
from serving.workers import layouts
from serving.workers.child import die_with
from serving.workers.messages import Failed, Hired, Loaded, Measure, Phase, Settings

log = logging.getLogger(__name__)


def main(fd: int) -> int:
    # whoever stops the server stops us, by hanging up: a signal for the whole group must not cut what is being answered
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    server = Connection(os.dup(fd))
    try:
        settings: Settings = server.recv()
        configure(settings.log_level, settings.log_format)
        loaded = _load(settings, server)
        if loaded is None or loaded.plan is None:
            return 1
        server.send(Loaded(loaded.plan, loaded.dtype))
        _: Measure = server.recv()
        layout = layouts.choose(
            settings.layouts, lambda rows, threads: _step_for(loaded, rows, threads), num_rows=_rows(loaded)
        )
        server.send(layout)
        # what workers inherit is never garbage; and the collector's marks would make copies of pages that they share
        gc.collect()
        gc.freeze()
        slots_each = loaded.plan.slots_each(layout.num_workers)
        with socket.socket(fileno=fd) as listening:
            _raise_workers(listening, server, loaded, slots_each)
    except (EOFError, OSError):
        log.debug("the server has hung up")
    return 0


def _load(settings: Settings, server: Connection) -> LoadedModel | None:
    import torch

    torch.set_num_threads(1)  # no pool of threads before a fork
    try:
        return load_model(settings.folder, settings.wanted, progress=_Told(server))
    except CheckpointError as error:
        server.send(Failed(str(error)))
        return None


class _Told:
    """Progress of loading, told to the server."""

    def __init__(self, server: Connection) -> None:
        self._server = server

    def enter(self, phase: str, *, total_bytes: int | None = None) -> None:
        self._server.send(Phase(phase, total_bytes))

    def advance(self, num_bytes: int) -> None:
        self._server.send(Phase(advanced=num_bytes))


def _rows(loaded: LoadedModel) -> int:
    return loaded.plan.num_slots if loaded.plan else 1


def _step_for(loaded: LoadedModel, num_rows: int, num_threads: int) -> layouts.Step:
    from serving.engine.continuous.t5_engine import T5Engine

    return T5Engine.for_model(loaded, num_slots=num_rows, num_threads=num_threads).probe(num_rows)


def _raise_workers(listening: socket.socket, server: Connection, loaded: LoadedModel, num_slots: int) -> None:
    """Forks a worker for each socket that comes; returns when the server has hung up, with all workers ended."""
    workers: set[int] = set()
    try:
        while True:
            told, fds, _, _ = socket.recv_fds(listening, 1, 1)
            if not told:
                return
            nursery = os.getpid()
            pid = os.fork()
            if pid == 0:
                listening.close()
                server.close()
                _be_worker(loaded, fds[0], num_slots, nursery=nursery)
            os.close(fds[0])
            server.send(Hired(pid))
            workers = {worker for worker in workers if not _has_ended(worker)} | {pid}
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(worker, signal.SIGKILL)
                os.waitpid(worker, 0)


def _be_worker(loaded: LoadedModel, fd: int, num_slots: int, *, nursery: int) -> None:
    from serving.engine.continuous.t5_engine import T5Engine
    from serving.workers.worker import work

    status = 1
    try:
        if not die_with(nursery):
            return
        work(T5Engine.for_model(loaded, num_slots=num_slots, num_threads=1), Connection(fd))
        status = 0
    except Exception:
        log.exception("a worker has failed")
    finally:
        logging.shutdown()
        os._exit(status)


def _has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
