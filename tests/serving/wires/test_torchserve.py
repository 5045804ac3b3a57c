"""TorchServe's wire of real servers, over loopback: a T5, a decoder, and a dolly in small."""

import httpx
import pytest

from serving.checkpoint.transformers_folder import _end_where_tuned
from tests.serving.wires.conftest import SHORT

NAME = "tiny-t5"
PROMPT = "Anna asks Ben to bring bread."
PARAMETERS = {"max_new_tokens": 12}


def predict(client, body, path=f"/predictions/{NAME}", **headers):
    return client.post(path, json=body, headers=headers)


@pytest.fixture
def text(client):
    return client.post("/predict", json={"instances": [PROMPT], "parameters": PARAMETERS}).json()["predictions"][0]


@pytest.mark.parametrize("path", [f"/predictions/{NAME}", f"/predictions/{NAME}/1.0"])
def test_an_envelope_gets_one_prediction_per_instance(client, text, path):
    reply = predict(client, {"instances": [PROMPT, {"data": PROMPT}], "parameters": PARAMETERS}, path)

    assert reply.json() == {"predictions": [text, text]}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream"]
)
def test_a_raw_body_is_one_prompt_and_gets_text(serve, content_type):
    url = serve(default_new_tokens=12).url + f"/predictions/{NAME}"
    wanted = httpx.post(url, json={"instances": [PROMPT]}, timeout=60).json()["predictions"][0]

    reply = httpx.post(url, content=PROMPT, headers={"content-type": content_type}, timeout=60)

    assert (reply.text, reply.headers["content-type"]) == (wanted, "text/plain; charset=utf-8")


def test_a_decoders_answer_has_its_prompt_in_front(serve, gpt2):
    url = serve(model_dir=gpt2, **SHORT).url
    (shown,) = httpx.post(url + "/predictions/gpt2", json={"instances": [PROMPT]}, timeout=60).json()["predictions"]
    (answer,) = httpx.post(url + "/predict", json={"instances": [PROMPT]}, timeout=60).json()["predictions"]

    assert shown == PROMPT + answer


def test_a_dolly_reads_its_template_and_stops_at_its_end(serve, dolly):
    asked = httpx.Client(base_url=serve(model_dir=dolly, **SHORT).url, timeout=60)
    template = (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        f"\n\n### Instruction:\n{PROMPT}\n\n### Response:\n"
    )
    with asked:
        (shown,) = predict(asked, {"instances": [PROMPT]}, "/predictions/dolly-tiny").json()["predictions"]
        (whole,) = predict(asked, {"instances": [template]}, "/predict").json()["predictions"]

    assert shown == whole.partition("### End")[0].strip()
    assert PROMPT not in shown


def test_a_dollys_end_token_ends_the_answer(dolly):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(dolly)

    _end_where_tuned(model, dolly)

    end = AutoTokenizer.from_pretrained(dolly).convert_tokens_to_ids("### End")
    assert model.generation_config.eos_token_id == [1, end]


def test_the_name_in_vertex_ais_predict_route_is_the_models_too(serve):
    url = serve(aip_health_route="/ping", aip_predict_route="/predictions/omelette").url
    reply = httpx.post(
        url + "/predictions/omelette", json={"instances": [PROMPT], "parameters": PARAMETERS}, timeout=60
    )

    assert len(reply.json()["predictions"]) == 1
    assert httpx.get(url + "/ping").status_code == 200


def test_the_model_is_listed_and_described(client):
    (listed,) = client.get("/models").json()["models"]
    (described,) = client.get(f"/models/{NAME}").json()

    assert listed["modelName"] == described["modelName"] == NAME
    assert described["workers"][0]["status"] == "READY"
    assert client.get(f"/models/{NAME}/all").json() == client.get(f"/models/{NAME}/1.0").json() == [described]


REFUSED = [
    ("POST", "/predictions/other", 404, "ModelNotFoundException", "Model not found: other"),
    ("POST", f"/predictions/{NAME}/2.0", 404, "ModelVersionNotFoundException", "Model version not found: 2.0"),
    ("GET", "/models/other", 404, "ModelNotFoundException", "Model not found: other"),
    (
        "POST",
        "/models?url=other.mar",
        405,
        "MethodNotAllowedException",
        "models are not loaded, scaled or removed here",
    ),
    ("PUT", f"/models/{NAME}?min_worker=3", 405, "MethodNotAllowedException", "models are not loaded"),
    ("DELETE", f"/models/{NAME}/1.0", 405, "MethodNotAllowedException", "models are not loaded"),
    ("PUT", f"/models/{NAME}/1.0/set-default", 405, "MethodNotAllowedException", "models are not loaded"),
    ("GET", f"/predictions/{NAME}", 405, "MethodNotAllowedException", "Method Not Allowed"),
    ("GET", "/predictions/a/b/c", 404, "ResourceNotFoundException", "Not Found"),
]


@pytest.mark.parametrize(("method", "path", "status", "kind", "sentence"), REFUSED)
def test_what_is_not_there_or_not_done_is_refused_in_torchserves_shape(client, method, path, status, kind, sentence):
    reply = client.request(method, path, json={"instances": ["a"]} if "predictions" in path else None)

    assert (reply.status_code, reply.json()["code"], reply.json()["type"]) == (status, status, kind)
    assert sentence in reply.json()["message"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the body should be an object"),
        (b'{"instances": []}', "instances should have at least 1 item"),
        (b'{"instances": [3]}', "instances[0] should be"),
        (b'{"instances": [{"data": "a", "body": "b"}]}', "should have data or body, not both"),
        (b'{"instances": ["a"], "parameters": {"top_p": 2}}', "parameters.top_p should be"),
        (b'{"instances": ["a"], "instance": []}', "did you mean instances?"),
        (b"\xff\xfe", "neither JSON nor text"),
        (b"", "instances[0].prompt should have at least 1 character"),
    ],
)
def test_a_bad_body_is_refused_in_torchserves_shape(client, raw, sentence):
    reply = client.post(f"/predictions/{NAME}", content=raw)

    assert (reply.status_code, reply.json()["type"]) == (400, "BadRequestException")
    assert sentence in reply.json()["message"]
