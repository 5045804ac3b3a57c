import json
import shutil

import httpx
import pytest

from serving.folder_defaults import BadTemplate, FolderDefaults, PromptTemplate
from serving.request import GenerateBody, TokensBody
from serving.validation import Limits, validate
from tests.serving.conftest import ROOT

NEWS = PromptTemplate("Summarize the following news article:\n{input}\nSummary:\n")
DIALOGUE = "Anna: Can you buy milk on the way home?\nTom: Sure, I will be there at six."
TEMPLATE = "summarize: Olga: Shall we play tennis on Sunday?\nTim: Yes, at nine!\n{input}"


class Letters:
    """A tokenizer whose tokens are letters."""

    num_tokens = 0x110000

    def encode(self, text):
        return [*map(ord, text), 1]


def read(body, template, limit=200):
    limits = Limits(max_input_tokens=limit, max_new_tokens=8, default_new_tokens=8)
    return validate(body, limits=limits, tokenizer=Letters(), template=template).prompt_ids


def text(ids):
    return "".join(map(chr, ids[:-1]))


@pytest.mark.parametrize("template", [PromptTemplate("summarize: {input}"), NEWS, PromptTemplate("{input}")])
def test_a_template_is_applied_once_however_often_a_prompt_meets_it(template):
    once = template.applied(DIALOGUE)

    assert once == template.text.replace("{input}", DIALOGUE)
    assert template.applied(once) == once


def test_half_a_template_is_part_of_the_text():
    assert NEWS.applied("x\nSummary:\n") == "Summarize the following news article:\nx\nSummary:\n\nSummary:\n"
    assert PromptTemplate("a{input}a").applied("a") == "aaa"
    assert PromptTemplate("summarize: {input}").applied("{input}") == "summarize: {input}"


@pytest.mark.parametrize("text", ["", "summarize: ", "{input} or {input}"])
def test_a_template_without_one_place_for_the_prompt_is_refused(text):
    with pytest.raises(BadTemplate, match=r"must hold \{input\} exactly once"):
        PromptTemplate(text)


def test_the_model_reads_the_template_unless_the_request_says_no():
    assert text(read(GenerateBody(prompt="hi"), NEWS)) == NEWS.applied("hi")
    assert text(read(GenerateBody(prompt="hi", apply_template=False), NEWS)) == "hi"
    assert text(read(GenerateBody(prompt="hi"), None)) == "hi"


def test_token_ids_are_read_as_they_are():
    assert read(TokensBody(prompt_ids=[104, 1]), NEWS) == (104, 1)


def test_a_prompt_is_cut_with_its_template_as_training_cuts_it():
    ids = read(GenerateBody(prompt="x" * 100, truncate=True), NEWS, limit=50)

    assert text(ids) == NEWS.applied("x" * 100)[:49]


def test_a_folder_without_wishes_has_none(tmp_path):
    (tmp_path / "config.json").write_text('{"task_specific_params": {"summarization": {"prefix": "summarize: "}}}')
    (tmp_path / "generation_config.json").write_text('{"max_new_tokens": "many"}')

    assert FolderDefaults.of(tmp_path) == FolderDefaults()


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The embedded model, as a training would write it."""
    folder = tmp_path_factory.mktemp("models") / "tuned"
    shutil.copytree(ROOT / "models" / "dialogue-t5-mini", folder)
    for name, values in (
        ("config.json", {"prompt_template": TEMPLATE}),
        ("generation_config.json", {"max_new_tokens": 5}),
    ):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))
    return folder


def predict(server, prompt, **parameters):
    body = {"instances": [prompt], "parameters": parameters}
    return httpx.post(f"{server.url}/predict", json=body, timeout=60).json()["predictions"][0]


def test_a_bare_dialogue_is_answered_as_one_in_the_template(serve, tuned):
    server = serve(model_dir=tuned)
    whole = TEMPLATE.replace("{input}", DIALOGUE)

    applied = predict(server, DIALOGUE, max_new_tokens=64)

    assert applied == predict(server, whole, max_new_tokens=64)
    assert applied == predict(server, whole, max_new_tokens=64, apply_template=False)
    assert applied != predict(server, DIALOGUE, max_new_tokens=64, apply_template=False)
    assert httpx.get(f"{server.url}/health").json()["prompt_template"] == TEMPLATE


def test_answers_are_as_long_as_the_folder_says_unless_the_request_or_the_setting_says_otherwise(serve, tuned):
    by_folder, by_setting = serve(model_dir=tuned), serve(model_dir=tuned, default_new_tokens=64)

    assert predict(by_folder, DIALOGUE) == predict(by_setting, DIALOGUE, max_new_tokens=5)
    assert predict(by_setting, DIALOGUE) == predict(by_folder, DIALOGUE, max_new_tokens=64)
    assert predict(by_folder, DIALOGUE) != predict(by_setting, DIALOGUE)


def test_a_template_that_cannot_be_applied_is_a_failed_load(start_server, tuned, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(tuned, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"prompt_template": "summarize: "}))

    server = start_server(MODEL_DIR=folder)

    assert server.process.wait(60) != 0
    assert "config.json: prompt_template must hold {input} exactly once, got 'summarize: '" in server.log
