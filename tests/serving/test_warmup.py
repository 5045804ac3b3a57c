import json

import pytest

from serving.validation import Limits
from serving.warmup import Golden, WarmUpFailed, check_golden, read_golden, warm_up


class Words:
    open_ids = frozenset()
    rewrites = ()

    def encode(self, text):
        return [len(word) for word in text.split()]

    num_tokens = 1 << 16

    def piece(self, id_):
        return self.decode([id_])

    def decode(self, ids):
        return " ".join(map(str, ids))


class Echo:
    """Answers with the prompt's token ids, then ends."""

    def step(self, running):
        for sequence in running:
            for token in sequence.request.prompt_ids:
                if not sequence.accept(token, is_eos=False, now=0.0):
                    return
            sequence.accept(0, is_eos=True, now=0.0)


class Mute:
    def step(self, running):
        pass


def limits(**changes):
    return Limits(**{"max_input_tokens": 64, "max_new_tokens": 64, "default_new_tokens": 8} | changes)


def check(golden, *, is_exact=True, **changes):
    check_golden(Echo(), golden, tokenizer=Words(), limits=limits(**changes), is_exact=is_exact)


def test_an_engine_that_answers_is_well_and_one_that_makes_no_token_is_not():
    warm_up(Echo(), tokenizer=Words(), limits=limits())

    with pytest.raises(WarmUpFailed, match="made no token"):
        warm_up(Mute(), tokenizer=Words(), limits=limits())


def test_a_different_golden_answer_fails_in_float32_and_warns_in_less(caplog):
    check([Golden("a bb ccc", "1 2 3 0")])

    with pytest.raises(WarmUpFailed, match=r"golden\.json expects '9' and the engine gives '1 2 3 0'"):
        check([Golden("a bb ccc", "9")])
    check([Golden("a bb ccc", "9")], is_exact=False)
    assert "reduced precision" in caplog.text


def test_golden_tokens_are_compared_besides_the_text():
    check([Golden("a bb ccc", "1 2 3 0", (1, 2, 3, 0))])
    check([Golden("a bb ccc", "1 2 3 0", (1, 2, 3, 0))], max_new_tokens=2)

    with pytest.raises(WarmUpFailed, match=r"in the tokens \[1, 2, 3, 0\] and not \[1, 2, 4, 0\]"):
        check([Golden("a bb ccc", "1 2 3 0", (1, 2, 4, 0))])


def test_a_server_with_small_limits_compares_what_it_can(caplog):
    check([Golden("a bb ccc", "1 2 3 0")], max_new_tokens=2)
    check([Golden("a bb ccc", "never given")], max_input_tokens=2)

    assert "longer than MAX_INPUT_TOKENS (2): not compared" in caplog.text
    with pytest.raises(WarmUpFailed):
        check([Golden("a bb ccc", "2 2 3 0")], max_new_tokens=2)


def test_golden_answers_are_read_and_a_malformed_file_is_named(tmp_path):
    assert read_golden(tmp_path) == []
    (tmp_path / "golden.json").write_text(json.dumps([{"prompt": "a", "output": "b"}] * 9))
    assert read_golden(tmp_path) == [Golden("a", "b")] * 3

    (tmp_path / "golden.json").write_text("{}")
    with pytest.raises(WarmUpFailed, match="must be a list"):
        read_golden(tmp_path)
