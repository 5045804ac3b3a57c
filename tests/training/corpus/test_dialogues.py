import itertools
import re

import pytest

from training.corpus.dialogues import PREFIX, SEEN_NAMES, UNSEEN_NAMES, split_of, take
from training.corpus.scenes import SCENES


def speakers(example):
    return tuple(sorted(set(re.findall(r"(?:^|\n| )(\w+): ", example.dialogue))))


@pytest.fixture(scope="module")
def corpus():
    return {"train": take("train", 6000, 7), "validation": take("validation", 500, 7), "test": take("test", 1500, 7)}


def test_the_same_seed_makes_the_same_dialogues_and_another_makes_others():
    assert take("train", 50, 7) == take("train", 50, 7)
    assert take("train", 50, 7) != take("train", 50, 8)


def test_a_longer_draw_begins_with_the_shorter_one():
    assert take("test", 20, 7)[:5] == take("test", 5, 7)


def test_no_dialogue_is_made_twice_within_a_split(corpus):
    for split in corpus.values():
        assert len({one.dialogue for one in split}) == len(split)


def test_no_pair_of_speakers_is_in_two_splits(corpus):
    pairs = {name: {speakers(one) for one in split} for name, split in corpus.items()}

    assert all(len(pair) == 2 for split in pairs.values() for pair in split)
    assert not pairs["train"] & pairs["test"]
    assert not pairs["train"] & pairs["validation"]
    assert not pairs["validation"] & pairs["test"]


def test_no_dialogue_of_the_test_split_is_in_training_not_even_under_other_names(corpus):
    def without_names(example):
        return re.sub("|".join(speakers(example)), "X", example.dialogue)

    trained = {without_names(one) for one in corpus["train"]}
    repeated = [one for one in corpus["test"] if without_names(one) in trained]

    assert len(repeated) <= 0.01 * len(corpus["test"]), repeated[:3]


def test_some_names_are_met_in_the_test_split_alone(corpus):
    known = {word for one in corpus["train"] + corpus["validation"] for word in re.findall(r"\w+", one.dialogue)}

    assert len(UNSEEN_NAMES) > 20
    assert not known & UNSEEN_NAMES
    assert sum(one.has_unseen_name for one in corpus["test"]) > 100
    assert not UNSEEN_NAMES & set(SEEN_NAMES)


def test_the_split_does_not_depend_on_who_speaks_first():
    for a, b in itertools.pairwise(SEEN_NAMES):
        assert split_of(a, b) == split_of(b, a)


def test_every_scene_is_played_and_every_fact_is_in_its_summary(corpus):
    assert {one.kind for one in corpus["test"]} == set(SCENES)
    for one in corpus["test"]:
        assert one.facts
        assert all(fact in one.summary for fact in one.facts), one


def test_the_summary_says_only_what_was_said(corpus):
    """Every name and every number of a summary can be read in its dialogue."""
    for one in corpus["test"]:
        told = re.findall(r"\b(?:[A-Z]\w+|\d+)\b", one.summary.replace("They", ""))
        assert all(word.lower() in one.dialogue.lower() for word in told), one


def test_a_change_of_mind_leaves_times_in_the_dialogue_that_the_summary_does_not_tell(corpus):
    days = re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b")
    moved = [
        one
        for one in corpus["test"]
        if set(days.findall(one.summary)) and set(days.findall(one.dialogue)) - set(days.findall(one.summary))
    ]

    assert len(moved) > 50


def test_the_prompt_is_the_dialogue_after_the_prefix(corpus):
    one = corpus["test"][0]

    assert one.prompt == PREFIX + one.dialogue
    assert PREFIX == "summarize: "
