import io
from types import SimpleNamespace

import pytest

from training.tuning.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def state(step, *, first=True):
    return SimpleNamespace(global_step=step, max_steps=8, is_world_process_zero=first)


def show(out, *, first=True):
    """A training of eight steps, its figures, and what was written."""
    progress = Progress(out)
    progress.on_train_begin(None, state(0, first=first), None)
    for step in range(1, 9):
        progress.on_step_end(None, state(step, first=first), None)
        if step == 4:
            progress.on_log(None, state(step, first=first), None, logs={"loss": 0.5, "learning_rate": 0.1})
    progress.on_prediction_step(None, state(8, first=first), None, eval_dataloader=[1, 2])
    figures = {"eval_rouge1": 43.21, "eval_gen_len": 17.0, "eval_loss": 0.25, "eval_runtime": 3}
    progress.on_log(None, state(8, first=first), None, logs=figures)
    progress.on_evaluate(None, state(8, first=first), None)
    progress.on_train_end(None, state(8, first=first), None)
    return out.getvalue()


def test_a_terminal_shows_a_bar_for_the_updates_and_one_for_the_answers():
    said = show(Terminal())

    assert "training: 100%" in said
    assert "8/8" in said
    assert "answering:" in said
    assert "loss=0.5" in said
    assert "step 8  rouge1 43.21  gen_len 17.00  loss 0.25" in said


def test_a_log_gets_lines_and_no_bar():
    said = show(io.StringIO())

    assert "step 1 of 8" in said
    assert "s left" in said
    assert "\r" not in said
    assert "rouge1 43.21" in said


@pytest.mark.parametrize("out", [Terminal, io.StringIO])
def test_other_processes_are_silent(out):
    assert show(out(), first=False) == ""
