"""What was scored is what is served: a real server process over a tuned folder, asked for the test split."""

import httpx
import pytest
import torch

from tests.serving.conftest import ServerProcess
from training.config.places import Places
from training.records.record_sets import record_sets
from training.scoring.rouge import METRICS, rouge
from training.tuning.interruption import StopRequest
from training.tuning.run import fine_tune

# An answer of the test split is longer than this: the folder's own limit has to hold in both.
LONGEST = 12
TEMPLATE = "Please summarize the dialogue.\n{input}\nSummary: "


@pytest.fixture(scope="module")
def tuned(config, tmp_path_factory):
    """Metrics, server address and test split of a training with a template and a limit of its own."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("served")
    settings = config(f"generation.max_new_tokens={LONGEST}", f"prompt.template={TEMPLATE}")
    result = fine_tune(settings, Places.of(folder, environment={}), stop=StopRequest(), tell=lambda text: None)
    server = ServerProcess(MODEL_DIR=folder / "model").wait_healthy()
    yield result, server.url, record_sets(settings.data, seed=settings.optimizer.seed, scratch=folder).test
    server.close()


@pytest.mark.slow
def test_answers_to_bare_dialogues_are_those_that_the_training_scored(tuned):
    result, url, test = tuned

    answer = httpx.post(f"{url}/predict", json={"instances": list(test["input"])}, timeout=60).json()

    served = [text.strip() for text in answer["predictions"]]
    figures = result.metrics["test"]
    assert [answer for _, _, answer in result.samples] == served[: len(result.samples)]
    assert rouge(served, test["target"]) == {metric: figures[metric] for metric in METRICS}


@pytest.mark.slow
def test_the_server_tells_the_template_that_the_training_used(tuned):
    _, url, _ = tuned

    assert httpx.get(f"{url}/health").json()["prompt_template"] == TEMPLATE
