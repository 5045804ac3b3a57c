"""Keeps one server busy with everything that clients do, and checks that memory and file descriptors stay level.

    python -m scripts.soak                    ten minutes against a server of its own, over the embedded model
    python -m scripts.soak --seconds 3600     an hour
    python -m scripts.soak --url http://127.0.0.1:7080    against a server that runs already

Whole answers, streams, clients that leave, bad bodies and refusals, on loopback alone. Exit status 1 when a request
was lost, the sums in /metrics do not agree, or memory or descriptors grew: both are compared after a first third, in
which caches and allocators fill.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from scripts.bench_serving.client import post

ROOT = Path(__file__).resolve().parent.parent
NUM_CLIENTS = 12
SAMPLES = 60
MAX_GROWTH_MB = 24.0
MAX_GROWTH_FDS = 4
START_S = 120
REQUEST_S = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TEXT = "summarize: Anna: Are you coming at six? Ben: Yes, I bring bread. Anna: Great, see you at home."


@dataclass(slots=True)
class Soak:
    """What was sent and seen."""

    url: str
    ended: Counter[str] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)
    num_fds: list[int] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for seed in range(NUM_CLIENTS):
                group.create_task(self._client(random.Random(seed), end))  # noqa: S311
            group.create_task(self._watch(end, seconds / SAMPLES))

    async def _client(self, chance: random.Random, end: float) -> None:
        while time.monotonic() < end:
            kind = chance.choice(("whole", "whole", "stream", "leave", "bad", "late"))
            try:
                self.ended[await asyncio.wait_for(self._one(kind, chance), REQUEST_S)] += 1
            except (OSError, EOFError, TimeoutError) as error:
                self.ended[f"LOST: {kind}: {type(error).__name__}"] += 1

    async def _one(self, kind: str, chance: random.Random) -> str:
        parameters = {"max_new_tokens": chance.randrange(1, 48), "temperature": 1.0}
        body: dict[str, object] = {"instances": [TEXT], "parameters": parameters}
        headers = {"x-request-timeout-s": "0.05"} if kind == "late" else {}
        if kind == "bad":
            return f"bad {(await post(self.url + '/predict', {'instances': 3})).status}"
        if kind == "stream" or chance.random() < 0.3:
            body["stream"] = True
        if kind == "leave":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(post(self.url + "/predict", body), chance.random() * 0.2)
            return "left"
        return f"{kind} {(await post(self.url + '/predict', body, headers=headers)).status}"

    async def _watch(self, end: float, every_s: float) -> None:
        while time.monotonic() < end:
            page = await asyncio.to_thread(read_page, self.url)
            memory = page["process_resident_memory_bytes"] + page["serving_workers_memory_bytes"]
            self.memory_mb.append(memory / 1e6)
            self.num_fds.append(int(page["process_open_fds"]))
            await asyncio.sleep(every_s)


def verdict(soak: Soak, page: dict[str, float]) -> list[str]:
    """What is wrong, in sentences; empty when all is well."""
    problems = [f"{count} x {name}" for name, count in soak.ended.items() if name.startswith("LOST")]
    failed = sum(value for name, value in page.items() if name.startswith("serving_requests_failed_total"))
    ended = page["serving_requests_succeeded_total"] + failed
    if page["serving_requests_received_total"] != ended or page["serving_requests_running"]:
        problems.append(f"{page['serving_requests_received_total']:.0f} requests received, {ended:.0f} ended")
    if (grown := growth(soak.memory_mb)) > MAX_GROWTH_MB:
        problems.append(f"memory grew by {grown:.1f} MB; at most {MAX_GROWTH_MB:g} are allowed")
    if (more := growth(soak.num_fds)) > MAX_GROWTH_FDS:
        problems.append(f"open files grew by {more:.0f}; at most {MAX_GROWTH_FDS} are allowed")
    return problems


def growth(values: list[float] | list[int]) -> float:
    """Median of the last third less that of the second."""
    third = len(values) // 3
    return statistics.median(values[-third:]) - statistics.median(values[third:-third]) if third else 0.0


def read_page(url: str) -> dict[str, float]:
    lines = httpx.get(url + "/metrics", timeout=30).text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


@contextlib.contextmanager
def own_server(model: Path) -> Iterator[str]:
    """A server over `model` for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "MODEL_DIR": str(model),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "MAX_WAITING": "32",
        "LOG_LEVEL": "error",
        "SHUTDOWN_GRACE_S": "5",
    }
    with subprocess.Popen([sys.executable, "-m", "serving"], cwd=ROOT, env=os.environ | settings) as server:
        try:
            yield wait_healthy(f"http://127.0.0.1:{port}", server)
        finally:
            server.send_signal(signal.SIGTERM)
            if status := server.wait(30):
                raise SystemExit(f"the server ended with status {status}")


def wait_healthy(url: str, server: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url + "/health", timeout=5).status_code == 200:
                return url
        time.sleep(0.1)
    raise SystemExit(f"the server was not ready within {START_S} s")


def drained(url: str) -> dict[str, float]:
    """The page once nothing runs: who left early may be a step behind."""
    for _ in range(100):
        page = read_page(url)
        if not page["serving_requests_running"]:
            break
        time.sleep(0.05)
    return page


def main() -> int:
    options = _parse()
    with contextlib.ExitStack() as stack:
        url = options.url or stack.enter_context(own_server(options.model))
        soak = Soak(url)
        before = Counter(read_page(url))
        asyncio.run(soak.run(options.seconds))
        page = drained(url)
    problems = verdict(soak, page)
    for name, count in sorted(soak.ended.items()):
        print(f"{count:7} {name}")
    tokens = page["serving_generated_tokens_total"] - before["serving_generated_tokens_total"]
    print(f"{options.seconds:g} s, {sum(soak.ended.values())} requests, {tokens:.0f} tokens")
    print(f"memory {soak.memory_mb[0]:.0f} -> {soak.memory_mb[-1]:.0f} MB, growth {growth(soak.memory_mb):+.1f} MB")
    print(f"open files {soak.num_fds[0]} -> {soak.num_fds[-1]}, growth {growth(soak.num_fds):+.0f}")
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--url", default="", help="a server that runs already, on this machine")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "dialogue-t5-mini")
    options = parser.parse_args()
    if options.url and urlsplit(options.url).hostname not in LOOPBACK:
        parser.error(f"--url must be on this machine ({', '.join(LOOPBACK)}), got {options.url!r}")
    return options


if __name__ == "__main__":
    sys.exit(main())
