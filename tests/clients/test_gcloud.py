"""Google's command line, as it is installed, through the local cloud to the real server."""

import json
import os
import shutil
import subprocess

import pytest

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(200),
    pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed; it is no Python package"),
]


@pytest.fixture
def gcloud(vertex, tmp_path):
    """A factory: runs `gcloud ai endpoints VERB` on one of the two endpoints and returns what it prints."""
    _, project, _, location = vertex.parent.split("/")  # an endpoint's name has the project's number

    def run(verb, endpoint, *arguments):
        address = vertex.dedicated_url if endpoint == vertex.dedicated else vertex.url
        env = os.environ | {
            "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_CORE_PROJECT": project,
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{address}/",
        }
        command = ["gcloud", "ai", "endpoints", verb, endpoint.rsplit("/", 1)[1], f"--region={location}", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)

    return run


@pytest.fixture
def request_file(tmp_path):
    def write(body):
        path = tmp_path / "request.json"
        path.write_text(json.dumps(body))
        return path

    return write


def test_predict(gcloud, vertex, golden, request_file):
    body = request_file({"instances": [golden[1]["prompt"]], "parameters": {"max_new_tokens": 40}})

    done = gcloud("predict", vertex.shared, f"--json-request={body}", "--format=json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["predictions"] if isinstance(told, dict) else told) == [golden[1]["output"]]


def test_predict_shows_the_servers_refusal(gcloud, vertex, request_file):
    body = request_file({"instances": ["a"], "parameters": {"top_k": -1}})

    done = gcloud("predict", vertex.shared, f"--json-request={body}")

    assert done.returncode != 0
    assert "parameters.top_k should be greater than or equal to 0" in done.stderr


def test_raw_predict_hands_openais_body_on(gcloud, vertex, golden, request_file):
    messages = [{"role": "user", "content": golden[1]["prompt"]}]
    body = request_file({"model": "dialogue-t5-mini", "messages": messages})

    done = gcloud("raw-predict", vertex.shared, f"--request=@{body}")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == golden[1]["output"]


def test_stream_raw_predict_shows_the_pieces_of_a_stream(gcloud, vertex, golden, request_file):
    body = request_file({"instances": [golden[1]["prompt"]], "stream": True})

    done = gcloud("stream-raw-predict", vertex.dedicated, f"--request=@{body}")

    assert done.returncode == 0, done.stderr
    # gcloud shows the pieces of the body as they come, without the empty lines between events
    events = [json.loads(told) for told in done.stdout.split("data: ")[1:] if told.startswith("{")]
    assert "".join(event.get("text", "") for event in events) == golden[1]["output"]
    assert events[-1]["finish_reason"] == "eos"
