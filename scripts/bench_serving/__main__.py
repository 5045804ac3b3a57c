"""Serving over HTTP, side by side on this machine: the project, CTranslate2, LitServe, and the first demo's server.

    python -m scripts.bench_serving            about 24 minutes; wants a quiet machine
    python -m scripts.bench_serving --quick    about 3 minutes, small loads; figures to look at, not to keep
    python -m scripts.bench_serving --resume --stop-after 4    the next four minutes' worth, where the last run ended

Writes serving.json (every number), serving.md (medians, ratios) and serving.svg into --out. Needs the package index
once, for the peers' own virtual environment. All traffic stays on loopback, every load ends by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.bench_serving import plans, report
from scripts.bench_serving.chart import chart
from scripts.bench_serving.contenders import ROOT, Contender, Kind, kinds
from scripts.bench_serving.environment import make_venv
from scripts.bench_serving.floor import read_bandwidth
from scripts.bench_serving.folders import SHAPES, make_folder, step_bytes
from scripts.bench_serving.loads import Load, Result, run

WEIGHT_BYTES = {"fp32": 4, "int8": 1}


class Bench:
    """Every contender over every shape, loaded once, measured by turns."""

    def __init__(
        self, plan: plans.Plan, chosen: list[Kind], *, python: Path, home: Path, end: float, stop: float = math.inf
    ) -> None:
        """Begins no later round that would end after `end`, and nothing at all after `stop`."""
        self._plan = plan
        self._end = end
        self._stop = stop
        self._contenders = {
            shape: [
                Contender(kind, make_folder(home, shape), python=python, log=home / f"{shape} {kind.name}.log")
                for kind in chosen
            ]
            for shape in plan.loads
        }
        self.runs: dict[str, list[dict[str, Any]]] = {shape: [] for shape in plan.loads}
        self.layouts: dict[str, str] = {}

    def measure(self) -> None:
        """What `runs` does not hold yet."""
        try:
            for number, shape in enumerate(self._plan.rounds):
                if not self._is_left(shape, self._plan.rounds[:number].count(shape)):
                    continue
                if number >= len(self._plan.loads) and time.monotonic() > self._end - self._last_round_s(shape):
                    print(f"{shape}: no time is left for another round", flush=True)
                    continue
                self._round(shape, self._plan.rounds[:number].count(shape))
        finally:
            for fleet in self._contenders.values():
                for contender in fleet:
                    contender.stop()

    def _fleet(self, shape: str, number: int) -> list[Contender]:
        return [c for c in self._contenders[shape] if number == 0 or not c.kind.is_slow]

    def _is_measured(self, shape: str, number: int, load: Load, contender: Contender) -> bool:
        wanted = (contender.kind.name, load.name, number)
        return any((run["contender"], run["load"], run["round"]) == wanted for run in self.runs[shape])

    def _is_left(self, shape: str, number: int) -> bool:
        fleet = self._fleet(shape, number)
        loads = self._plan.loads[shape]
        return any(not self._is_measured(shape, number, load, contender) for load in loads for contender in fleet)

    def _load(self, shape: str) -> None:
        """Starts the contenders of a shape that do not run yet; they stay loaded, and paused between their turns."""
        for contender in self._contenders[shape]:
            if contender.is_running:
                continue
            seconds = contender.start()
            run(Load("warm-up", (4, 4), 1, 60), contender.url, can_stream=False)
            self.layouts[contender.kind.name] = contender.layout()
            contender.pause()
            print(f"{shape}: {contender.kind.name} loaded in {seconds:.0f} s", flush=True)

    def _round(self, shape: str, number: int) -> None:
        self._load(shape)
        for load in self._plan.loads[shape]:
            for contender in self._fleet(shape, number):
                if self._is_measured(shape, number, load, contender):
                    continue
                if time.monotonic() > self._stop:
                    return
                rate = self._rate(shape, contender.kind) if load.name == plans.POISSON else None
                if load.name == plans.POISSON and not rate:
                    continue
                self._record(shape, number, contender, self._timed(load, rate, contender.kind), rate)

    def _record(self, shape: str, number: int, contender: Contender, load: Load, rate: float | None) -> None:
        contender.resume()
        result = run(load, contender.url, can_stream=contender.kind.can_stream, rate_per_s=rate)
        peak_mb = contender.peak_mb()
        if result.is_cut:  # it still works for clients that have left
            contender.stop()
            contender.start()
        contender.pause()
        entry = {"contender": contender.kind.name, "round": number, "peak_mb": round(peak_mb), "at": time.time()}
        self.runs[shape].append(entry | result.summary())
        print(_line(shape, number, contender.kind.name, result), flush=True)

    def _timed(self, load: Load, rate: float | None, kind: Kind) -> Load:
        if kind.is_slow:  # its speed shows long before its last answer
            load = replace(load, limit_s=load.limit_s * plans.SLOW_SHARE)
        if rate is None:
            return load
        return replace(load, lengths=load.lengths[: max(8, round(rate * self._plan.poisson_s))])

    def _rate(self, shape: str, kind: Kind) -> float | None:
        """70 % of what CTranslate2 of the same precision can take, for the fast ones; of their own, for the others."""
        peer = kind.name if kind.is_slow else f"CTranslate2 {kind.precision}"
        runs = report.of(self.runs[shape], peer, plans.CLIENTS) or report.of(self.runs[shape], kind.name, plans.CLIENTS)
        speed = report.median(runs, "tokens_per_s")
        length = next(load.lengths[0] for load in self._plan.loads[shape] if load.name == plans.POISSON)
        return round(plans.CAPACITY_SHARE * speed / length, 3) if speed else None

    def _last_round_s(self, shape: str) -> float:
        """How long the fast contenders' part of this shape's last round took."""
        slow = {c.kind.name for c in self._contenders[shape] if c.kind.is_slow}
        numbers = [entry["round"] for entry in self.runs[shape]]
        last = [e for e in self.runs[shape] if e["round"] == max(numbers) and e["contender"] not in slow]
        return sum(float(entry["seconds"]) for entry in last) + len(last)


def main() -> int:
    options = _parse()
    # an ended benchmark must not leave stopped servers behind
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    started, load_average = time.monotonic(), os.getloadavg()[0]
    before = _earlier(options.out / "serving.json") if options.resume else {}
    cores = len(os.sched_getaffinity(0))
    chosen = [kind for kind in kinds(cores) if not options.only or any(part in kind.name for part in options.only)]
    with contextlib.ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-serving-")))
        python = make_venv(ROOT / ".flanstack" / "bench-venv")
        bandwidth = read_bandwidth(cores)
        end, stop = started + options.minutes * 60, started + options.stop_after * 60
        bench = Bench(_plan(options), chosen, python=python, home=home, end=end, stop=stop)
        for shape, part in before.get("shapes", {}).items():
            bench.runs[shape] = part["runs"]
        bench.measure()
    machine = {
        "cpu": _cpu_name(),
        "cores": cores,
        "python": platform.python_version(),
        "load_average": load_average,
        "read_bandwidth_gb_per_s": bandwidth / 1e9,
    }
    numbers = {
        "command": " ".join(["python -m scripts.bench_serving", *sys.argv[1:]]),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "minutes": before.get("minutes", 0) + (time.monotonic() - started) / 60,
        "layouts": before.get("layouts", {}) | bench.layouts,
        "machine": machine,
        "shapes": {shape: _shape(shape, runs, bandwidth) for shape, runs in bench.runs.items() if runs},
    }
    _write(options.out, numbers)
    return 0


def _earlier(path: Path) -> dict[str, Any]:
    """The numbers of the run to go on with; none where there are none of this commit."""
    if not path.is_file():
        return {}
    numbers: dict[str, Any] = json.loads(path.read_text())
    if numbers["commit"] == _commit():
        return numbers
    print(f"{path} is of commit {numbers['commit']}; beginning anew", flush=True)
    return {}


def _plan(options: argparse.Namespace) -> plans.Plan:
    if options.quick:
        return plans.quick(options.shape or "small")
    plan = plans.full()
    if options.shape:
        plan = replace(plan, loads={options.shape: plan.loads[options.shape]}, rounds=(options.shape,) * 3)
    return plan


def _shape(shape: str, runs: list[dict[str, Any]], bandwidth: float) -> dict[str, Any]:
    floors = {name: step_bytes(shape, weight_bytes=size) / bandwidth * 1000 for name, size in WEIGHT_BYTES.items()}
    return {"rounds": len({entry["round"] for entry in runs}), "floor_ms": floors, "runs": runs}


def _write(out: Path, numbers: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "serving.json").write_text(json.dumps(numbers, indent=1) + "\n")
    (out / "serving.svg").write_text(chart(numbers))
    page = report.markdown(numbers)
    (out / "serving.md").write_text(page)
    print(page)


def _line(shape: str, number: int, name: str, result: Result) -> str:
    cut = f", cut: {result.num_requests} of {result.num_sent} answered" if result.is_cut else ""
    return f"{shape} {number}: {name}: {result.load}: {result.tokens_per_s:.0f} tokens/s in {result.seconds:.1f} s{cut}"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _cpu_name() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), platform.processor())


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of small loads, to see that everything works")
    parser.add_argument("--shape", choices=SHAPES, help="this shape alone")
    parser.add_argument("--only", action="append", help="contenders whose name holds this text; may be given again")
    parser.add_argument(
        "--minutes", type=float, default=24.5, help="begin no round that would end later (default 24.5)"
    )
    parser.add_argument("--resume", action="store_true", help="go on where the last run into --out has ended")
    parser.add_argument(
        "--stop-after", type=float, default=math.inf, help="minutes after which nothing more is begun; see --resume"
    )
    parser.add_argument(
        "--home", type=Path, help="folder for the model folders and logs; kept. Default: a new temporary one"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks", help="where the results go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
