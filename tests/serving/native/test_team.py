"""The threads that compute one step together, and the cores they do it on."""

import os

import pytest
import torch

from serving.native.library import kernels
from serving.products.panels import PanelLinear
from tests.serving.team import team

ALLOWED = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(kernels() is None or len(ALLOWED) < 2, reason="no kernels, or one core")


def cores(num_threads):
    """Where this thread may run while it computes with so many."""
    linear = PanelLinear(torch.zeros(64, 8))
    with team(num_threads):
        linear(torch.zeros(4, 8))
        return os.sched_getaffinity(0)


def test_a_team_as_large_as_the_machine_has_a_core_for_each_of_its_threads():
    assert cores(len(ALLOWED)) == {min(ALLOWED)}


@pytest.mark.parametrize("num_threads", [1, len(ALLOWED) + 1])
def test_any_other_team_goes_where_the_system_sends_it(num_threads):
    assert cores(num_threads) == ALLOWED


def test_a_thread_is_let_off_its_core_when_it_works_alone():
    cores(len(ALLOWED))

    assert os.sched_getaffinity(0) == ALLOWED
