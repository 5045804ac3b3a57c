"""A folder's tokenizer, read by a process that ends: transformers and PyTorch, which that takes, would stay in a
server's memory for good, a fifth of a gigabyte, and the server needs neither.

`python -m serving.workers.tokenizer_process FOLDER PARENT` writes it as JSON and ends with status 0, or writes why it
does not load and ends with status 2. Knows the `tokenizers` library; knows no model.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.tokenizer import FolderTokenizer, load_tokenizer
from serving.workers.child import die_with, environment

REFUSED = 2


def load_apart(folder: Path) -> FolderTokenizer:
    """As `load_tokenizer`; raises `CheckpointError`. The process ends with the thread that calls this."""
    done = subprocess.run(
        [sys.executable, "-m", "serving.workers.tokenizer_process", str(folder.resolve()), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    if done.returncode == REFUSED:
        raise CheckpointError(done.stdout.decode())
    if done.returncode:
        raise CheckpointError(f"the process that reads the tokenizer in {folder} ended with status {done.returncode}")
    return FolderTokenizer.from_state(json.loads(done.stdout))


def main(folder: Path, parent: int) -> int:
    # the server ends us by its own end: a signal for the whole group must not look like a tokenizer that fails
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if not die_with(parent):
        return 1
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is not our answer
    try:
        told, status = json.dumps(load_tokenizer(folder).state()), 0
    except CheckpointError as error:
        told, status = str(error), REFUSED
    with os.fdopen(out, "wb") as stream:
        stream.write(told.encode())
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
