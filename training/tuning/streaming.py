"""Checkpoints and TensorBoard's logs, on their way to a bucket while the training goes on; and back from there.

An upload works on links to the files, so that the trainer may delete a checkpoint meanwhile. `trainer_state.json` goes
up last and is deleted first: a checkpoint that has it is whole.
"""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from training.buckets.place import BucketFolder
from training.tuning.checkpoints import OWNER, STATE, state_of, step_of, whole

LOGS_EVERY_S = 20.0


def remote_checkpoints(folder: BucketFolder) -> list[str]:
    """Names of the whole checkpoints in a bucket, oldest first."""
    names = [Path(path).parent.name for path in folder.files() if Path(path).name == STATE]
    return sorted((name for name in names if step_of(Path(name)) >= 0), key=lambda name: step_of(Path(name)))


def restore(remote: BucketFolder, local: Path) -> str | None:
    """Brings the latest whole checkpoint, and the best that it names; returns its name.

    Nothing when this machine already has a later one, or the bucket has none.
    """
    names = remote_checkpoints(remote)
    here = whole(local)
    if not names or (here and step_of(here[-1]) >= step_of(Path(names[-1]))):
        return None
    local.mkdir(parents=True, exist_ok=True)
    if OWNER in remote.files():
        remote.get(OWNER, local / OWNER)
    remote.get_all(local, f"{names[-1]}/")
    state = state_of(local / names[-1]) or {}
    best = Path(state.get("best_model_checkpoint") or "").name
    if best in names[:-1]:
        remote.get_all(local, f"{best}/")
    return names[-1]


class Upload:
    """Uploads one thing after another on a thread of its own. A failure is raised by the next `wait`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._pending: list[Future[None]] = []

    def checkpoint(self, source: Path, folder: BucketFolder, *, keep: set[str]) -> None:
        """keep: names of the checkpoints that the bucket shall have afterwards."""
        self.wait()  # the one before: so at most one checkpoint is on the disk besides those that are kept
        staged = source.parent / f".upload-{source.name}"
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(source, staged, copy_function=_link)
        owner = source.parent / OWNER
        self._pending.append(self._pool.submit(_upload_checkpoint, staged, source.name, owner, folder, keep))

    def file(self, source: Path, path: str, folder: BucketFolder) -> None:
        self._pending.append(self._pool.submit(folder.put, source, path))

    @property
    def is_busy(self) -> bool:
        return any(not one.done() for one in self._pending)

    def wait(self) -> None:
        """Until everything has arrived; raises the first failure."""
        pending, self._pending = self._pending, []
        for one in pending:
            one.result()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self._pool.shutdown()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _upload_checkpoint(staged: Path, name: str, owner: Path, folder: BucketFolder, keep: set[str]) -> None:
    folder.put(owner, OWNER)
    files = sorted(path for path in staged.rglob("*") if path.is_file() and path.name != STATE)
    for path in [*files, staged / STATE]:
        folder.put(path, f"{name}/{path.relative_to(staged)}")
    shutil.rmtree(staged)
    for old in set(remote_checkpoints(folder)) - keep - {name}:
        below = folder.files(f"{old}/")
        for stale in sorted(below, key=lambda name: not name.endswith(STATE)):
            folder.remove(stale)


class StreamToBucket(TrainerCallback):  # type: ignore[misc]
    """Sends each checkpoint, and the logs every 20 seconds, from the first process of the training."""

    def __init__(self, *, checkpoints: BucketFolder | None, logs: BucketFolder | None, log_folder: Path) -> None:
        self._checkpoints, self._logs, self._log_folder = checkpoints, logs, log_folder
        self._upload = Upload()
        self._sent_logs = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        PartialState().wait_for_everyone()  # each process writes files of its own into a checkpoint
        if self._checkpoints is None or not state.is_world_process_zero:
            return
        folder = Path(args.output_dir)
        keep = {path.name for path in whole(folder)}
        self._upload.checkpoint(folder / f"checkpoint-{state.global_step}", self._checkpoints, keep=keep)

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        is_due = time.monotonic() - self._sent_logs >= LOGS_EVERY_S
        if self._logs is not None and state.is_world_process_zero and is_due and not self._upload.is_busy:
            self._send_logs()

    def close(self) -> None:
        """Everything has arrived when this returns."""
        try:
            self._send_logs()
        finally:
            self._upload.close()

    def _send_logs(self) -> None:
        self._sent_logs = time.monotonic()
        if self._logs is None:
            return
        for path in sorted(path for path in self._log_folder.rglob("*") if path.is_file()):
            self._upload.file(path, str(path.relative_to(self._log_folder)), self._logs)
