"""A tokenizer and a recipe small enough that a model is trained within seconds."""

import pytest
import torch

from training.corpus.dialogues import take
from training.embedded.tokenizer import train_tokenizer
from training.embedded.train import Recipe


@pytest.fixture(autouse=True)
def _one_thread():
    """Two threads on a machine with one core free are many times slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    texts = [text for one in take("train", 1000, 1) for text in (one.prompt, one.summary)]
    return train_tokenizer(texts, vocab_size=1000)


@pytest.fixture(scope="session")
def tiny(tokenizer):
    return Recipe(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_heads=2, num_layers=1, steps=30, batch=8, pool=64,
        warmup_steps=5, validate_every=10, validation_examples=16, learning_rate=1e-2, embedding_rate=1.0,
    )  # fmt: skip
