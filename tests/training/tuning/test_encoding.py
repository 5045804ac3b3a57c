import pytest
from datasets import Dataset

from training.config.task import PromptConfig
from training.records.record_sets import RecordSets
from training.tuning.encoding import IGNORED, collator, encode, filled, measured

PAIRS = [("Anna: Hi Ben!", "Anna greets Ben."), ("Ben: I will call you tomorrow at nine, Anna.", "Ben will call Anna.")]


@pytest.fixture
def records():
    split = Dataset.from_list([{"input": dialogue, "target": summary} for dialogue, summary in PAIRS])
    longest = Dataset.from_list([{"input": "Anna: " + "no " * 30, "target": "Anna " + "refuses " * 10}])
    return RecordSets(split, split, longest, "two pairs")


def test_the_model_reads_the_template_with_the_record_in_it(records, tokenizer):
    data = encode(records, PromptConfig(template="Text:\n{input}\nSummary:\n"), tokenizer)

    assert data.train[0]["input_ids"] == tokenizer("Text:\nAnna: Hi Ben!\nSummary:\n")["input_ids"]
    assert data.train[0]["labels"] == tokenizer("Anna greets Ben.")["input_ids"]


def test_lengths_are_measured_over_every_split_with_the_template(records, tokenizer):
    data = encode(records, PromptConfig(), tokenizer)

    assert data.lengths.source == len(tokenizer("summarize: Anna: " + "no " * 30)["input_ids"])
    assert data.lengths.target == len(tokenizer("Anna " + "refuses " * 10)["input_ids"])
    assert (data.lengths.num_cut_sources, data.lengths.num_cut_targets) == (0, 0)


def test_what_is_too_long_loses_its_end_but_not_its_end_token(records, tokenizer):
    data = encode(records, PromptConfig(source_length=8, target_length=5), tokenizer)

    whole = tokenizer("summarize: " + PAIRS[1][0])["input_ids"]
    assert data.train[1]["input_ids"] == [*whole[:7], tokenizer.eos_token_id]
    assert len(data.train[1]["labels"]) == 5
    assert data.lengths.num_cut_sources == 5
    assert all(
        len(ids) == len(mask) for ids, mask in zip(data.test["input_ids"], data.test["attention_mask"], strict=True)
    )


def test_a_batch_is_padded_to_a_multiple_of_eight_and_padded_labels_carry_no_loss(records, tokenizer, tiny):
    data = encode(records, PromptConfig(), tokenizer)

    batch = collator(tokenizer, tiny.model())([dict(one) for one in data.train])

    assert batch["input_ids"].shape[1] % 8 == 0
    assert batch["labels"].shape[1] % 8 == 0
    assert (batch["labels"] == tokenizer.pad_token_id).sum() == 0
    for row, one in zip(batch["labels"], data.train, strict=True):
        assert row.tolist() == one["labels"] + [IGNORED] * (batch["labels"].shape[1] - len(one["labels"]))


@pytest.mark.parametrize(
    ("wanted", "limit", "length"),
    [("longest", 512, 100), ("longest", 64, 64), ("percentile:95", 512, 95), ("percentile:1", 512, 1), (30, 512, 30)],
)
def test_a_length_is_a_number_the_longest_or_a_percentile_and_never_above_the_limit(wanted, limit, length):
    assert measured(wanted, list(range(1, 101)), limit=limit) == length


def test_braces_in_a_record_are_text():
    assert filled("summarize: {input}", "{input} {0} %s") == "summarize: {input} {0} %s"
