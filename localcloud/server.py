"""One process, two loopback listeners, one application; ends in order on SIGTERM, SIGINT or request.

Knows sockets, signals and uvicorn; knows nothing of any API.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from localcloud.config import LOOPBACK, ServeConfig
from localcloud.control_client import status_of


class CannotServe(Exception):
    """Said to the user as it is."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which ends the process by the signal and not with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(config: ServeConfig, *, announce: Callable[[], None]) -> None:
    """Returns when it was asked to stop and every container is gone. Raises CannotServe.

    announce: called once the ports and the data folder are ours.
    """
    with _only_one(config.data_dir), contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(_listen(port)) for port in (config.port, config.dedicated_port)]
        announce()
        asyncio.run(_serve(config, sockets))


async def _serve(config: ServeConfig, sockets: list[socket.socket]) -> None:
    from localcloud import app  # the whole of every service: a refusal for a taken port need not wait for it

    cloud = app.build(config)

    def stop() -> None:
        cloud.operations.stopping.set()  # lets those go who wait for an operation
        server.should_exit = True

    server = _Server(
        uvicorn.Config(
            app.create(cloud, stop=stop),
            http="h11",  # `gate` aborts connections through this implementation's transport
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=75,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=sockets)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"Port {port} on {LOOPBACK} cannot be used ({error.strerror}): {_holder(port)}. "
            "Stop that, or choose another with --port."
        ) from error
    return listener


def _holder(port: int) -> str:
    status = status_of(port, timeout_s=1)
    if status is not None:
        return f"the local cloud with pid {status['pid']} serves {status['data_dir']} there"
    pid = _listening_pid(port)
    if pid is None:
        return "another program listens there"
    command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return f"process {pid} listens there ({command[:120]})"


def _listening_pid(port: int) -> int | None:
    """Linux only, and only for processes that we may look into."""
    wanted = f":{port:04X}"
    with contextlib.suppress(OSError):
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(wanted) and row[3] == "0A"}
        for process in Path("/proc").glob("[0-9]*/fd"):
            with contextlib.suppress(OSError):
                if any(str(fd.readlink()) in inodes for fd in process.iterdir()):
                    return int(process.parent.name)
    return None


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Holds the data folder: two local clouds in one would start everything twice."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise CannotServe(
                f"The local cloud with pid {lock.read().strip() or 'unknown'} already serves {data_dir}. "
                "Stop it with `python -m localcloud stop`, or choose another folder with --data."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
