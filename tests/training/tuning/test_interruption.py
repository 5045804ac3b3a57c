import os
import signal
from types import SimpleNamespace

import pytest
from transformers import TrainerControl

from training.tuning.interruption import Interrupted, StopRequest, StopWithCheckpoint
from training.tuning.trainer import CheckpointEvery


def at(step, *, of=8, epochs=2):
    return SimpleNamespace(global_step=step, max_steps=of, epoch=step * epochs / of)


@pytest.fixture
def request_():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    made = StopRequest()
    made.listen()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_before_the_training_ends_the_process_at_once(request_):
    with pytest.raises(Interrupted) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)

    assert stopped.value.code == 143


def test_a_signal_in_the_training_waits_for_a_checkpoint_and_a_second_ctrl_c_does_not(request_):
    request_.is_training = True
    callback, control = StopWithCheckpoint(request_), TrainerControl()

    os.kill(os.getpid(), signal.SIGINT)
    callback.on_step_end(None, at(3), control)

    assert control.should_save
    with pytest.raises(Interrupted, match="by SIGINT with a checkpoint at step 3") as stopped:
        callback.on_save(None, at(3), control)
    assert stopped.value.code == 130
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("step", [4, 8])
def test_at_the_end_of_an_epoch_a_checkpoint_waits_for_the_evaluation_that_belongs_to_it(request_, step):
    request_.number = signal.SIGTERM
    control = TrainerControl()

    StopWithCheckpoint(request_).on_step_end(None, at(step), control)
    CheckpointEvery(2).on_step_end(None, at(step), control)

    assert not control.should_save


def test_answers_are_finished_in_the_training_and_left_after_it(request_):
    request_.number = signal.SIGTERM
    callback = StopWithCheckpoint(request_)

    callback.on_prediction_step(None, at(4), None)
    callback.on_train_end(None, at(8), None)

    with pytest.raises(Interrupted, match="after the training"):
        callback.on_prediction_step(None, at(8), None)


def test_checkpoints_come_as_often_as_asked():
    control = TrainerControl()
    saved = []
    for step in range(1, 8):
        control.should_save = False
        CheckpointEvery(3).on_step_end(None, at(step), control)
        saved += [step] if control.should_save else []

    assert saved == [3, 6]
