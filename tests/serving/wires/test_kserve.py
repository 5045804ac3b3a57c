"""KServe v2's and Triton's wire of a real server process, over loopback.

The cases of binary headers follow the ideas of Triton's conformance tests for Vertex AI and SageMaker.
"""

import json
import struct

import pytest

NAME = "tiny-t5"
PROMPT = "Anna asks Ben to bring bread."
INFER, TOKENS = f"/v2/models/{NAME}/infer", "/v2/models/fastertransformer/infer"
LENGTH = "Inference-Header-Content-Length"


def text_tensor(*texts, **more):
    return {"name": "text_input", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts), **more}


def tensor(name, *values, datatype="UINT32", **more):
    return {"name": name, "datatype": datatype, "shape": [len(values), 1], "data": [[one] for one in values], **more}


def infer(client, *inputs, path=INFER, **body):
    return client.post(path, json={"inputs": list(inputs), **body})


def outputs(reply):
    assert reply.status_code == 200, reply.text
    return {one["name"]: one for one in reply.json()["outputs"]}


@pytest.fixture
def text(client):
    reply = client.post("/predict", json={"instances": [PROMPT], "parameters": {"max_new_tokens": 12}})
    return reply.json()["predictions"][0]


@pytest.fixture
def ids(reference):
    tokenizer, _ = reference
    return tokenizer(PROMPT).input_ids


def token_tensors(ids, *, padding=0, **columns):
    columns = {"max_output_len": 12, "runtime_top_k": 1, **columns}
    return [
        {"name": "input_ids", "datatype": "UINT32", "shape": [1, len(ids) + padding], "data": [[*ids, *[0] * padding]]},
        tensor("sequence_length", len(ids)),
        *(tensor(name, value) for name, value in columns.items() if value is not None),
    ]


def test_texts_get_texts_with_their_counts(client, text):
    reply = infer(client, text_tensor(PROMPT, PROMPT), parameters={"max_tokens": 12}, id="42")
    told = outputs(reply)

    assert told["text_output"] == {"name": "text_output", "datatype": "BYTES", "shape": [2], "data": [text, text]}
    assert told["num_tokens"]["datatype"] == "INT32"
    assert set(told["finish_reason"]["data"]) <= {"eos", "length"}
    assert (reply.json()["id"], reply.json()["model_name"], reply.json()["model_version"]) == ("42", NAME, "1")


def test_only_the_wanted_outputs_are_told(client):
    reply = infer(client, text_tensor(PROMPT), outputs=[{"name": "num_tokens"}], parameters={"max_tokens": 3})

    assert outputs(reply).keys() == {"num_tokens"}


def test_a_column_of_texts_is_texts_too(client, text):
    column = {"name": "text_input", "datatype": "BYTES", "shape": [1, 1], "data": [[PROMPT]]}

    assert outputs(infer(client, column, parameters={"max_tokens": 12}))["text_output"]["data"] == [text]


def test_token_tensors_get_the_tokens_of_the_same_answer(client, ids, reference, text):
    tokenizer, _ = reference
    told = outputs(infer(client, *token_tensors(ids, padding=5), path=TOKENS))
    (length,) = told["sequence_length"]["data"]

    assert told["output_ids"]["shape"] == [1, 1, length]
    assert tokenizer.decode(told["output_ids"]["data"][:length], skip_special_tokens=True) == text


def test_rows_of_token_tensors_have_their_own_lengths_and_parameters(client, ids):
    rows = [
        {
            "name": "input_ids",
            "datatype": "INT64",
            "shape": [2, len(ids)],
            "data": [*ids, *ids[:2], 1, *[0] * (len(ids) - 3)],
        },
        {"name": "sequence_length", "datatype": "INT32", "shape": [2], "data": [len(ids), 3]},
        tensor("max_output_len", 12, 2),
        tensor("beam_width", 1, 1),
        tensor("is_return_log_probs", False, False, datatype="BOOL"),
    ]
    alone = outputs(infer(client, *token_tensors(ids), path=TOKENS))
    told = outputs(infer(client, *rows, path=TOKENS))
    width = told["output_ids"]["shape"][2]

    assert told["sequence_length"]["data"] == [alone["sequence_length"]["data"][0], 2]
    assert told["output_ids"]["data"][: len(alone["output_ids"]["data"])] == alone["output_ids"]["data"]
    assert told["output_ids"]["data"][width + 2 :] == [0] * (width - 2)


