"""What a person sees of a training: a bar on a terminal, a line now and then in a log file. Knows no model."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from tqdm import tqdm
from transformers import TrainerCallback

EVERY_S = 15.0
TRAINING, VALIDATION = "training", "answering"


class Progress(TrainerCallback):  # type: ignore[misc]
    """One bar for the updates, one for each round of answers that are generated for the figures."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._bar: Any = None
        self._answers: Any = None
        self._begun = self._told = 0.0
        self._first = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._begun, self._first = time.monotonic(), state.global_step
        if self._shows(state) and self._is_terminal:
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc=TRAINING, file=self._out)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)
        elif self._shows(state) and time.monotonic() - self._told >= EVERY_S:
            self._told = time.monotonic()
            spent = self._told - self._begun
            left = spent / (state.global_step - self._first) * (state.max_steps - state.global_step)
            self._say(f"step {state.global_step} of {state.max_steps}, {spent:.0f} s, about {left:.0f} s left")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not self._shows(state) or not logs:
            return
        told = {name: value for name, value in logs.items() if name in ("loss", "learning_rate")}
        scores = {name: value for name, value in logs.items() if "rouge" in name or name.endswith(("gen_len", "_loss"))}
        if scores and "train_loss" not in logs:
            figures = "  ".join(f"{name.split('_', 1)[-1]} {value:.2f}" for name, value in scores.items())
            self._say(f"step {state.global_step}  {figures}")
        elif self._bar is not None:
            self._bar.set_postfix(told)

    def on_prediction_step(self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **_: Any) -> None:
        if not (self._shows(state) and self._is_terminal):
            return
        if self._answers is None:
            self._answers = tqdm(total=len(eval_dataloader), desc=VALIDATION, file=self._out, leave=False)
        self._answers.update(1)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._close_answers()

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        self._close_answers()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _close_answers(self) -> None:
        if self._answers is not None:
            self._answers.close()
            self._answers = None

    def _shows(self, state: Any) -> bool:
        return bool(state.is_world_process_zero)

    def _say(self, text: str) -> None:
        if self._is_terminal:
            tqdm.write(text, file=self._out)
        else:
            print(text, file=self._out, flush=True)
