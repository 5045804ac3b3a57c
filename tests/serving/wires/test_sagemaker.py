"""SageMaker's wire of a real server process, over loopback; and the process as SageMaker starts it.

The cases follow the ideas of Triton's conformance tests for SageMaker.
"""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from serving.sagemaker_host import UnservableHost, settings
from tests.serving.conftest import ROOT

PROMPT = "Anna asks Ben to bring bread, and milk."
LINES = "application/jsonlines"


def invoke(client, body, *, content_type="application/json", **headers):
    raw = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post("/invocations", content=raw, headers={"content-type": content_type, **headers})


@pytest.fixture
def text(client):
    reply = client.post("/predict", json={"instances": [PROMPT], "parameters": {"max_new_tokens": 12}})
    return reply.json()["predictions"][0]


PARAMETERS = {"max_new_tokens": 12}


def test_one_text_and_a_list_get_one_answer_each(client, text):
    one = invoke(client, {"inputs": PROMPT, "parameters": PARAMETERS})
    two = invoke(client, {"inputs": [PROMPT, PROMPT], "parameters": PARAMETERS})

    assert one.json() == [{"generated_text": text}]
    assert two.json() == [{"generated_text": text}] * 2


def test_details_and_the_whole_text_are_told_when_asked(client, text):
    parameters = PARAMETERS | {"details": True, "return_full_text": True}
    (answer,) = invoke(client, {"inputs": PROMPT, "parameters": parameters}).json()

    assert answer["generated_text"] == PROMPT + text
    assert answer["details"]["finish_reason"] in ("length", "eos_token")
    assert answer["details"]["generated_tokens"] <= 12


def test_lines_of_json_get_lines_of_json(client, text):
    lines = [{"inputs": PROMPT, "parameters": PARAMETERS}, {"inputs": "Tom", "parameters": {"max_new_tokens": 2}}]
    reply = invoke(client, "".join(json.dumps(line) + "\n" for line in lines), content_type=LINES)

    assert reply.headers["content-type"] == LINES
    first, second = (json.loads(line)["generated_text"] for line in reply.text.splitlines())
    assert first == text
    assert len(second) < len(text)


def test_csv_and_plain_text_are_answered_in_kind_or_as_accept_says(serve):
    with httpx.Client(base_url=serve(default_new_tokens=12).url, timeout=60) as client:
        (wanted,) = invoke(client, {"inputs": PROMPT}).json()
        plain = invoke(client, PROMPT, content_type="text/plain; charset=utf-8")
        sheet = invoke(client, f'"{PROMPT}"\n"{PROMPT}"\n', content_type="text/csv")
        other = invoke(client, PROMPT, content_type="text/plain", accept="image/png, application/json")

    assert (plain.text, plain.headers["content-type"]) == (wanted["generated_text"], "text/plain; charset=utf-8")
    assert len(sheet.text.splitlines()) == 2
    assert other.json() == [wanted]


def test_a_stream_ends_with_the_whole_text(client, text):
    reply = invoke(client, {"inputs": PROMPT, "parameters": PARAMETERS, "stream": True})
    events = [json.loads(event.removeprefix("data: ")) for event in reply.text.strip().split("\n\n")]

    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "".join(event["token"]["text"] for event in events) == text
    assert events[-1]["generated_text"] == text
    assert events[-1]["details"]["generated_tokens"] <= 12