def test_a_seed_repeats_a_drawn_answer(client, ids):
    drawn = [
        outputs(infer(client, *token_tensors(ids, runtime_top_k=50, random_seed=seed), path=TOKENS))["output_ids"][
            "data"
        ]
        for seed in (1, 1, 2)
    ]

    assert (drawn[0] == drawn[1], drawn[0] == drawn[2]) == (True, False)


def packed(*texts):
    return b"".join(struct.pack("<I", len(one.encode())) + one.encode() for one in texts)


def binary(head, rest, **headers):
    raw = json.dumps(head).encode()
    return {"content": raw + rest, "headers": {LENGTH: str(len(raw)), **headers}}


def binary_text(*texts, **more):
    rest = packed(*texts)
    told = {
        "name": "text_input",
        "datatype": "BYTES",
        "shape": [len(texts)],
        "parameters": {"binary_data_size": len(rest)},
    }
    return {"inputs": [told], "parameters": {"max_tokens": 12}, **more}, rest


def test_bytes_behind_the_json_are_read_and_written(client, text):
    head, rest = binary_text(PROMPT)
    head["parameters"]["binary_data_output"] = True
    head["outputs"] = [{"name": "text_output"}, {"name": "num_tokens", "parameters": {"binary_data": False}}]

    reply = client.post(INFER, **binary(head, rest))
    size = int(reply.headers[LENGTH])
    told = json.loads(reply.content[:size])

    assert reply.headers["content-type"] == "application/octet-stream"
    assert told["outputs"][0]["parameters"] == {"binary_data_size": 4 + len(text.encode())}
    assert reply.content[size:] == packed(text)
    assert told["outputs"][1]["data"][0] <= 12


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/invocations", "application/vnd.sagemaker-triton.binary+json"),
        ("/predict", "application/vnd.vertex-ai-triton.binary+json"),
    ],
)
def test_through_a_cloud_the_size_of_the_json_stands_in_the_media_type(client, text, path, kind):
    head, rest = binary_text(PROMPT)
    head["outputs"] = [{"name": "text_output", "parameters": {"binary_data": True}}]
    raw = json.dumps(head).encode()

    reply = client.post(path, content=raw + rest, headers={"content-type": f"{kind};json-header-size={len(raw)}"})
    got, size = reply.headers["content-type"].split(";json-header-size=")

    assert (got, reply.content[int(size) :]) == (kind, packed(text))


@pytest.mark.parametrize("path", ["/invocations", "/predict"])
def test_through_a_cloud_the_json_alone_is_answered_and_refused_in_this_protocol(client, path, text):
    answer = infer(client, text_tensor(PROMPT), parameters={"max_tokens": 12}, path=path)
    refusal = infer(client, {"name": "x"}, path=path)

    assert outputs(answer)["text_output"]["data"] == [text]
    assert (refusal.status_code, list(refusal.json())) == (400, ["error"])


@pytest.mark.parametrize("header", ["abc", "-5", "99999999", "9" * 40, "", "1.5"])
def test_a_malformed_size_of_the_json_is_refused(client, header):
    head, rest = binary_text(PROMPT)
    call = binary(head, rest)
    call["headers"][LENGTH] = header

    reply = client.post(INFER, **call)

    assert reply.status_code == 400
    assert LENGTH in reply.json()["error"]


@pytest.mark.parametrize("size", ["abc", "-5", "99999999", "9" * 40, "", "1.5", None])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/invocations", "application/vnd.sagemaker-triton.binary+json"),
        ("/predict", "application/vnd.vertex-ai-triton.binary+json"),
    ],
)
def test_through_a_cloud_a_malformed_size_of_the_json_is_refused(client, path, kind, size):
    head, rest = binary_text(PROMPT)
    content_type = kind if size is None else f"{kind};json-header-size={size}"

    reply = client.post(path, content=json.dumps(head).encode() + rest, headers={"content-type": content_type})

    assert (reply.status_code, list(reply.json())) == (400, ["error"])


