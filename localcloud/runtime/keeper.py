"""The first process of a container: starts its command, and ends the whole group when the local cloud is gone.

Run as a script, with no package and no site, so that it costs a few milliseconds and megabytes. Its
standard input is a pipe that the local cloud holds open: the kernel closes it however the local cloud
ends, SIGKILL included, on every system. Exits as the command did; 127 when it cannot be started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)  # we lead the group: this ends us too


def main() -> None:
    stop_asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop_asked.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches us by way of the local cloud
    command = sys.argv[1:]
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, restore_signals=True)
    except OSError as error:
        sys.stderr.write(f"exec: {command[0]}: {error.strerror}\n")
        sys.exit(127)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    if stop_asked.is_set():
        child.terminate()
    threading.Thread(target=end_with_parent, daemon=True).start()
    code = child.wait()
    os._exit(128 - code if code < 0 else code)  # 128 + signal, as a shell says it; the thread still reads


if __name__ == "__main__":
    main()
