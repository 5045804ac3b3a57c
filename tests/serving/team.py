"""The number of threads of our own kernels, for a while."""

from contextlib import contextmanager

import torch

from serving.native.library import set_num_threads
from serving.products.panels import PanelLinear


@contextmanager
def team(count):
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(1)
        PanelLinear(torch.zeros(16, 8))(torch.zeros(1, 8))  # a team of one lets its thread off its core
