"""Beam search through every wire that has a word for it, over loopback: of a decoder alone, and of a T5."""

import json
import threading
import time

import httpx
import pytest
import torch

from tests.serving.wires.conftest import SHORT

PROMPT = "Anna asks Ben to bring bread."
OTHER = "Tom: when?"
ASKED = "Who asks?"  # of either model the best of four beams is another answer than the greedy one


@pytest.fixture(scope="module", params=["gpt2", "tiny-t5"])
def folder(request, gpt2, tiny):
    """Its name is the model's."""
    return gpt2 if request.param == "gpt2" else tiny


@pytest.fixture(scope="module")
def search(folder):
    """What transformers' own beam search answers."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    is_decoder = folder.name == "gpt2"
    model = (AutoModelForCausalLM if is_decoder else AutoModelForSeq2SeqLM).from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def search(prompt, **options):
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        wanted = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0} | options
        num_given = ids.shape[1] if is_decoder else 1
        return model.generate(ids, attention_mask=torch.ones_like(ids), **wanted)[0, num_given:].tolist()

    return search, lambda ids: tokenizer.decode(ids, skip_special_tokens=True), lambda text: tokenizer(text).input_ids


@pytest.fixture
def asked(serve, folder):
    """A client of a server over the model."""
    clients = []

    def asked(**settings):
        clients.append(httpx.Client(base_url=serve(model_dir=folder, **SHORT, **settings).url, timeout=60))
        return clients[-1]

    yield asked
    for client in clients:
        client.close()


def events(text):
    told = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(one) for one in told if one != "[DONE]"]


def test_every_wire_finds_the_best_beam_by_its_own_words(asked, search, folder):
    generate, decode, encode = search
    wanted = decode(generate(ASKED, num_beams=4, length_penalty=2.0, early_stopping=True))
    settings = {"num_beams": 4, "length_penalty": 2.0, "early_stopping": True}
    vllm = {"use_beam_search": True, "best_of": 4, "length_penalty": 2.0, "early_stopping": True}
    ids = encode(ASKED)
    best = generate(ASKED, num_beams=4, length_penalty=0.0)
    tensors = [
        {"name": name, "datatype": datatype, "shape": [1, len(data)], "data": data}
        for name, datatype, data in [
            ("input_ids", "UINT32", ids),
            ("sequence_length", "UINT32", [len(ids)]),
            ("max_output_len", "UINT32", [12]),
            ("runtime_top_k", "UINT32", [1]),
            ("beam_width", "UINT32", [4]),
        ]
    ]
    server, name = asked(), folder.name
    # a decoder's answer goes on from its prompt, which TorchServe's clients expect to see
    echo = ASKED if name == "gpt2" else ""

    def post(path, **body):
        reply = server.post(path, json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    assert wanted != decode(generate(ASKED))
    assert post("/predict", instances=[ASKED], parameters=settings)["predictions"] == [wanted]
    assert post("/infer", instances=[ASKED], config=settings)["predictions"] == [wanted]
    assert post(f"/predictions/{name}", instances=[ASKED], parameters=settings)["predictions"] == [echo + wanted]
    assert post("/invocations", inputs=ASKED, parameters=settings) == [{"generated_text": wanted}]
    assert post("/v1/completions", model=name, prompt=ASKED, **vllm)["choices"][0]["text"] == wanted
    assert post(f"/v2/models/{name}/generate", text_input=ASKED, parameters=settings)["text_output"] == wanted
    assert (
        post(f"/v2/models/{name}/generate", text_input=ASKED, beam_width=4, length_penalty=2.0, early_stopping=True)[
            "text_output"
        ]
        == wanted
    )
    outputs = {
        one["name"]: one["data"] for one in post("/v2/models/fastertransformer/infer", inputs=tensors)["outputs"]
    }
    assert outputs["output_ids"] == best
    chat = post("/v1/chat/completions", model=name, messages=[{"role": "user", "content": ASKED}], **vllm)
    assert chat["choices"][0]["message"]["content"] == wanted


def test_instances_with_their_own_beams_share_a_request(asked, search):
    generate, decode, _ = search
    instances = [ASKED, {"prompt": OTHER, "num_beams": 3}, {"prompt": ASKED, "num_beams": 2}, {"prompt": OTHER}]

    reply = asked().post("/predict", json={"instances": instances})

    told = [generate(ASKED), generate(OTHER, num_beams=3), generate(ASKED, num_beams=2), generate(OTHER)]
    assert reply.json()["predictions"] == [decode(ids) for ids in told]


def test_a_streamed_beam_answer_is_the_whole_one(asked, search):
    generate, decode, _ = search
    body = {"instances": [ASKED], "parameters": {"num_beams": 3}, "stream": True}

    reply = asked().post("/predict", json=body)

    assert "".join(event.get("text", "") for event in events(reply.text)) == decode(generate(ASKED, num_beams=3))


@pytest.fixture
def slow_model(monkeypatch):
    """20 ms added to each step of either model; when each began."""
    from transformers import GPT2LMHeadModel

    from serving.engine.continuous.searches import Searches

    steps = []
    for owner, name in ((GPT2LMHeadModel, "forward"), (Searches, "advance")):
        monkeypatch.setattr(owner, name, slowed(getattr(owner, name), steps))
    return steps


def slowed(step, steps):
    def slowly(*args, **options):
        steps.append(time.monotonic())
        time.sleep(0.02)
        return step(*args, **options)

    return slowly


def gauge(client, name):
    page = client.get("/metrics").text
    return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name + " "))


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_client_that_leaves_a_beam_search_frees_its_rows(slow_model, asked):
    server = asked()
    body = {"instances": [PROMPT], "parameters": {"num_beams": 4, "max_new_tokens": 64}}
    server.post("/predict", json=body)
    whole = len(slow_model)
    leaver = httpx.Client(base_url=server.base_url, timeout=0.3)

    with leaver, pytest.raises(httpx.ReadTimeout):
        leaver.post("/predict", json=body)

    wait_for(lambda: gauge(server, "serving_sequences_running") == 0)
    assert len(slow_model) - whole < whole


def test_a_beam_search_that_takes_longer_than_its_deadline_is_504(slow_model, asked):
    server = asked()
    body = {"instances": [PROMPT], "parameters": {"num_beams": 4, "max_new_tokens": 64}}

    server.post("/predict", json=body)
    whole = len(slow_model)
    reply = server.post("/predict", json=body, headers={"X-Request-Timeout-S": "0.3"})

    assert reply.status_code == 504
    wait_for(lambda: gauge(server, "serving_sequences_running") == 0)
    assert len(slow_model) - whole < whole


def test_a_long_beam_search_is_no_stalled_engine(slow_model, asked):
    body = {"instances": [PROMPT], "parameters": {"num_beams": 2, "max_new_tokens": 64}}

    # 64 steps of more than 20 ms without a token to show
    assert asked(engine_stall_s=0.5).post("/predict", json=body).status_code == 200


def test_greedy_requests_and_beams_of_many_clients_all_get_their_own(asked, search):
    generate, decode, _ = search
    server = asked(max_batch_size=6)
    wants = [{}, {"num_beams": 3}, {"num_beams": 6}, {"num_beams": 2, "length_penalty": 0.0}] * 3
    told = [None] * len(wants)

    def ask(number):
        body = {"instances": [PROMPT], "parameters": wants[number]}
        told[number] = server.post("/predict", json=body).json()["predictions"][0]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(wants))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == [decode(generate(PROMPT, **want)) for want in wants]


REFUSED = [
    ({"num_beams": 9}, "num_beams must be at most 6 (MAX_BEAMS, MAX_BATCH_SIZE and the memory allow no more), got 9"),
    ({"num_beams": 0}, "parameters.num_beams should be greater than or equal to 1, got 0"),
    ({"num_beams": 2.5}, "parameters.num_beams should be an integer, got 2.5"),
    ({"num_beams": 4, "temperature": 0.7}, "a beam search draws nothing: leave those out, or num_beams"),
    ({"num_beams": 4, "do_sample": True}, "num_beams is 4 and sampling is asked for"),
    ({"length_penalty": 2}, "length_penalty is of beam search, got num_beams 1; send more beams, or leave it out"),
    ({"early_stopping": True}, "early_stopping is of beam search, got num_beams 1"),
    ({"num_beams": 4, "length_penalty": 6}, "parameters.length_penalty should be less than or equal to 5, got 6"),
    ({"num_beams": 4, "early_stopping": "yes"}, 'parameters.early_stopping should be a boolean, got "yes"'),
    ({"num_beams": 4, "num_return_sequences": 4}, "parameters.num_return_sequences should be less than or equal to 1"),
    (
        {"num_beams": 6, "max_new_tokens": 60},
        "new ones are 402, at most 400 fit the batch; ask for fewer",
    ),
]


def test_what_cannot_be_had_with_beams_is_refused_with_a_sentence(asked):
    server = asked(max_batch_size=6, max_batch_tokens=400)
    for parameters, sentence in REFUSED:
        reply = server.post("/predict", json={"instances": [PROMPT], "parameters": parameters})

        assert reply.status_code == 422, (parameters, reply.text)
        assert sentence in reply.json()["error"]["message"], reply.text


def test_a_request_whose_beams_could_never_wait_together_is_told_so_and_not_to_come_again(asked):
    server = asked(max_waiting_tokens=1000)
    body = {"instances": [PROMPT] * 7, "parameters": {"num_beams": 8}}

    reply = server.post("/predict", json=body)

    assert reply.status_code == 422
    assert "7 predictions of this request come to hold 1064 tokens, each beam its own; at most 1000" in reply.text
    assert server.post("/predict", json=body | {"instances": [PROMPT] * 6}).status_code == 200


BEAMS_OF_OPENAI = [
    ({"use_beam_search": True}, "should have a best_of above 1, the number of beams, with use_beam_search"),
    ({"use_beam_search": True, "best_of": 4, "n": 4}, "should have n: 1 with use_beam_search, got 4"),
    ({"best_of": 4}, "should have best_of equal to n (1), got 4"),
    ({"use_beam_search": True, "best_of": 9}, "best_of must be at most 8 (MAX_BEAMS"),
    ({"use_beam_search": True, "best_of": 4, "temperature": 1}, "best_of is 4 and sampling is asked for"),
    ({"use_beam_search": True, "best_of": 4, "logprobs": 1}, "best_of is 4 and logprobs are asked for"),
    ({"length_penalty": 2.0}, "length_penalty is of beam search"),
]


def test_vllms_words_for_beams_are_refused_where_they_cannot_be_done(asked, folder):
    server = asked()
    for more, sentence in BEAMS_OF_OPENAI:
        reply = server.post("/v1/completions", json={"model": folder.name, "prompt": PROMPT, **more})

        assert reply.status_code == 400, (more, reply.text)
        assert sentence in reply.json()["error"]["message"], reply.text


def test_a_t5_takes_the_settings_of_one_beam(client):
    plain = {"num_beams": 1, "length_penalty": 1, "early_stopping": False, "num_return_sequences": 1}

    assert client.post("/predict", json={"instances": [PROMPT], "parameters": plain}).status_code == 200
