"""A fine-tuning small enough for a test: the embedded model, a few dozen dialogues."""

import pytest

from training.config.reading import read

SMALL = (
    "data.max_train=64", "data.max_validation=12", "data.max_test=12", "optimizer.epochs=2", "optimizer.batch=16",
    "optimizer.checkpoint_every=3", "optimizer.log_every=1", "optimizer.learning_rate=0.002",
)  # fmt: skip


@pytest.fixture(scope="session")
def small():
    return list(SMALL)


@pytest.fixture(scope="session")
def config():
    """The same with more changes."""

    def make(*changes):
        return read("generated-dialogues", environment={}, changes=[*SMALL, *changes])

    return make
