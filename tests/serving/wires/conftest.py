"""Decoder-only models beside the tiny T5, and servers over them."""

import json

import httpx
import pytest

from tests.serving.conftest import ServerProcess, make_folder

DOLLY_MARKS = ["### End", "### Instruction:", "### Response:"]


def make_causal_folder(folder, *, marks=()):
    """A random GPT-2 with the tiny T5's tokenizer; `marks` are added to it as special tokens, as dolly has them."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    make_folder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": list(marks)})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=256,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=1,
        eos_token_id=1,
        initializer_range=0.3,
    )
    (folder / "model.safetensors").unlink()
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


SHORT = {"max_input_tokens": 150, "max_new_tokens": 64, "default_new_tokens": 12}


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    return make_causal_folder(tmp_path_factory.mktemp("models") / "gpt2")


@pytest.fixture(scope="session")
def dolly(tmp_path_factory):
    return make_causal_folder(tmp_path_factory.mktemp("models") / "dolly-tiny", marks=DOLLY_MARKS)


@pytest.fixture(scope="session")
def mini():
    """The embedded model behind a real server process: the one whose answers can be read."""
    from tests.serving.conftest import ROOT

    server = ServerProcess(MODEL_DIR=ROOT / "models" / "dialogue-t5-mini").wait_healthy()
    yield server
    server.close()


@pytest.fixture
def mini_client(mini):
    with httpx.Client(base_url=mini.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def golden(mini):
    """Prompts and answers of the embedded model."""
    from tests.serving.conftest import ROOT

    return json.loads((ROOT / "models" / "dialogue-t5-mini" / "golden.json").read_text())
