"""The Vertex AI wire of a real server process, over loopback."""

import json
import math
import time
from pathlib import Path

import httpx
import pytest

from serving.config import ServerConfig
from serving.errors import InvalidRequest
from serving.wires.vertex.limits import SHARED, limits_of

GOLDEN = json.loads((Path(__file__).parents[2] / "contract" / "predict.json").read_text())


def predict(client, instances, **parameters):
    reply = client.post("/predict", json={"instances": instances, "parameters": parameters})
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"]


@pytest.mark.parametrize("case", GOLDEN["answers"], ids=lambda case: case["name"])
def test_golden_requests_get_golden_shapes(client, case):
    reply = client.post("/predict", json=case["request"])

    assert reply.status_code == 200, reply.text
    assert reply.json().keys() == case["response"].keys()
    assert [type(p) for p in reply.json()["predictions"]] == [str for _ in case["response"]["predictions"]]


@pytest.mark.parametrize("case", GOLDEN["refusals"], ids=lambda case: case["name"])
def test_golden_refusals_are_word_for_word(client, case):
    reply = client.post("/predict", json=case["request"])

    assert (reply.status_code, reply.json()) == (case["status"], case["response"])


def test_a_text_a_list_of_one_and_an_object_mean_the_same(client):
    first, *others = predict(client, ["Who is Anna?", ["Who is Anna?"], {"prompt": "Who is Anna?"}], max_new_tokens=12)

    assert others == [first, first]


def test_predictions_come_in_the_order_of_the_instances(client):
    prompts = ["Anna asks Ben", "Tom: when is the meeting?", "Translate to German", "Mia: at ten"]
    alone = [predict(client, [prompt], max_new_tokens=12)[0] for prompt in prompts]

    assert predict(client, prompts, max_new_tokens=12) == alone
    assert len(set(alone)) > 1


def test_an_instances_own_parameters_win_over_the_shared_ones(client):
    short, long = predict(client, [{"prompt": "Anna asks", "max_new_tokens": 2}, "Anna asks"], max_new_tokens=12)

    assert len(short) < len(long)
    assert long.startswith(short)


BAD = [
    ([], "the body should be an object, got a list of 0"),
    ("text", 'the body should be an object, got "text"'),
    ({}, "instances is missing"),
    ({"instances": "text"}, 'instances should be a list, got "text"'),
    ({"instances": None}, "instances should be a list, got null"),
    ({"instances": [3]}, 'instances[0] should be "text", ["text"] or {"prompt": "text"}, got 3'),
    ({"instances": [[]]}, "instances[0] should be"),
    ({"instances": [["a", "b"]]}, "instances[0] should be"),
    ({"instances": ["a", {}]}, "instances[1].prompt is missing"),
    ({"instances": [{"prompt": None}]}, "instances[0].prompt is missing"),
    ({"instances": [{"prompt": 3}]}, "instances[0].prompt should be a string, got 3"),
    ({"instances": [""]}, "instances[0].prompt should have at least 1 character"),
    ({"instances": ["a"] * 33}, "instances: got 33, at most 32 are allowed"),
    ({"instances": ["a"], "paramters": {}}, "paramters is not known, did you mean parameters?"),
    ({"instances": ["a"], "parameters": []}, "parameters should be an object, got a list of 0"),
    ({"instances": ["a"], "parameters": {"beams": 4}}, "parameters.beams is not known, did you mean num_beams?"),
    ({"instances": ["a"], "stream": "yes"}, "stream should be"),
    ({"instances": [{"prompt": "a", "top_p": 0}]}, "instances[0].top_p should be greater than 0, got 0"),
]
BAD_PARAMETERS = [
    ("max_new_tokens", 0, "greater than or equal to 1, got 0"),
    ("max_new_tokens", 513, "max_new_tokens must be at most 512, got 513"),
    ("max_new_tokens", "5", 'should be an integer, got "5"'),
    ("max_new_tokens", 1.5, "should be an integer, got 1.5"),
    ("max_new_tokens", True, "should be an integer, got true"),
    ("temperature", -0.1, "greater than or equal to 0, got -0.1"),
    ("temperature", 5.1, "less than or equal to 5, got 5.1"),
    ("top_k", -1, "greater than or equal to 0, got -1"),
    ("top_k", 1001, "less than or equal to 1000, got 1001"),
    ("top_p", 1.1, "less than or equal to 1, got 1.1"),
    ("repetition_penalty", 0, "greater than 0, got 0"),
    ("repetition_penalty", 11, "less than or equal to 10, got 11"),
    ("seed", -1, "greater than or equal to 0, got -1"),
    ("seed", 2**63, "got 9223372036854775808"),
    ("do_sample", "no", 'do_sample should be a boolean, got "no"'),
    ("stop", "", "stop should have at least 1 character"),
    ("stop", [""], "stop[0] should have at least 1 character"),
    ("stop", ["a"] * 5, "at most 4 items"),
    ("stop", "x" * 101, "at most 100 characters"),
    ("stop", 5, "parameters.stop should be"),
]


