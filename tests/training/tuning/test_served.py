"""What was scored is what is served: a real server process over a tuned folder, asked for the test split."""

import json

import httpx
import pytest
import torch

from tests.serving.conftest import ServerProcess
from training.config.places import Places
from training.config.reading import read, task_names
from training.records.record_sets import record_sets
from training.scoring.rouge import METRICS, rouge
from training.tuning.interruption import StopRequest
from training.tuning.run import fine_tune

# What of a task says how it is prompted and how it answers; its model and records are replaced by small ones.
WORDS = {"prompt": ("template",), "generation": ("max_new_tokens", "beams")}
# An answer of the test split is longer than this: the folder's own limit has to hold in both.
LIMIT = ("generation.max_new_tokens=12", "prompt.template=Please summarize the dialogue.\n{input}\nSummary: ")


def as_shipped(name):
    task = read(name, environment={}).model_dump()
    return [
        f"{room}.{key}={json.dumps(task[room][key])}"
        for room, keys in WORDS.items()
        for key in keys
        if task[room][key] is not None
    ]


@pytest.fixture(scope="module", params=[*task_names(), LIMIT], ids=lambda one: one if isinstance(one, str) else "limit")
def tuned(request, config, tmp_path_factory):
    """Settings, result, server address and test split of a training with a shipped task's words, or others."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("served")
    changes = as_shipped(request.param) if isinstance(request.param, str) else request.param
    settings = config("optimizer.max_steps=2", *changes)
    result = fine_tune(settings, Places.of(folder, environment={}), stop=StopRequest(), tell=lambda text: None)
    server = ServerProcess(MODEL_DIR=folder / "model")
    try:
        test = record_sets(settings.data, seed=settings.optimizer.seed, scratch=folder).test
        yield settings, result, server.wait_healthy().url, test
    finally:
        server.close()


@pytest.mark.slow
def test_answers_to_bare_dialogues_are_those_that_the_training_scored(tuned):
    settings, result, url, test = tuned

    answer = httpx.post(f"{url}/predict", json={"instances": list(test["input"])}, timeout=60).json()

    served = [text.strip() for text in answer["predictions"]]
    figures = result.metrics["test"]
    assert [answer for _, _, answer in result.samples] == served[: len(result.samples)]
    assert rouge(served, test["target"]) == {metric: figures[metric] for metric in METRICS}
    assert httpx.get(f"{url}/health").json()["prompt_template"] == settings.prompt.template


@pytest.mark.slow
def test_answers_scored_with_beams_are_served_to_whoever_asks_for_as_many(config, tmp_path):
    said = []
    settings = config("optimizer.max_steps=1", "generation.beams=2", "generation.max_new_tokens=8")

    result = fine_tune(settings, Places.of(tmp_path, environment={}), stop=StopRequest(), tell=said.append)

    card = (tmp_path / "model" / "README.md").read_text()
    assert "scored with 2 beams: the server answers so when it is asked to (num_beams)" in said
    assert "2 beams, as the server answers a request with `num_beams: 2`; greedily else" in card
    assert json.loads((tmp_path / "model" / "generation_config.json").read_text())["num_beams"] == 2
    test = record_sets(settings.data, seed=settings.optimizer.seed, scratch=tmp_path).test
    server = ServerProcess(MODEL_DIR=tmp_path / "model")
    try:
        body = {"instances": list(test["input"]), "parameters": {"num_beams": 2}}
        answer = httpx.post(f"{server.wait_healthy().url}/predict", json=body, timeout=60).json()
    finally:
        server.close()
    served = [text.strip() for text in answer["predictions"]]
    assert [told for _, _, told in result.samples] == served[: len(result.samples)]
    assert rouge(served, test["target"]) == {metric: result.metrics["test"][metric] for metric in METRICS}
