"""Decoder-only models beside the tiny T5, and servers over them."""

import json

import httpx
import pytest

from tests.serving.conftest import ROOT, ServerProcess, make_causal_folder

DOLLY_MARKS = ["### End", "### Instruction:", "### Response:"]


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
    return json.loads((ROOT / "models" / "dialogue-t5-mini" / "golden.json").read_text())