BAD = [
    ("{", "application/json", 400, "malformed_body", "the body is not JSON"),
    ([], "application/json", 400, "invalid_request", "the body should be an object"),
    ({}, "application/json", 400, "invalid_request", "inputs is missing"),
    ({"inputs": []}, "application/json", 400, "invalid_request", "inputs should have at least 1 item"),
    ({"inputs": ""}, "application/json", 400, "invalid_request", "prompt should have at least 1 character"),
    ({"inputs": 3}, "application/json", 400, "invalid_request", "inputs should be a list"),
    ({"inputs": "a", "parameter": {}}, "application/json", 400, "invalid_request", "did you mean parameters?"),
    ({"inputs": "a", "parameters": {"top_k": -1}}, "application/json", 400, "invalid_request", "parameters.top_k"),
    ({"inputs": ["a", "b"], "stream": True}, "application/json", 400, "invalid_request", "inputs has 2 texts"),
    ('{"inputs": "a"}\n{', LINES, 400, "malformed_body", "line 2 of the body is not JSON"),
    ('{"inputs": "a", "stream": true}\n"b"', LINES, 400, "invalid_request", "stream is true in one line of many"),
    ("a,b\n", "text/csv", 400, "malformed_body", "row 1 of the body has 2 columns"),
    ('"a', "text/csv", 400, "malformed_body", "the body is not CSV"),
    ("", "text/plain", 400, "invalid_request", "at least 1 character"),
    (b"\xff", "text/plain", 400, "malformed_body", "not text in UTF-8"),
    ("a", "image/png", 415, "unreadable_body", "the body is 'image/png'; send application/json"),
]


@pytest.mark.parametrize(("body", "content_type", "status", "kind", "sentence"), BAD)
def test_a_bad_body_is_refused_in_hugging_faces_shape(client, body, content_type, status, kind, sentence):
    reply = invoke(client, body, content_type=content_type)

    assert reply.status_code == status
    assert reply.json().keys() == {"error", "error_type"}
    assert reply.json()["error_type"] == kind
    assert sentence in reply.json()["error"]


def test_ping_is_200_with_a_word(client):
    assert (client.get("/ping").status_code, client.get("/ping").json()) == (200, {"status": "Healthy"})


def test_batch_transforms_are_told_what_fits(client):
    told = client.get("/execution-parameters").json()

    assert told == {"MaxConcurrentTransforms": 16, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 6}
    assert told["MaxConcurrentTransforms"] * told["MaxPayloadInMB"] <= 100


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/models"), ("DELETE", "/models/other"), ("POST", "/models/other/invoke")]
)
def test_the_routes_of_multi_model_endpoints_are_refused_with_the_cure(client, method, path):
    reply = client.request(method, path, json={"model_name": "other", "url": "/opt/ml/models/other"})

    assert reply.status_code == 405
    assert "make an endpoint" in reply.json()["message"]


def test_a_target_model_is_refused(client):
    reply = invoke(client, {"inputs": "a"}, **{"x-amzn-sagemaker-target-model": "other.tar.gz"})

    assert reply.status_code == 400
    assert "this image serves one model" in reply.json()["error"]


def test_the_host_decides_port_and_model(tiny, tmp_path):
    assert settings({"SM_MODEL_DIR": str(tmp_path)}) == {"port": 8080}
    assert settings({"SM_MODEL_DIR": str(tiny), "SAGEMAKER_BIND_TO_PORT": "9001"}) == {
        "port": "9001",
        "model_dir": tiny,
    }
    assert settings({"SM_MODEL_DIR": str(tmp_path), "PORT": "7080"}) == {}
    with pytest.raises(UnservableHost, match="make an endpoint for each model"):
        settings({"SAGEMAKER_MULTI_MODEL": "true"})


def test_started_with_serve_it_answers_finishes_what_runs_and_ends_with_zero(tiny):
    env = {
        "PATH": os.environ["PATH"],
        "HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": "0",
        "SM_MODEL_DIR": str(tiny),
        "NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "serve"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log = []
    try:
        for line in process.stdout:
            log.append(line.decode())
            if "answering requests" in log[-1]:
                break
        address = next(line for line in log if "listening on" in line)
        url = "http" + address.partition("http")[2].partition('"')[0].strip()
        answer = httpx.post(url + "/invocations", json={"inputs": "Anna"}, timeout=60)
        process.send_signal(signal.SIGTERM)
        status = process.wait(25)
    finally:
        process.kill()
        process.stdout.close()

    assert (answer.status_code, status) == (200, 0)


def test_a_multi_model_host_is_refused_at_the_start():
    env = {"PATH": os.environ["PATH"], "SAGEMAKER_MULTI_MODEL": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "serving", "serve"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith("SAGEMAKER_MULTI_MODEL is true")
