"""What each client gets from the server: the answer that every other wire gives, and its own kind of error."""

import json

import httpx
import pytest

from tests.clients.conftest import MODEL
from tests.clients.sagemaker_runtime import SageMakerRuntime

pytestmark = [pytest.mark.clients, pytest.mark.timeout(200)]


def test_the_openai_package(run_client, server, golden):
    prompt, answer = golden[1]["prompt"], golden[1]["output"]

    got = run_client("openai", "openai_sdk", server.url, MODEL, prompt)

    assert [got["completion"], *got["chat"], got["streamed"]] == [answer] * 4
    assert "".join(got["chat_logprobs"]).strip() == answer
    assert got["num_logprobs"] == got["usage"][1] - 1  # all but the end token
    assert got["usage"] == got["whole_usage"]
    assert got["models"] == [MODEL]
    assert got["refusals"] == [
        ["NotFoundError", "model_not_found", "model"],
        ["BadRequestError", "invalid_request", "max_tokens"],
        ["NotFoundError", "model_not_found", "model"],
    ]


def test_langchain_with_our_base_url(run_client, server, golden):
    prompt, answer = golden[1]["prompt"], golden[1]["output"]

    got = run_client("openai", "langchain_chat", server.url, MODEL, prompt)

    assert [got["invoked"], got["streamed"], got["completed"], *got["batched"]] == [answer] * 5
    assert got["tokens"] > 5


def test_tritonclient_over_http(run_client, server, golden):
    from transformers import AutoTokenizer

    from tests.clients.conftest import ROOT

    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models" / MODEL)
    prompt, answer = golden[1]["prompt"], golden[1]["output"]
    ids = tokenizer(prompt).input_ids

    got = run_client("tritonclient", "triton_http", server.url.removeprefix("http://"), MODEL, prompt, ids)

    assert got["texts"] == [answer, answer]
    assert [tokenizer.decode(tokens, skip_special_tokens=True) for tokens in got["tokens"]] == [answer, answer]
    assert (got["live"], got["ready"]) == (True, True)
    assert "binary_tensor_data" in got["extensions"]
    assert got["inputs"] == ["input_ids", "sequence_length"]
    assert got["index"] == [got["config"], "fastertransformer"]
    assert got["refusal"].startswith("404: Request for unknown model: 'other' is not found")


def test_kserves_rest_client(run_client, server, golden):
    prompt, answer = golden[1]["prompt"], golden[1]["output"]

    got = run_client("kserve", "kserve_rest", server.url, MODEL, prompt)

    assert [got["json"], got["bytes"]] == [[answer], [answer]]
    assert (got["live"], got["ready"], got["model_ready"]) == (True, True, True)
    assert "Request for unknown model: 'other'" in got["refusal"]


def test_sagemakers_predictor_and_boto3(run_client, server, golden, tmp_path):
    prompt, answer = golden[1]["prompt"], golden[1]["output"]
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    runtime = SageMakerRuntime(server.url, bucket)
    try:
        got = run_client("sagemaker", "sagemaker_predictor", runtime.url, prompt, bucket)
    finally:
        runtime.close()

    assert got["predictor"] == got["async"] == [{"generated_text": answer}]
    assert (got["csv"].strip(), got["lines"]) == (answer, 2)
    assert got["pieces"] == got["streamed"] == answer
    code, status, message = got["refusal"]
    assert (code, status) == ("ModelError", 400)
    assert "did you mean inputs?" in message


def test_googles_sdk_through_the_local_cloud(run_client, vertex, golden):
    prompt, answer = golden[1]["prompt"], golden[1]["output"]

    got = run_client("aiplatform", "aiplatform_sdk", vertex.url, vertex.shared, prompt)

    assert got["predictions"] == [answer, answer]
    assert got["metadata"]["num_tokens"] == sum(one["num_tokens"] for one in got["metadata"]["predictions"])
    assert len(got["generated"][0]) < len(answer)
    assert "top_k should be greater than or equal to 0, got -1" in got["refusal"]


def test_gradios_client_against_the_page(run_client, vertex, start_page, golden):
    page = start_page(PREDICT_URL=f"{vertex.url}/v1/{vertex.shared}:predict")

    got = run_client("gradio_client", "gradio_page", page.url, golden[1]["prompt"])

    assert got == {"num_settings": 7, "answer": golden[1]["output"]}


def test_lm_eval_with_a_task_of_our_own(run_client, server, golden, tmp_path):
    data = tmp_path / "golden.jsonl"
    # its third prompt asks for another answer than the model's: an evaluation that finds everything right proves little
    wrong = golden[2] | {"output": "Nobody will call."}
    data.write_text("".join(json.dumps(one) + "\n" for one in (*golden[:2], wrong)))

    got = run_client("lm_eval", "lm_eval_task", server.url, MODEL, data)

    assert got == {"exact_match": pytest.approx(2 / 3), "num_samples": 3}


def test_the_published_protocols_schema(server, tmp_path):
    """The Open Inference Protocol's OpenAPI document, as MLServer publishes it: every answer has its shape."""
    from tests.clients.conformance import conformance

    told = conformance(server.url, tmp_path)

    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-2000:]


def test_every_client_met_the_same_server(server):
    """After all of them: nothing failed on the server's side, and nothing is left running."""
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    counts = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    assert float(counts['serving_requests_failed_total{reason="internal"}']) == 0
    assert float(counts['serving_requests_failed_total{reason="engine_failed"}']) == 0
    assert float(counts["serving_requests_running"]) == 0
