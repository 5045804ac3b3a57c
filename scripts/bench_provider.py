"""`make bench-provider`: what starting the provider costs, as a Markdown table for docs/benchmarks.md.

Times Terraform's commands that start the provider and touch no resource, and the provider's start alone; measures the
provider's peak memory in runs of their own, for the launcher of a clone and, with --archive, for a packaged one. With
--stacks, times a plan of each stack of a running system, which must have nothing to do.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import stat
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provider.plugin import RELEASE
from scripts.machine import ROOT, terraform_environment
from tfplugin.install import install, platform_name
from tfplugin.runner import MAGIC_COOKIE

EXAMPLE = ROOT / "docs" / "provider" / "examples" / "resources" / "vertex_endpoint_deployed_model" / "main.tf"
# Stands before the real launcher, and writes down the peak memory of what it started, in kB.
METER = """#!{python} -IS
import os
process = os.posix_spawn({launcher!r}, [{launcher!r}], os.environ)
_, status, usage = os.wait4(process, 0)
with open({peaks!r}, "a") as out:
    out.write(f"{{usage.ru_maxrss}}\\n")
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Stack:
    """A folder in which `terraform init` found one launcher."""

    folder: Path
    environment: dict[str, str]

    def terraform(self, *arguments: str) -> None:
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"terraform {' '.join(arguments)} in {self.folder} ended with {done.returncode}:\n"
                f"{(done.stdout + done.stderr)[-2000:]}"
            )


def stack(folder: Path, launcher: Path, environment: dict[str, str]) -> Stack:
    """An example of the documentation, and the launcher's folder where Terraform looks for it."""
    place = folder / "terraform.d" / "plugins" / RELEASE.source / RELEASE.version / platform_name()
    place.parent.mkdir(parents=True)
    place.symlink_to(launcher.parent)
    shutil.copy(EXAMPLE, folder)
    made = Stack(folder, environment)
    made.terraform("init", "-input=false")
    return made


def metered(folder: Path, launcher: Path) -> tuple[Path, Path]:
    """A launcher that writes down the peak memory of the real one, and the file it writes to."""
    folder.mkdir()
    # Not in one folder: Terraform verifies the checksum of the launcher's.
    peaks, meter = folder.with_suffix(".peaks"), folder / launcher.name
    meter.write_text(METER.format(python=sys.executable, launcher=str(launcher), peaks=str(peaks)))
    meter.chmod(0o755)
    return meter, peaks


def handshake(launcher: Path, environment: dict[str, str]) -> Callable[[], None]:
    """Starts the provider as Terraform does, up to the line that says where it listens."""

    def start() -> None:
        started = {**environment, MAGIC_COOKIE[0]: MAGIC_COOKIE[1]}
        with subprocess.Popen([launcher], env=started, stdout=subprocess.PIPE) as process:
            line = process.stdout.readline() if process.stdout else b""
            process.terminate()
        if not line.startswith(b"1|6|"):
            raise SystemExit(f"{launcher} said {line!r}")

    return start


@dataclass(frozen=True)
class Taken:
    """Seconds of several runs: on the clock, and of processors, which others' work hardly changes."""

    wall: list[float]
    cpu: list[float]


def seconds(work: Callable[[], None], runs: int) -> Taken:
    work()  # once for the caches: bytecode, the files of the libraries
    taken = Taken([], [])
    for _ in range(runs):
        started, used = time.monotonic(), _used()
        work()
        taken.wall.append(time.monotonic() - started)
        taken.cpu.append(_used() - used)
    return taken


def _used() -> float:
    """Seconds of processor that everything started and waited for so far has had."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rows(title: str, launcher: Path, folder: Path, environment: dict[str, str], runs: int) -> list[str]:
    """The table's rows for one way of installing the provider."""
    plain = stack(folder / "plain", launcher, environment)
    meter, peaks = metered(folder / "meter", launcher)
    weighed = stack(folder / "weighed", meter, environment)
    found = []
    for arguments in (["providers", "schema", "-json"], ["validate"]):
        taken = seconds(lambda arguments=arguments: plain.terraform(*arguments), runs)  # type: ignore[misc]
        peaks.unlink(missing_ok=True)
        weighed.terraform(*arguments)
        memory = [int(line) / 1024 for line in peaks.read_text().split()]
        found.append(row(f"terraform {' '.join(arguments)}", title, taken, f"{max(memory):.0f}, {len(memory)} started"))
    taken = seconds(handshake(launcher, environment), runs)
    return [*found, row("start to handshake and end", title, taken, "")]


def plan_rows(stacks: Path, environment: dict[str, str], runs: int) -> list[str]:
    """A plan of each stack, alone; one with something to do ends the measurement."""
    found = []
    for folder in sorted(path.parent for path in stacks.glob("*/cdk.tf.json")):
        plan = Stack(folder, environment)
        taken = seconds(lambda plan=plan: plan.terraform("plan", "-input=false", "-detailed-exitcode"), runs)  # type: ignore[misc]
        found.append(row("terraform plan", f"stack {folder.name}", taken, ""))
    if not found:
        raise SystemExit(f"{stacks} has no stack. Run `make up` first, and give the folder cdktf.out/stacks.")
    return found


def row(what: str, title: str, taken: Taken, memory: str) -> str:
    wall, cpu = statistics.median(taken.wall), statistics.median(taken.cpu)
    spread = f"{min(taken.wall):.2f} – {max(taken.wall):.2f}"
    return f"| `{what}` | {title} | {wall:.2f} | {spread} | {cpu:.2f} | {memory} |"


def unpacked(archive: Path, folder: Path) -> Path:
    """The launcher of an archive, unpacked as Terraform does."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            Path(content.extract(entry, folder)).chmod(entry.external_attr >> 16 & stat.S_IRWXU)
    return folder / f"terraform-provider-{RELEASE.type}_v{RELEASE.version}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-provider", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--archive", type=Path, help="a zip that `python -m provider package` wrote, to be timed too")
    parser.add_argument("--stacks", type=Path, help="cdktf.out/stacks of a system that is up: a plan of each is timed")
    arguments = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    table = []
    with tempfile.TemporaryDirectory(prefix="flanstack-bench-") as name:
        folder = Path(name)
        environment = {key: one for key, one in terraform_environment().items() if key != "TF_PLUGIN_CACHE_DIR"}
        # As on a user's machine: bytecode is kept after the first run; but not in this clone.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        (folder / "clone").mkdir()
        launcher = install(RELEASE, folder / "mirror", root=ROOT)
        table += rows("clone", launcher, folder / "clone", environment, arguments.runs)
        if arguments.archive:
            (folder / "archived").mkdir()
            launcher = unpacked(arguments.archive, folder / "archive")
            table += rows("archive", launcher, folder / "archived", environment, arguments.runs)
        if arguments.stacks:
            table += plan_rows(arguments.stacks, terraform_environment(), arguments.runs)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    machine = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}, load {load}"
    print(f"`python -m scripts.bench_provider`, medians of {arguments.runs}, commit {commit.strip()}, {machine}\n")
    print("| command | installed as | seconds | min – max | CPU seconds | peak MB of the provider |")
    print("|---|---|---|---|---|---|")
    print("\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
