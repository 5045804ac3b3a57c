import pytest
from transformers import AutoTokenizer

from training.corpus.dialogues import take


def test_dialogues_come_back_as_they_were(tokenizer):
    for one in take("test", 200, 7):
        for text in (one.prompt, one.summary):
            assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


@pytest.mark.parametrize("text", ["Zürich", "你好", "naïve 🎂 cake", "Łódź: café", "\u200b"])
def test_any_unicode_comes_back_by_its_bytes(tokenizer, text):
    ids = tokenizer(text)["input_ids"]

    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_text_ends_with_the_end_token_and_padding_is_masked(tokenizer):
    batch = tokenizer(["Anna: Hi", "Anna: Hi Tom, how are you?"], padding=True)

    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    assert batch["input_ids"][0].index(1) < len(batch["input_ids"][0]) - 1
    assert batch["input_ids"][1][-1] == 1
    assert batch["attention_mask"][0][-1] == 0


def test_a_name_is_the_same_token_at_the_start_of_a_line_and_within_one(tokenizer):
    greeting = tokenizer.tokenize("Hi")

    name = tokenizer.tokenize("Tom")

    assert tokenizer.tokenize("Tom: Hi")[: len(name)] == name
    assert tokenizer.tokenize("Hi Tom!")[len(greeting) : -1] == name


def test_a_saved_tokenizer_loads_by_its_folder_alone(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)

    read = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)

    assert read("Anna: at 7:30, Zürich")["input_ids"] == tokenizer("Anna: at 7:30, Zürich")["input_ids"]
    assert read.model_max_length == 512


def test_an_empty_text_is_the_end_token_alone(tokenizer):
    assert tokenizer("")["input_ids"] == [1]