@pytest.mark.parametrize(("body", "sentence"), BAD)
def test_a_bad_body_is_refused_with_what_the_value_and_what_is_allowed(client, body, sentence):
    reply = client.post("/predict", json=body)

    assert reply.status_code == 422
    assert sentence in reply.json()["error"]["message"]


@pytest.mark.parametrize(("name", "value", "sentence"), BAD_PARAMETERS)
def test_a_parameter_outside_its_limits_is_refused_by_name(client, name, value, sentence):
    reply = client.post("/predict", json={"instances": ["a"], "parameters": {name: value}})

    assert reply.status_code == 422
    assert name in reply.json()["error"]["message"]
    assert sentence in reply.json()["error"]["message"]


def test_every_problem_of_a_body_is_named_at_once(client):
    reply = client.post("/predict", json={"instances": [3, {"prompt": "a", "top_k": -1}]})

    assert reply.json()["error"]["message"].count("; ") == 1


def test_the_answer_to_a_huge_bad_body_is_small_and_quick(client):
    many = client.post("/predict", json={"instances": [3] * 100_000})
    wrong = client.post("/predict", json={"instances": [3] * 1000})
    long_names = client.post(
        "/predict", json={"instances": [{"prompt": "a", "x" * 1_000_000: 1, "y z" * 1_000_000: 2}]}
    )

    for reply in (many, wrong, long_names):
        assert reply.status_code == 422
        assert len(reply.text) < 2000
    assert "instances should have at most 1024 items, got a list of 100000" in many.text
    assert "and 990 more" in wrong.text


def test_temperature_zero_contradicts_sampling(client):
    reply = client.post("/predict", json={"instances": ["a"], "parameters": {"do_sample": True, "temperature": 0}})

    assert reply.status_code == 422
    assert "do_sample is true but temperature is 0" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"instances": ["a"], "parameters": {"temperature": NaN}}',
        b'{"instances": ["a"], "parameters": {"temperature": Infinity}}',
        b'{"instances": ["\\ud800"]}',
        b"[" * 100_000,
    ],
    ids=["empty", "cut", "binary", "nan", "infinity", "lone surrogate", "deep"],
)
def test_what_is_not_json_is_refused_with_400(client, raw):
    reply = client.post("/predict", content=raw)

    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("the body is not JSON: ")


def test_a_body_above_ten_megabytes_is_refused_with_413_declared_or_not(client):
    raw = b'{"instances": ["' + b"a" * 10_000_000 + b'"]}'
    declared = client.post("/predict", content=raw)
    chunked = client.post("/predict", content=iter([raw]))

    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert "at most 10000000 are allowed" in declared.json()["error"]["message"]


def test_a_compressed_body_is_refused_before_it_is_undone(client):
    reply = client.post("/predict", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})

    assert reply.status_code == 415


def test_a_prompt_that_is_too_long_is_refused_with_its_length_and_the_limit(client):
    tokens = client.post("/predict", json={"instances": ["Anna " * 1500]})
    chars = client.post("/predict", json={"instances": ["x" * 40_000]})

    assert (tokens.status_code, chars.status_code) == (422, 422)
    assert "tokens; at most 1024 are allowed" in tokens.json()["error"]["message"]
    assert "the prompt has 40000 characters; at most 1024 tokens" in chars.json()["error"]["message"]


