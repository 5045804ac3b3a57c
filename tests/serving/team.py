"""The number of threads of our own kernels, for a while."""

from contextlib import contextmanager

from serving.native.library import set_num_threads


@contextmanager
def team(count):
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(1)
