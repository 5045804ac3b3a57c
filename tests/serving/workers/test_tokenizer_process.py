"""The tokenizer that another process reads is the one that transformers reads here, and nothing of it is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.tokenizer import load_tokenizer
from serving.workers.child import environment
from serving.workers.tokenizer_process import load_apart
from tests.serving.conftest import make_causal_folder

TEXTS = ["Anna asks Ben", "", "  two  spaces ", "Café </s> naïve <pad>\n1234", "a<unk>b ### End"]


@pytest.fixture
def folder(tiny, tmp_path):
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def same(folder):
    here, there = load_tokenizer(folder), load_apart(folder)
    ids = [here.encode(text) for text in TEXTS]
    assert [there.encode(text) for text in TEXTS] == ids
    assert [there.decode(one) for one in ids] == [here.decode(one) for one in ids]
    assert [there.piece(number) for number in range(310)] == [here.piece(number) for number in range(310)]
    assert (there.open_ids, there.rewrites, there.num_tokens) == (here.open_ids, here.rewrites, here.num_tokens)
    return ids


def test_it_is_the_same_for_t5_and_for_a_decoder_with_marks_of_its_own(folder, tmp_path):
    same(folder)
    same(make_causal_folder(tmp_path / "dolly", kind="gpt_neox", marks=["### End"]))


def test_a_setting_that_the_tokenizers_own_file_does_not_hold_comes_along(folder):
    whole = same(folder)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"split_special_tokens": True}))

    split = same(folder)

    # "</s>" and "<pad>" in a text are letters then
    assert len(split[3]) > len(whole[3])


def test_a_tokenizer_that_does_not_load_is_refused_with_the_sentence_that_it_gets_here(folder):
    for damage in (lambda file: file.write_text("{"), Path.unlink):
        damage(folder / "tokenizer.json")
        with pytest.raises(CheckpointError) as here:
            load_tokenizer(folder)

        with pytest.raises(CheckpointError) as there:
            load_apart(folder)

        assert str(there.value) == str(here.value)


def test_a_process_that_ends_without_an_answer_is_told_of(folder, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))

    with pytest.raises(CheckpointError, match=r"the process that reads the tokenizer in .* ended with status 1"):
        load_apart(folder)


def test_it_ends_with_whoever_started_it(folder):
    module = "serving.workers.tokenizer_process"
    code = f"from pathlib import Path; from {module} import load_apart; load_apart(Path({str(folder)!r}))"
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment())
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    child = Path("/proc", wait_for(lambda: children.read_text().strip()))
    wait_for(lambda: "libtorch" in (child / "maps").read_text())
    os.kill(int(child.name), signal.SIGSTOP)  # by itself it does not end now

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    wait_for(lambda: not child.exists() or "\nState:\tZ" in (child / "status").read_text())


def wait_for(told):
    end = time.monotonic() + 20
    while not (value := told()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value
