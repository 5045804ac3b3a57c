"""`make bench-up`: how long a newcomer waits, as a Markdown table for docs/benchmarks.md.

Clones the checked-out commit into an empty folder and takes the newcomer's way there: install, up
twice, synth, deploy with nothing to do, destroy. Needs the local cloud's ports, so nothing else of the kind may be up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.machine import ROOT, terraform_environment


@dataclass
class Row:
    """One command, run `times` times. seconds: wall time of each run."""

    title: str
    command: list[str]
    times: int = 1
    seconds: list[float] = field(default_factory=list)

    def run(self, folder: Path, environment: dict[str, str]) -> None:
        for _ in range(self.times):
            started = time.monotonic()
            process = subprocess.Popen(
                self.command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            output, _ = process.communicate()
            self.seconds.append(time.monotonic() - started)
            if process.returncode:
                raise SystemExit(f"{' '.join(self.command)} ended with {process.returncode}:\n{output[-3000:]}")
            print(f"  {self.title}: {self.seconds[-1]:.1f} s", flush=True)

    def cells(self) -> str:
        spread = f"{min(self.seconds):.1f} – {max(self.seconds):.1f}" if self.times > 1 else ""
        return f"| `{' '.join(self.command)}` | {self.title} | {statistics.median(self.seconds):.1f} | {spread} |"


def rows(runs: int) -> list[Row]:
    return [
        Row("on a fresh clone", ["make", "install"]),
        Row("nothing to do", ["make", "install"]),
        Row("every stack", ["cdktf", "synth"], times=runs),
        Row("first, after install", ["make", "up"]),
        Row("second, on the running system", ["make", "up"]),
        Row("nothing to do", ["cdktf", "deploy", "*", "--auto-approve"]),
        Row("everything", ["cdktf", "destroy", "*", "--auto-approve"]),
        Row("every stack again", ["cdktf", "deploy", "*", "--auto-approve"]),
        Row("destroy, stop, prove", ["make", "down"]),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-up", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of cdktf synth")
    parser.add_argument("--json", type=Path, help="also write the raw seconds here")
    arguments = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory(prefix="flanstack-bench-") as folder:
        clone = Path(folder) / "flanstack"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = terraform_environment()
        bins = os.pathsep.join([str(clone / ".venv" / "bin"), str(clone / "node_modules" / ".bin")])
        environment["PATH"] = bins + os.pathsep + environment["PATH"]
        table = rows(arguments.runs)
        try:
            for row in table:
                row.run(clone, environment)
        finally:
            subprocess.run(["make", "down"], cwd=clone, env=environment, stdout=subprocess.DEVNULL, check=False)
    machine = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
    print(f"\nCommit {commit.strip()}, {machine}\n")
    print("| command | what | seconds (median) | min – max |\n|---|---|---|---|")
    print("\n".join(row.cells() for row in table))
    if arguments.json:
        arguments.json.write_text(json.dumps({f"{r.command} {r.title}": r.seconds for r in table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