@pytest.mark.parametrize("size", [-1, "4", 10**6, True])
def test_a_malformed_size_of_a_tensor_is_refused(client, size):
    head, rest = binary_text(PROMPT)
    head["inputs"][0]["parameters"]["binary_data_size"] = size

    reply = client.post(INFER, **binary(head, rest))

    assert reply.status_code == 400
    assert "binary_data_size" in reply.json()["error"]


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        (b"\x05\x00\x00", "its bytes end inside the length of element 0"),
        (b"\x05\x00\x00\x00abc", "element 0 is said to have 5 bytes, 3 are left"),
        (b"\x01\x00\x00\x00\xff", "element 0 is not text in UTF-8"),
        (packed("a", "b"), "shape [1] needs 1 elements, got 2"),
    ],
)
def test_malformed_bytes_are_refused_by_element(client, rest, sentence):
    head, _ = binary_text(PROMPT)
    head["inputs"][0]["parameters"]["binary_data_size"] = len(rest)

    reply = client.post(INFER, **binary(head, rest))

    assert reply.status_code == 400
    assert sentence in reply.json()["error"]


def test_bytes_that_belong_to_nothing_are_refused(client):
    head, rest = binary_text(PROMPT)

    assert "3 bytes behind the JSON belong to no input" in client.post(INFER, **binary(head, rest + b"abc")).text


IDS = [5, 6, 1]
REFUSED = [
    (INFER, [], "inputs should have at least 1 item"),
    (INFER, [text_tensor(PROMPT, datatype="TEXT")], "datatype 'TEXT' is not known, known are BYTES, BOOL"),
    (INFER, [text_tensor(PROMPT, shape=[2])], "shape [2] needs 2 elements, got 1"),
    (INFER, [text_tensor(PROMPT, shape=[-1])], "shape should have no negative size"),
    (INFER, [text_tensor(PROMPT, shape=[1, 1, 1])], "shape should be [n] or [n, 1]"),
    (INFER, [text_tensor()], "should have at least 1 row"),
    (INFER, [text_tensor(5)], "element 0 should be BYTES, got 5"),
    (INFER, [text_tensor("")], "prompt should have at least 1 character"),
    (INFER, [text_tensor(PROMPT), text_tensor(PROMPT)], "input text_input is there twice"),
    (INFER, [tensor("x", 1)], "input 'x' is not known, known are text_input"),
    (INFER, [text_tensor(*["a"] * 33)], "rows: got 33, at most 32"),
    (INFER, [text_tensor(*["a"] * 2000)], "shape [2000] has more than 1024 elements, the most of BYTES"),
    (TOKENS, [tensor("input_ids", *range(300_000))], "has more than 262144 elements, the most of UINT32"),
    (TOKENS, [tensor("input_ids", *range(1025)), tensor("sequence_length", 1)], "should have at most 1024 rows"),
    (INFER, [text_tensor(PROMPT, parameters={"shared_memory_region": "r"})], "shared memory is not read here"),
    (INFER, [text_tensor(PROMPT, extra=1)], "inputs[0].extra is not known"),
    (TOKENS, [tensor("sequence_length", 3)], "input input_ids is missing"),
    (TOKENS, token_tensors(IDS)[:1], "input sequence_length is missing"),
    (TOKENS, token_tensors(IDS, padding=-3), "shape [1, 0] needs 0 elements, got 3"),
    (TOKENS, [token_tensors(IDS)[0], tensor("sequence_length", 9)], "row 0 should be 1 to 3, the width of input_ids"),
    (TOKENS, [token_tensors(IDS)[0], tensor("sequence_length", 3, 3)], "shape should be [1, 1], got [2, 1]"),
    (TOKENS, [token_tensors([5, 10**9, 1])[0], tensor("sequence_length", 3)], "token ids must be below"),
    (TOKENS, [token_tensors([5, -1, 1])[0], tensor("sequence_length", 3)], "element 1 should be UINT32, got -1"),
    (TOKENS, token_tensors(IDS, beam_width=9), "beam_width must be at most 8"),
    (TOKENS, token_tensors(IDS, max_output_len=9999), "max_new_tokens must be at most 512"),
    (TOKENS, [*token_tensors(IDS), tensor("bad_words_list", 1)], "input 'bad_words_list' is not known"),
]


