"""Runs one container's command and takes it along when the local cloud is gone.

Started as a script with the command as arguments. Its standard input is a pipe that the local cloud
holds open: when that ends, however it ends, so does the command. Standard library only, for a quick start.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

GRACE_S = 10.0


def die_with_parent() -> None:
    """Linux: the command is killed when this warden is. Elsewhere only the pipe helps."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)


def main(command: list[str]) -> int:
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, start_new_session=True)
    except OSError as error:
        sys.stderr.write(f"exec {command[0]}: {error.strerror}\n")
        return 127

    def signal_group(number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)

    def forward(number: int, _: FrameType | None) -> None:
        signal_group(number)

    def follow_the_pipe() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        signal_group(signal.SIGTERM)
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            signal_group(signal.SIGKILL)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)
    threading.Thread(target=follow_the_pipe, daemon=True).start()
    code = child.wait()
    signal_group(signal.SIGKILL)  # whatever the command left behind in its group
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
