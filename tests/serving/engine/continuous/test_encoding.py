"""Newcomers are encoded in slices, for no longer than those who run can spare."""

import pytest
import torch

from serving.engine.continuous import encoding
from serving.engine.continuous.encoding import EncoderRun, Pace

LAYER_S, SOURCE_S = 0.004, 0.0005


class SlowEncoder:
    """Six layers, then six keys and values, each of which moves the clock on."""

    num_layers, num_slices = 6, 12

    def __init__(self):
        self.now = 0.0
        self.num_run = 0

    def perf_counter(self):
        return self.now

    def encode_slice(self, index, x_NM, lengths):
        self.now += LAYER_S if index < self.num_layers else SOURCE_S
        self.num_run += 1
        return x_NM


@pytest.fixture
def encoder(monkeypatch):
    encoder = SlowEncoder()
    monkeypatch.setattr(encoding, "time", encoder)
    return encoder


def newcomers():
    return EncoderRun([], [60, 40], torch.zeros(100, 8))


def slices_at_a_time(encoder, pace, *, seconds):
    run, counts, is_done = newcomers(), [], False
    while not is_done:
        before = encoder.num_run
        is_done = run.advance(encoder, pace, seconds=seconds)
        counts.append(encoder.num_run - before)
    return counts


def test_slices_fit_into_the_time_that_is_given_whatever_ran_before(encoder):
    pace = Pace()
    slices_at_a_time(encoder, pace, seconds=None)

    # quick keys and values came last; they say nothing of the next prompt's layers
    assert slices_at_a_time(encoder, pace, seconds=0.0086) == [2, 2, 3, 5]


def test_a_slice_runs_at_a_time_where_none_would_fit(encoder):
    pace = Pace()
    slices_at_a_time(encoder, pace, seconds=None)

    assert slices_at_a_time(encoder, pace, seconds=0.0) == [1] * 12


def test_without_a_limit_all_slices_run_at_once(encoder):
    assert slices_at_a_time(encoder, Pace(), seconds=None) == [12]