def test_a_prompt_that_is_too_long_is_cut_when_that_is_asked(client):
    assert predict(client, ["Anna " * 9000], truncate=True, max_new_tokens=4)


def test_unknown_paths_and_methods_get_the_same_error_shape(client):
    assert client.get("/nowhere").json()["error"]["code"] == 404
    assert client.get("/predict").json()["error"]["code"] == 405


def test_the_api_page_describes_the_request_and_every_refusal(client):
    assert client.get("/docs").status_code == 200
    route = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    schema = route["requestBody"]["content"]["application/json"]["schema"]

    assert set(route["responses"]) == {"200", "400", "401", "404", "413", "415", "422", "429", "500", "503", "504"}
    assert schema["properties"]["parameters"]["anyOf"][0]["properties"]["temperature"]["description"]
    assert "$ref" not in json.dumps(schema)


def test_metrics_say_what_was_received_and_how_it_ended(client):
    def read():
        lines = client.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    before = read()
    predict(client, ["a", "b"], max_new_tokens=3)
    client.post("/predict", content=b"{")
    after = read()
    grown = {name: after[name] - before.get(name, 0) for name in after}

    assert grown["serving_requests_received_total"] == 2
    assert grown["serving_requests_succeeded_total"] == 1
    assert grown['serving_requests_failed_total{reason="malformed_body"}'] == 1
    assert 2 <= grown["serving_generated_tokens_total"] <= 6
    assert grown["serving_request_duration_seconds_count"] == 2
    assert (after["serving_ready"], after["serving_requests_running"]) == (1, 0)


def read_stream(reply):
    events = reply.text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


def test_a_stream_gives_each_instance_its_text_in_pieces_and_one_end(client):
    prompts = ["Anna asks Ben", "Tom: when is the meeting?"]
    whole = predict(client, prompts, max_new_tokens=12)
    reply = client.post("/predict", json={"instances": prompts, "parameters": {"max_new_tokens": 12}, "stream": True})
    events = read_stream(reply)

    assert reply.headers["content-type"].startswith("text/event-stream")
    for index, text in enumerate(whole):
        mine = [event for event in events if event["index"] == index]
        assert "".join(event.get("text", "") for event in mine) == text
        assert len(mine) > 2
        assert [event for event in mine if "finish_reason" in event] == mine[-1:]


def test_a_stream_that_cannot_start_is_an_ordinary_error(client):
    reply = client.post("/predict", json={"instances": ["a"], "parameters": {"top_k": -1}, "stream": True})

    assert reply.status_code == 422


@pytest.mark.parametrize(
    "instance",
    [
        [["Who is Anna?"]],
        {"inputs": "Who is Anna?"},
        {"inputs": "Who is Anna?", "parameters": {"max_new_tokens": 12}},
        {"prompt": "Who is Anna?", "parameters": None, "max_new_tokens": 12},
    ],
)
def test_older_shapes_of_an_instance_mean_the_same(client, instance):
    assert predict(client, [instance], max_new_tokens=12) == predict(client, ["Who is Anna?"], max_new_tokens=12)


def test_an_instances_parameters_in_an_object_win_over_the_shared_ones(client):
    nested = {"inputs": "Anna asks", "parameters": {"max_new_tokens": 2}}

    assert predict(client, [nested], max_new_tokens=12) == predict(client, ["Anna asks"], max_new_tokens=2)


def test_metadata_counts_the_tokens_of_each_prediction_and_of_all(client, reference):
    tokenizer, _ = reference
    prompts = ["Anna asks Ben", "Tom"]
    body = {"instances": prompts, "parameters": {"max_new_tokens": 5}}

    metadata = client.post("/predict", json=body).json()["metadata"]

    counts = metadata["predictions"]
    assert [one["num_prompt_tokens"] for one in counts] == [len(tokenizer(prompt).input_ids) for prompt in prompts]
    assert all(one["num_tokens"] == 5 or one["finish_reason"] == "eos" for one in counts)
    assert metadata["num_tokens"] == sum(one["num_tokens"] for one in counts)
    assert metadata["num_prompt_tokens"] == sum(one["num_prompt_tokens"] for one in counts)


