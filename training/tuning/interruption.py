"""Ctrl-C and SIGTERM during a training: the step (and an evaluation that belongs to it) is finished, a checkpoint is
written, and the process ends. A second Ctrl-C ends it at once.

Spot machines get SIGTERM half a minute before they go. With several processes one may hear of it a step later than
another, so they agree after every step.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(Exception):
    """The training was asked to end. code: of the process."""

    def __init__(self, number: int, when: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} {when}; the same command goes on from there")
        self.code = CODES[signal.Signals(number)]


class StopRequest:
    """The signals. Outside the training the first one ends the process; inside, it is remembered."""

    def __init__(self) -> None:
        self.number = 0
        self.is_training = False

    def listen(self) -> None:
        for number in CODES:
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        is_second_ctrl_c = self.number and number == signal.SIGINT
        self.number = self.number or number
        if not self.is_training or is_second_ctrl_c:
            raise Interrupted(number, "between two checkpoints")

    def agreed(self) -> int:
        """The signal, when any process of the training has got one."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self.number
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        highest = torch.tensor(self.number, device=device)
        torch.distributed.all_reduce(highest, op=torch.distributed.ReduceOp.MAX)
        return int(highest)


def ends_epoch(state: Any) -> bool:
    """Whether the step is followed by an evaluation. A checkpoint must then wait for it: a training that goes on from
    there does not make up for an evaluation, and would not know the best model."""
    return bool(state.epoch == int(state.epoch) or state.global_step >= state.max_steps)


class StopWithCheckpoint(TrainerCallback):  # type: ignore[misc]
    """Turns a request into a checkpoint, and raises `Interrupted` when that is written. Must be the last callback."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._is_trained = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._request.agreed() and not ends_epoch(state):
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        number = self._request.agreed()
        if number:
            raise Interrupted(number, f"with a checkpoint at step {state.global_step}")

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._is_trained = True

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        number = self._request.agreed() if self._is_trained else 0
        if number:
            raise Interrupted(number, f"after the training, with its checkpoint at step {state.global_step}")
