"""One run of the cdktf command line: its output followed stack by stack, and stopped without losses.

cdktf answers Ctrl-C by ending at once and leaving terraform to a closed terminal. Here terraform
itself gets the interrupt, so that it keeps what it knows, and cdktf ends when terraform has.
Knows nothing of what the stacks declare.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.machine import ROOT, terraform_environment

STACKS = ("registry", "model", "training", "endpoint", "ui")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_LABEL = re.compile(rf"^({'|'.join(STACKS)})  (.*)$")
_COMPLETE = re.compile(r"(?:Apply|Destroy) complete! Resources: (.+)\.")
_STEP = re.compile(r"^\s*(\S+\.\S+): (Creating|Modifying|Destroying|Still \w+|Creation|Modifications|Destruction)")
_BEGINS = re.compile(r"Terraform used the selected providers|Refreshing state|Terraform will perform|No changes\.")
# What Terraform says when a stack that another one refers to was destroyed before it.
_REFERRED_TO_IS_GONE = re.compile(r"Unable to find remote state|Unsupported attribute|does not have an attribute named")
_SPINNER = re.compile(r"^\s*[⠀-⣿]|Stacks? deploying|Stacks? destroying|Stacks? waiting")


class CdktfFailed(Exception):
    """cdktf ended with an error; the message holds what terraform said."""


@dataclass
class StackResult:
    """What became of one stack. changes: terraform's own words (`3 added, 0 changed, 0 destroyed`)."""

    started: float
    ended: float | None = None
    changes: str = ""

    @property
    def seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.started


@dataclass
class CdktfRun:
    """`cdktf VERB STACKS` in a process group of its own.

    stacks: all of them by default. on_step: called with the stack and a short text at each step terraform prints.
    """

    verb: str
    log: Path
    on_step: Callable[[str, str], None]
    extra_environment: dict[str, str] = field(default_factory=dict)
    stacks: tuple[str, ...] = ("*",)
    results: dict[str, StackResult] = field(default_factory=dict)
    _stack: str = ""
    _lines: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Runs to the end. CdktfFailed when it fails; KeyboardInterrupt once terraform has stopped in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = ["cdktf", self.verb, *self.stacks, "--auto-approve"]
        if self.stacks != ("*",):
            command.append("--ignore-missing-stack-dependencies")  # a stack is destroyed while those after it stay
        environment = {**terraform_environment(), **self.extra_environment, "FORCE_COLOR": "0", "NO_COLOR": "1"}
        with (
            self.log.open("w") as log,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process,
        ):
            code, interrupted = self._follow(process, log.write)
        if interrupted:
            raise KeyboardInterrupt
        if code:
            raise CdktfFailed(self.failure())

    def _follow(self, process: subprocess.Popen[str], write: Callable[[str], object]) -> tuple[int, bool]:
        """Reads to the end; returns the exit code, and whether somebody interrupted. A second interrupt kills cdktf."""
        if process.stdout is None:
            raise RuntimeError("the pipe of cdktf's output is missing")
        interrupted = False
        while True:
            try:
                for line in process.stdout:
                    self._see(line, write)
                return process.wait(), interrupted
            except KeyboardInterrupt:
                if interrupted:
                    process.kill()
                interrupted = True
                interrupt_terraform(process)
            except BaseException:  # nobody follows it any more; without this, leaving would wait for its end
                interrupt_terraform(process)
                process.kill()
                raise

    def failure(self) -> str:
        """What terraform said was wrong, from its first `Error:` on; the last lines where it said nothing."""
        for index, line in enumerate(self._lines):
            if "Error:" in line:
                return "\n".join(self._lines[index : index + 40])
        return "\n".join(self._lines[-25:])

    def _see(self, raw: str, write: Callable[[str], object]) -> None:
        line = _ESCAPE.sub("", raw).rstrip()
        if not line or _SPINNER.search(line):
            return
        write(line + "\n")
        self._lines.append(line)
        label = _LABEL.match(line)
        if label:
            self._stack, line = label.group(1), label.group(2)
        if not self._stack:
            return
        result = self.results.setdefault(self._stack, StackResult(started=time.monotonic()))
        if _BEGINS.search(line) and result.ended is None:
            # cdktf initializes every stack first, and applies them one after the other.
            result.started = max(result.started, max((one.ended or 0 for one in self.results.values()), default=0))
        if complete := _COMPLETE.search(line):
            result.ended, result.changes = time.monotonic(), complete.group(1)
        elif "No changes." in line or "No objects need to be destroyed" in line:
            result.ended, result.changes = time.monotonic(), "no changes"
        if step := _STEP.match(line):
            self.on_step(self._stack, f"{step.group(2).lower()} {step.group(1)}")


def destroy(make_run: Callable[[dict[str, str]], CdktfRun]) -> None:
    """Destroys, also when a stack that others refer to is gone already, as after `make destroy STACK=endpoint`.

    Terraform refreshes before it destroys, and then cannot resolve the references; so the second try goes by the state
    alone. make_run: makes a run with variables of its own in its environment.
    """
    try:
        make_run({}).run()
    except CdktfFailed as error:
        if not _REFERRED_TO_IS_GONE.search(str(error)):
            raise
        make_run({"TF_CLI_ARGS_destroy": "-refresh=false", "TF_CLI_ARGS_plan": "-refresh=false"}).run()


def interrupt_terraform(process: subprocess.Popen[str]) -> None:
    """SIGINT to every terraform below cdktf; to cdktf itself when there is none."""
    out = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=False).stdout
    rows = [line.split(None, 2) for line in out.splitlines()]
    below = {process.pid}
    for _ in rows:  # each pass finds one more generation
        grown = below | {int(pid) for pid, parent, _ in rows if int(parent) in below}
        if grown == below:
            break
        below = grown
    terraforms = [int(pid) for pid, _, name in rows if int(pid) in below and Path(name).name == "terraform"]
    for pid in terraforms or [process.pid]:
        try:
            os.kill(pid, signal.SIGINT)
        except ProcessLookupError:
            continue