@pytest.mark.parametrize("media", ["application/jsonl", "application/x-ndjson; charset=utf-8"])
def test_lines_of_instances_get_lines_of_instance_and_prediction(client, media):
    lines = ["Anna asks", {"prompt": "Tom", "max_new_tokens": 3}]
    raw = "".join(json.dumps(line) + "\n" for line in lines)

    reply = client.post("/predict", content=raw, headers={"content-type": media})
    told = [json.loads(line) for line in reply.text.splitlines()]

    assert reply.headers["content-type"] == "application/jsonlines"
    assert [one["instance"] for one in told] == lines
    assert told[1]["prediction"] == predict(client, [lines[1]])[0]


@pytest.mark.parametrize(
    ("raw", "status", "sentence"),
    [
        (b"\n \n", 400, "the body has no lines"),
        (b'"a"\n{', 400, "line 2 of the body is not JSON"),
        (b'"a"\n' * 33, 400, "the body has 33 lines; at most 32"),
        (b'"a"\n3', 422, "instances[1] should be"),
    ],
)
def test_bad_lines_are_refused_by_number(client, raw, status, sentence):
    reply = client.post("/predict", content=raw, headers={"content-type": "application/jsonl"})

    assert reply.status_code == status
    assert sentence in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("nesting", "shape"), [(True, [[str, str]]), ("once", [[str, str]]), ("twice", [[[str], [str]]])]
)
def test_the_demos_nested_answers_are_one_setting_away(serve, nesting, shape):
    def typed(value):
        return [typed(item) for item in value] if isinstance(value, list) else type(value)

    url = serve(legacy_nesting=nesting).url

    body = httpx.post(url + "/predict", json={"instances": ["Anna", "Ben"]}, timeout=60).json()

    assert body.keys() == {"predictions"}
    assert typed(body["predictions"]) == shape


def test_a_shared_endpoints_limits_are_named_before_vertex_cuts(serve):
    url = serve(vertex_endpoint="shared").url
    large = httpx.post(url + "/predict", content=b"x" * 1_600_000)
    stream = httpx.post(url + "/predict", json={"instances": ["Anna"], "stream": True})

    assert large.status_code == 413
    assert "at most 1572864 are allowed (a shared endpoint of Vertex AI takes at most 1.5 MB" in large.text
    assert stream.status_code == 422
    assert "a shared endpoint of Vertex AI does not stream; use a dedicated one" in stream.text


def test_a_deadline_says_when_vertex_would_have_cut(serve, break_engine):
    break_engine(lambda running: time.sleep(0.05))
    url = serve(vertex_endpoint="dedicated", vertex_timeout_s=0.3, max_new_tokens=1000).url
    body = {"instances": ["Anna asks Ben"], "parameters": {"max_new_tokens": 1000, "repetition_penalty": 1.0}}

    whole = httpx.post(url + "/predict", json=body, timeout=60)
    stream = httpx.post(url + "/predict", json=body | {"stream": True}, timeout=60)

    assert whole.status_code == 504
    why = "Vertex AI ends requests to this dedicated endpoint after 0.3 s"
    assert why in whole.json()["error"]["message"]
    assert why in stream.text.split("event: error")[1]


def test_vertex_ai_itself_means_a_dedicated_endpoint():
    free = limits_of(ServerConfig())
    dedicated = limits_of(ServerConfig(aip_mode="PREDICTION"))

    assert (free.max_bytes > 10**12, free.timeout_s) == (True, math.inf)
    assert (dedicated.max_bytes, dedicated.timeout_s) == (10 * 1024 * 1024, 600)


def test_an_answer_larger_than_the_endpoint_lets_through_is_refused_with_its_size():
    with pytest.raises(InvalidRequest, match=r"the answer has 1600000 bytes and a shared endpoint .* 1\.5 MB each way"):
        SHARED.check_answer(1_600_000)


def test_the_log_says_which_deployed_model_of_which_endpoint_this_is(start_server):
    server = start_server(AIP_MODE="PREDICTION", AIP_ENDPOINT_ID="4711", AIP_DEPLOYED_MODEL_ID="8")

    assert server.url

    assert "started by Vertex AI: AIP_DEPLOYED_MODEL_ID=8, AIP_ENDPOINT_ID=4711, AIP_MODE=PREDICTION" in server.log
