"""The predict client: one record per seed, the same answer by either way, and words for what went wrong."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cdk.training import Training
from scripts.predict.clients import NoPrediction, Target, by_rest, by_sdk
from scripts.predict.records import random_record
from training.config.reading import BadConfig

ENDPOINT = "projects/flan/locations/europe-west4/endpoints/1"
GOOD = {
    "predictions": ["Tom will buy milk."],
    "deployedModelId": "37",
    "model": "projects/123/locations/europe-west4/models/flan-t5-tuned",
    "modelVersionId": "2",
}


@pytest.fixture
def endpoint():
    """An endpoint that gives the answer it is told to, and remembers what it was asked."""
    told, asked = {"status": 200, "body": GOOD}, []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.path.partition("?")[0], body, self.headers.get("Authorization")))
            raw = json.dumps(told["body"]).encode()
            self.send_response(told["status"])
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1/{ENDPOINT}:predict"
    yield Target(url, ENDPOINT, "local"), told, asked
    server.shutdown()
    thread.join()
    server.server_close()


def rest(target, prompt):
    return by_rest(target, prompt, token=lambda: "never asked for")


@pytest.mark.parametrize("ask", [rest, by_sdk])
def test_both_ways_send_one_instance_and_read_the_same_answer(endpoint, ask):
    target, _, asked = endpoint

    answer = ask(target, "summarize: Anna: hi")

    assert (answer.text, answer.model, answer.deployed_model_id) == ("Tom will buy milk.", "flan-t5-tuned@2", "37")
    assert asked[0][:2] == (f"/v1/{ENDPOINT}:predict", {"instances": ["summarize: Anna: hi"]})


@pytest.mark.parametrize("ask", [rest, by_sdk])
def test_a_refusal_is_told_in_the_endpoints_words(endpoint, ask):
    target, told, _ = endpoint
    told |= {"status": 404, "body": {"error": {"code": 404, "status": "NOT_FOUND", "message": "no such endpoint"}}}

    with pytest.raises(NoPrediction, match="no such endpoint"):
        ask(target, "hi")


@pytest.mark.parametrize("ask", [rest, by_sdk])
def test_an_answer_without_one_text_is_no_prediction(endpoint, ask):
    target, told, _ = endpoint
    told["body"] = {**GOOD, "predictions": [["nested", "twice"]]}

    with pytest.raises(NoPrediction, match="no single text"):
        ask(target, "hi")


def test_a_token_is_asked_for_where_the_deployment_has_none(endpoint):
    target, _, asked = endpoint
    by_rest(Target(target.url, ENDPOINT, None), "hi", token=lambda: "from-gcloud")

    assert asked[0][2] == "Bearer from-gcloud"


def test_no_connection_is_told_with_the_address():
    with pytest.raises(NoPrediction, match=r"127\.0\.0\.1:9"):
        rest(Target("http://127.0.0.1:9/v1/x:predict", ENDPOINT, "local"), "hi")


def test_a_seed_draws_its_record_from_the_test_split_and_the_template_is_applied():
    training = Training(task="generated-dialogues")
    one, again, other = (random_record(training, source=None, seed=seed) for seed in (5, 5, 6))

    assert one == again != other
    assert one.prompt == f"summarize: {one.text}"
    assert one.reference


def test_records_of_a_file_are_drawn_as_the_task_reads_them(tmp_path):
    lines = [{"dialogue": f"A: {number}", "summary": str(number)} for number in range(40)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))

    record = random_record(Training(task="summarize-dialogues"), source=str(tmp_path / "own.jsonl"), seed=1)

    assert record.text == f"A: {record.reference}"


def test_a_source_that_is_not_there_is_refused_in_the_tasks_words():
    with pytest.raises(BadConfig, match="does not exist"):
        random_record(Training(task="summarize-dialogues"), source="./nowhere.jsonl", seed=1)
