import pytest

from tests.ui.conftest import ENDPOINT
from ui import examples, prose
from ui.config import UiConfig
from ui.markup import facts, status


def config(model_name="flan-t5-xxl", price=4.3102):
    return UiConfig(
        endpoint=ENDPOINT,
        predict_url=f"https://host/v1/{ENDPOINT}:predict",
        model_name=model_name,
        price_usd_per_hour=price,
    )


def test_offers_the_eleven_prompts_of_the_first_demo():
    prompts = [prompt for _, prompt in examples.FLAN]

    assert len(prompts) == len(set(prompts)) == 11
    assert prompts[5] == "Translate to German: How old are you?"
    assert prompts[10].startswith("Q: Roger has 5 tennis balls.")
    assert prompts[10].count("\n") == 2


def test_offers_dialogues_as_the_embedded_model_was_trained_to_read_them():
    assert 5 <= len(examples.DIALOGUES) <= 8
    for _, prompt in examples.DIALOGUES:
        assert prompt.startswith("summarize: ")
        assert all(": " in turn for turn in prompt.removeprefix("summarize: ").split("\n"))


def test_labels_are_short_and_each_is_there_once():
    labels = [label for label, _ in (*examples.DIALOGUES, *examples.FLAN)]

    assert len(labels) == len(set(labels))
    assert max(map(len, labels)) <= 28


@pytest.mark.parametrize("name", ["flan-t5-xxl", "Flan-T5 XXL", "google/flan-t5-xxl", "flan-t5-xxl-sharded-fp16"])
def test_the_first_demos_own_model_gets_its_description_word_for_word(name):
    assert prose.description(config(name)) == prose.DESCRIPTION


def test_another_model_is_named_so_that_nobody_takes_it_for_flan_t5_xxl():
    assert "runs dialogue\\-t5\\-mini, not Flan-T5 XXL" in prose.description(config("dialogue-t5-mini"))


@pytest.mark.parametrize(
    ("price", "line", "cost"),
    [
        (4.2244949, "USD 4.22 per hour in europe-west4 (list price)", "USD 4.22 per hour, about USD 101 per day"),
        (0.05, "USD 0.05 per hour in europe-west4 (list price)", "USD 0.05 per hour, about USD 1.20 per day"),
        (0.0, "USD 0", "cost nothing here"),
        (None, "not known to this page", "cost money while it is up"),
    ],
)
def test_the_price_is_the_list_price_or_said_to_be_unknown(price, line, cost):
    assert prose.price(config(price=price)) == line
    assert cost in prose.instructions(config(price=price))


def test_the_170_of_the_first_demo_is_explained_and_not_repeated_as_a_price():
    text = prose.instructions(config())

    assert text.count("170") == 1
    assert "added the GPU to a machine price that already includes it" in text


def test_what_comes_from_elsewhere_is_escaped_in_html():
    hostile = "<img src=x onerror=alert(1)> ${alert(1)} {{x}} \"'"

    for made in (status("error", hostile), facts({"Model": hostile})):
        assert "<img" not in made
        assert "${" not in made
        assert "{{" not in made
