"""The committed model: small enough, complete, and as good as its card says."""

import json
import re
from pathlib import Path

import pytest

from training.corpus.dialogues import take
from training.embedded.evaluation import evaluate, summarize
from training.embedded.export import MAX_WEIGHT_BYTES, load
from training.folder.metadata import read_template

FOLDER = Path(__file__).parents[3] / "models" / "dialogue-t5-mini"
GOLDEN = json.loads((FOLDER / "golden.json").read_text())


@pytest.fixture(scope="module")
def loaded():
    return load(FOLDER)


def test_the_weights_fit_the_repository_and_nothing_lies_beside_them():
    assert (FOLDER / "model.safetensors").stat().st_size <= MAX_WEIGHT_BYTES
    assert {path.name for path in FOLDER.iterdir()} == {
        "README.md", "config.json", "generation_config.json", "golden.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["output"][:30])
def test_golden_summaries_are_given_again_to_the_letter(loaded, golden):
    model, tokenizer = loaded

    assert summarize(model, tokenizer, [golden["prompt"]]) == [golden["output"]]


def test_every_fact_is_right_in_four_of_five_unseen_dialogues(loaded):
    model, tokenizer = loaded

    report = evaluate(model, tokenizer, take("test", 200, 11))

    assert report.facts >= 80, report


def test_the_card_states_the_size_that_the_model_has(loaded):
    model, _ = loaded
    stated = re.search(r"A T5 of ([\d.]+) million parameters", (FOLDER / "README.md").read_text())

    assert stated
    assert float(stated[1]) == pytest.approx(model.num_parameters() / 1e6, abs=0.01)


def test_any_text_gets_an_answer(loaded):
    model, tokenizer = loaded

    answers = summarize(model, tokenizer, ["", "summarize: 你好 🎂", "x" * 400])

    assert len(answers) == 3


def test_the_prefix_that_the_model_was_trained_on_travels_with_it():
    assert read_template(FOLDER) == "summarize: {input}"
