"""OpenAI's wire of a real server process, over loopback."""

import json

import httpx
import pytest
import torch

from serving.chat import ChatTemplate, ChatTemplateError
from serving.traits import Traits
from tests.serving.wires.conftest import SHORT

NAME = "tiny-t5"
PROMPT = "Anna asks Ben to bring bread."


def complete(client, **body):
    reply = client.post("/v1/completions", json={"model": NAME, "prompt": PROMPT, "max_tokens": 12, **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


def chat(client, *messages, **body):
    messages = messages or ({"role": "user", "content": PROMPT},)
    reply = client.post("/v1/chat/completions", json={"model": NAME, "messages": messages, "max_tokens": 12, **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


def texts(answer):
    return [choice["text"] if "text" in choice else choice["message"]["content"] for choice in answer["choices"]]


def vertex(client, prompt=PROMPT, **parameters):
    body = {"instances": [prompt], "parameters": {"max_new_tokens": 12, **parameters}}
    return client.post("/predict", json=body).json()["predictions"][0]


def chunks(reply):
    events = reply.text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


def test_a_completion_and_a_chat_of_one_message_are_the_prediction_of_the_same_prompt(client):
    completion, turn = complete(client), chat(client)

    assert texts(completion) == texts(turn) == [vertex(client)]
    assert (completion["object"], turn["object"]) == ("text_completion", "chat.completion")
    assert turn["choices"][0]["message"]["role"] == "assistant"


def test_usage_counts_each_prompt_once_and_every_answer(client, reference):
    tokenizer, _ = reference
    prompts = [PROMPT, "Tom"]

    usage = complete(client, prompt=prompts, n=2, seed=1, ignore_eos=False)["usage"]

    assert usage["prompt_tokens"] == sum(len(tokenizer(prompt).input_ids) for prompt in prompts)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_choices_come_prompt_by_prompt(client):
    answer = complete(client, prompt=[PROMPT, "Tom"], n=2, temperature=0)

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    first, again, other, _ = texts(answer)
    assert (first, first == other) == (again, False)


def test_several_answers_are_drawn_apart_and_repeat_with_their_seed(client):
    drawn = texts(complete(client, n=4, seed=7))

    assert len(set(drawn)) > 1
    assert texts(complete(client, n=4, seed=7)) == drawn


def test_token_ids_are_a_prompt_too(client, reference):
    tokenizer, _ = reference
    ids = tokenizer(PROMPT).input_ids

    assert texts(complete(client, prompt=ids)) == texts(complete(client))
    assert texts(complete(client, prompt=[ids, ids])) == texts(complete(client)) * 2


def test_an_echo_begins_with_the_prompt(client):
    whole = texts(complete(client, echo=True))
    streamed = client.post(
        "/v1/completions", json={"model": NAME, "prompt": PROMPT, "max_tokens": 12, "echo": True, "stream": True}
    )

    assert whole == [PROMPT + texts(complete(client))[0]]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks(streamed)) == whole[0]


def test_a_stop_text_ends_the_answer_and_says_so(client):
    text = texts(complete(client))[0]
    stop = text[3:5]

    choice = complete(client, stop=[stop])["choices"][0]

    assert (choice["text"], choice["finish_reason"]) == (text[: text.find(stop)], "stop")
    assert complete(client, max_tokens=2)["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
def test_a_streams_pieces_are_the_whole_answer_of_each_choice(client, path):
    prompt = {"messages": [{"role": "user", "content": PROMPT}]} if "chat" in path else {"prompt": PROMPT}
    body = {"model": NAME, "max_tokens": 12, "n": 2, "seed": 3, **prompt}
    whole = client.post(path, json=body).json()
    told = chunks(client.post(path, json=body | {"stream": True, "stream_options": {"include_usage": True}}))

    pieces = {0: "", 1: ""}
    for chunk in told[:-1]:
        (choice,) = chunk["choices"]
        pieces[choice["index"]] += choice["text"] if "text" in choice else choice["delta"].get("content", "")
    assert list(pieces.values()) == texts(whole)
    assert (told[-1]["choices"], told[-1]["usage"]) == ([], whole["usage"])
    assert len({chunk["id"] for chunk in told}) == 1
    assert sum(chunk["choices"][0]["finish_reason"] is not None for chunk in told[:-1]) == 2


def expected_logprobs(reference, ids, *, num_top):
    """Of the model's own greedy answer, by transformers."""
    tokenizer, model = reference
    with torch.inference_mode():
        made = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)
        logprobs = model(input_ids=torch.tensor([ids]), decoder_input_ids=made[:, :-1]).logits[0].log_softmax(-1)
    tokens = made[0, 1:].tolist()
    if tokens[-1] == tokenizer.eos_token_id:
        tokens = tokens[:-1]
    taken = [logprobs[place, token].item() for place, token in enumerate(tokens)]
    return taken, [logprobs[place].topk(num_top).values.tolist() for place in range(len(tokens))]


def test_log_probabilities_are_those_of_transformers(client, reference):
    tokenizer, _ = reference
    taken, top = expected_logprobs(reference, tokenizer(PROMPT).input_ids, num_top=3)

    told = complete(client, logprobs=3)["choices"][0]["logprobs"]
    content = chat(client, logprobs=True, top_logprobs=3)["choices"][0]["logprobs"]["content"]

    assert told["token_logprobs"] == pytest.approx(taken, abs=1e-3)
    assert [one["logprob"] for one in content] == pytest.approx(taken, abs=1e-3)
    assert [list(values.values()) for values in told["top_logprobs"]] == [pytest.approx(one, abs=1e-3) for one in top]
    assert "".join(told["tokens"]).strip() == texts(complete(client))[0].strip()
    assert told["text_offset"] == [len("".join(told["tokens"][:place])) for place in range(len(taken))]


def test_a_streams_log_probabilities_are_those_of_the_whole_answer(client):
    body = {"model": NAME, "prompt": PROMPT, "max_tokens": 12, "logprobs": 2}
    whole = complete(client, logprobs=2)["choices"][0]["logprobs"]
    told = [
        chunk["choices"][0]["logprobs"]
        for chunk in chunks(client.post("/v1/completions", json=body | {"stream": True}))
    ]

    def streamed(name):
        return [value for one in told if one for value in one[name]]

    assert streamed("tokens") == whole["tokens"]
    assert streamed("text_offset") == whole["text_offset"]
    assert streamed("token_logprobs") == pytest.approx(whole["token_logprobs"], abs=1e-3)
    assert [one.keys() for one in streamed("top_logprobs")] == [one.keys() for one in whole["top_logprobs"]]


def test_sampling_does_not_change_what_log_probabilities_say(client):
    greedy = complete(client, logprobs=1)["choices"][0]["logprobs"]
    drawn = complete(client, logprobs=1, temperature=3, top_k=50, seed=2)["choices"][0]["logprobs"]

    assert drawn["top_logprobs"][0] == pytest.approx(greedy["top_logprobs"][0])
    assert drawn["token_logprobs"] != greedy["token_logprobs"]


def test_a_decoders_log_probabilities_are_those_of_transformers(serve, gpt2):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(gpt2), AutoModelForCausalLM.from_pretrained(gpt2).eval()
    ids = tokenizer(PROMPT).input_ids
    url = serve(model_dir=gpt2, **SHORT).url
    body = {"model": "gpt2", "prompt": PROMPT, "max_tokens": 6, "logprobs": 2}

    told = httpx.post(url + "/v1/completions", json=body, timeout=60).json()["choices"][0]["logprobs"]

    with torch.inference_mode():
        made = model.generate(torch.tensor([ids]), max_new_tokens=6, do_sample=False, pad_token_id=0)[0]
        logprobs = model(made[None, :-1]).logits[0, len(ids) - 1 :].log_softmax(-1)
    wanted = [logprobs[place, token].item() for place, token in enumerate(made[len(ids) :].tolist())]
    assert told["token_logprobs"] == pytest.approx(wanted[: len(told["tokens"])], abs=1e-3)


def test_the_model_is_listed_and_described(client):
    (card,) = client.get("/v1/models").json()["data"]

    assert (card["id"], card["object"]) == (NAME, "model")
    assert client.get(f"/v1/models/{NAME}").json() == card


COMPLETIONS, CHATS = "/v1/completions", "/v1/chat/completions"


def text(**body):
    return {"model": NAME, "prompt": "a", **body}


def turn(content="a", **body):
    return {"model": NAME, "messages": [{"role": "user", "content": content}], **body}


REFUSED = [
    (COMPLETIONS, {"prompt": "a"}, 400, "model is missing", "model"),
    (COMPLETIONS, text(model="other"), 404, "the model 'other' does not exist", "model"),
    (COMPLETIONS, {"model": NAME}, 400, "prompt is missing", "prompt"),
    (COMPLETIONS, text(prompt=5), 400, "prompt should be a text, a list of texts", "prompt"),
    (COMPLETIONS, text(prompt=[]), 400, "prompt should be a text", "prompt"),
    (COMPLETIONS, text(prompt=""), 400, "prompt should have at least 1 character", "prompt"),
    (COMPLETIONS, text(prompt=[99999]), 400, "token ids must be below", None),
    (COMPLETIONS, text(max_tokens=9999), 400, "max_tokens must be at most 512, got 9999", "max_tokens"),
    (COMPLETIONS, text(max_token=9), 400, "did you mean max_tokens?", "max_token"),
    (COMPLETIONS, text(best_of=3), 400, "best_of equal to n (1), got 3", None),
    (COMPLETIONS, text(suffix="b"), 400, "should not have suffix", None),
    (COMPLETIONS, text(logprobs=6), 400, "logprobs should be less than", "logprobs"),
    (COMPLETIONS, text(echo=True, logprobs=1), 400, "both echo and logprobs", None),
    (COMPLETIONS, text(prompt=["a"] * 20, n=2), 400, "got 40, at most 32", "prompts times n"),
    (COMPLETIONS, text(stream_options={}), 400, "stream: true where it has", None),
    (CHATS, turn(messages=[]), 400, "messages should have at least 1 item", "messages"),
    (CHATS, turn(messages=[{"role": "tool"}]), 400, "role should be 'system'", "messages[0].role"),
    (CHATS, turn([{"type": "image_url"}]), 400, "this model reads text", None),
    (CHATS, turn(tools=[{}]), 400, "should not have tools", None),
    (CHATS, turn(top_logprobs=2), 400, "logprobs: true where", None),
    (CHATS, [], 400, "the body should be an object", None),
    ("/v1/models/other", None, 404, "the model 'other' does not exist", "model"),
    ("/v1/nowhere", None, 404, "GET /v1/nowhere: Not Found", None),
]


@pytest.mark.parametrize(("path", "body", "status", "sentence", "param"), REFUSED)
def test_a_refusal_has_openais_shape(client, path, body, status, sentence, param):
    reply = client.get(path) if body is None else client.post(path, json=body)
    error = reply.json()["error"]

    assert reply.status_code == status
    assert error.keys() == {"message", "type", "param", "code"}
    assert sentence in error["message"]
    assert error["type"] == "invalid_request_error"
    assert param is None or error["param"] == param


def test_what_is_not_json_is_refused_in_openais_shape(client):
    reply = client.post("/v1/completions", content=b"{")

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "malformed_body")


def test_what_asks_for_nothing_is_accepted(client):
    neutral = {"frequency_penalty": 0.0, "presence_penalty": 0, "logit_bias": {}, "user": "someone", "suffix": None}

    assert texts(complete(client, **neutral)) == texts(complete(client))


def test_a_raw_prediction_with_openais_body_gets_openais_answer_and_refusal(client):
    answer = client.post("/predict", json=turn(PROMPT, max_tokens=12))
    refusal = client.post("/predict", json=text(n=0))

    assert texts(answer.json()) == [vertex(client)]
    assert refusal.status_code == 400
    assert refusal.json()["error"]["type"] == "invalid_request_error"


SYSTEM = {"role": "system", "content": "Be brief."}
USER, ASSISTANT = {"role": "user", "content": "Hi {{x}}"}, {"role": "assistant", "content": "Yes?"}


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([USER], "Hi {{x}}"),
        ([SYSTEM, USER], "Be brief.\n\nHi {{x}}"),
        ([SYSTEM, USER, ASSISTANT, USER], "Be brief.\n\nUser: Hi {{x}}\nAssistant: Yes?\nUser: Hi {{x}}\nAssistant:"),
    ],
)
def test_a_t5_reads_a_lone_message_as_it_is_and_turns_line_by_line(tiny, messages, prompt):
    assert ChatTemplate("", Traits(tiny)).prompt(messages) == prompt


def test_the_folders_own_template_is_used_and_the_settings_wins(tiny, tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "own {{ messages[0].content }}"}))
    other = tmp_path / "other.jinja"
    other.write_text("{{ raise_exception('one turn at most') if messages | length > 1 else messages[0].role }}")

    assert ChatTemplate("", Traits(tmp_path)).prompt([USER]) == "own Hi {{x}}"
    assert ChatTemplate(str(other), Traits(tmp_path)).prompt([USER]) == "user"
    with pytest.raises(Exception, match="the chat template refuses these messages: one turn at most"):
        ChatTemplate(str(other), Traits(tmp_path)).prompt([USER, USER])


def test_a_dolly_reads_its_instruction_template(dolly):
    assert ChatTemplate("", Traits(dolly)).prompt([USER]).endswith("### Instruction:\nHi {{x}}\n\n### Response:\n")


@pytest.mark.parametrize(("text", "sentence"), [(None, "cannot be read"), ("{{", "is no Jinja template")])
def test_a_template_that_cannot_be_used_is_named_at_the_start(tiny, tmp_path, text, sentence):
    path = tmp_path / "template"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ChatTemplateError, match=sentence):
        ChatTemplate(str(path), Traits(tiny))