@pytest.mark.parametrize(("path", "inputs", "sentence"), REFUSED)
def test_a_bad_tensor_is_refused_in_this_protocols_shape(client, path, inputs, sentence):
    reply = infer(client, *inputs, path=path)

    assert reply.status_code == 400
    assert list(reply.json()) == ["error"]
    assert sentence in reply.json()["error"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"parameters": {"max_token": 3}}, "did you mean"),
        ({"parameters": {"timeout": -1}}, "timeout should be a number of microseconds"),
        ({"outputs": [{"name": "y"}]}, "output 'y' is not known, known are text_output"),
        ({"outputs": [{"name": "text_output", "parameters": {"classification": 2}}]}, "neither shared memory nor"),
        ({"input": []}, "did you mean inputs?"),
    ],
)
def test_a_bad_request_is_refused_in_this_protocols_shape(client, body, sentence):
    reply = infer(client, text_tensor(PROMPT), **body)

    assert reply.status_code == 400
    assert sentence in reply.json()["error"]


def test_generate_takes_parameters_beside_the_text_or_in_an_object(client, text):
    flat = client.post(f"/v2/models/{NAME}/generate", json={"text_input": PROMPT, "max_tokens": 12, "stream": False})
    nested = client.post(
        f"/v2/models/{NAME}/versions/1/generate",
        json={"id": "7", "text_input": PROMPT, "parameters": {"max_tokens": 12}},
    )

    assert flat.json()["text_output"] == nested.json()["text_output"] == text
    assert nested.json()["id"] == "7"


def test_generate_stream_tells_pieces_and_why_it_ended(client, text):
    reply = client.post(f"/v2/models/{NAME}/generate_stream", json={"text_input": PROMPT, "max_tokens": 12})
    events = [json.loads(event.removeprefix("data: ")) for event in reply.text.strip().split("\n\n")]

    assert "".join(event["text_output"] for event in events) == text
    assert events[-1]["finish_reason"] in ("eos", "length")


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (f"/v2/models/{NAME}/generate", {}, "text_input is missing"),
        (f"/v2/models/{NAME}/generate", [], "the body should be an object"),
        (f"/v2/models/{NAME}/generate", {"text_input": 5}, "prompt should be a string"),
        (f"/v2/models/{NAME}/generate", {"text_input": "a", "parameters": 5}, "parameters should be an object"),
        (f"/v2/models/{NAME}/generate_stream", {"text_input": "a", "top_p": 7}, "top_p should be less"),
        ("/v2/models/fastertransformer/generate", {"text_input": "a"}, "fastertransformer reads token ids"),
    ],
)
def test_a_bad_generate_is_refused_in_this_protocols_shape(client, path, body, sentence):
    reply = client.post(path, json=body)

    assert reply.status_code == 400
    assert sentence in reply.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/models/other/infer", 404),
        ("POST", f"/v2/models/{NAME}/versions/2/infer", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("POST", f"/v2/repository/models/{NAME}/load", 405),
        ("GET", INFER, 405),
        ("GET", "/v2/nowhere", 404),
    ],
)
def test_what_is_not_there_or_not_done_is_refused_in_this_protocols_shape(client, method, path, status):
    reply = client.request(method, path, json={"inputs": [text_tensor("a")]} if method == "POST" else None)

    assert (reply.status_code, list(reply.json())) == (status, ["error"])


def test_server_and_models_describe_themselves(client):
    assert client.get("/v2").json()["extensions"] == [
        "binary_tensor_data",
        "generate",
        "model_configuration",
        "model_repository",
    ]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get(f"/v2/models/{NAME}/ready").json() == {"name": NAME, "ready": True}
    text, tokens = (client.get(f"/v2/models/{name}").json() for name in (NAME, "fastertransformer"))
    assert text["inputs"] == [{"name": "text_input", "datatype": "BYTES", "shape": [-1]}]
    assert [one["name"] for one in tokens["outputs"]] == ["output_ids", "sequence_length"]
    assert client.get(f"/v2/models/{NAME}/config").json()["input"][0]["data_type"] == "TYPE_STRING"
    assert [one["state"] for one in client.post("/v2/repository/index").json()] == ["READY", "READY"]


def test_a_timeout_in_microseconds_ends_a_request(client):
    reply = infer(client, text_tensor(PROMPT), parameters={"timeout": 1, "max_tokens": 500})

    assert (reply.status_code, list(reply.json())) == (504, ["error"])
