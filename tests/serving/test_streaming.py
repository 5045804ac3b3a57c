"""Streamed text is never taken back, and joined it is the final text: over random tokens of real tokenizers."""

import itertools
import json
import random
import time
from pathlib import Path

import httpx
import pytest

import serving.text
from serving.text import MOST_ANEW, REPLACEMENT, TextStream

ROOT = Path(__file__).parents[2]
NUM_ANSWERS = 400


def folder_tokenizer(wrapper):
    from serving.checkpoint.tokenizer import FolderTokenizer

    return FolderTokenizer(wrapper.backend_tokenizer), len(wrapper)


@pytest.fixture(scope="module")
def dialogue():
    """The embedded model's: Metaspace, byte fallback, and a stand-in for line breaks that decoding replaces."""
    from transformers import AutoTokenizer

    return folder_tokenizer(AutoTokenizer.from_pretrained(ROOT / "models" / "dialogue-t5-mini"))


@pytest.fixture(scope="module")
def byte_level():
    """gpt2's kind: every token is a row of bytes, and a character may lie across three of them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return folder_tokenizer(PreTrainedTokenizerFast(tokenizer_object=tokenizer))


@pytest.fixture(scope="module")
def unigram():
    """T5's own kind: SentencePiece's Unigram, where a space belongs to the piece that follows it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<pad>", "</s>", "<unk>", "▁", "▁a", "b", "▁Zür", "ich", ",", ".", "▁.", "'", "t", "▁n", "日", "🙂", "é"]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(n)) for n, piece in enumerate(pieces)], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return folder_tokenizer(
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    )


@pytest.fixture(params=["dialogue", "byte_level", "unigram"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


def stream(tokenizer, ids, *, stop=()):
    """Every text shown, and the final text."""
    text = TextStream(tokenizer, stop=stop)
    shown = [""]
    for count in range(1, len(ids) + 1):
        shown.append(shown[-1] + text.push(ids[:count], is_last=count == len(ids)))
        if text.is_stopped:
            break
    return shown, text.text


def answers(num_ids, *, seed):
    draw = random.Random(seed)
    # rows of one kind of token, such as bytes, are where decoding is not local
    for _ in range(NUM_ANSWERS):
        ids = []
        while len(ids) < draw.randrange(1, 40):
            low = draw.randrange(num_ids)
            high = draw.choice([num_ids, min(num_ids, low + 8)])
            ids += [draw.randrange(low, high) for _ in range(draw.randrange(1, 6))]
        yield ids


def test_pieces_joined_are_the_decoded_answer_for_any_tokens(tokenizer):
    encoder, num_ids = tokenizer
    for ids in answers(num_ids, seed=1):
        shown, final = stream(encoder, ids)

        assert shown[-1] == final == encoder.decode(ids)
        assert all(final.startswith(text) for text in shown), ids


def test_pieces_of_a_long_answer_are_the_decoded_answer_though_its_beginning_is_decoded_once(tokenizer, monkeypatch):
    encoder, num_ids = tokenizer
    monkeypatch.setattr(serving.text, "NUM_ANEW", 8)
    monkeypatch.setattr(serving.text, "MOST_ANEW", 16)
    parts = answers(num_ids, seed=4)
    for _ in range(NUM_ANSWERS // 10):
        ids = list(itertools.chain.from_iterable(itertools.islice(parts, 10)))
        shown, final = stream(encoder, ids)

        assert shown[-1] == final == encoder.decode(ids)
        assert all(final.startswith(text) for text in shown), ids


def test_a_token_of_a_long_answer_costs_no_more_decoding_than_one_of_a_short_one(tokenizer):
    encoder, _ = tokenizer
    ids = encoder.encode("a b, Zürich. " * 600)
    assert len(ids) > 2000
    decoded = []

    class Counting:
        open_ids, rewrites = encoder.open_ids, encoder.rewrites

        def decode(self, ids):
            decoded.append(len(ids))
            return encoder.decode(ids)

    assert stream(Counting(), ids)[1] == encoder.decode(ids)
    assert max(decoded) <= MOST_ANEW + 1


def test_no_piece_holds_half_a_character(tokenizer):
    encoder, num_ids = tokenizer
    for ids in answers(num_ids, seed=2):
        shown, final = stream(encoder, ids)
        for before, after in itertools.pairwise(shown):
            broken = after[len(before) :].count(REPLACEMENT)

            assert broken <= final.count(REPLACEMENT)


@pytest.mark.parametrize(
    "text", ["naïve € 日本語 🙂 done", "a\u0301 family 👨‍👩‍👧 and a flag 🇪🇺.", "tabs\tand\nlines\n\nend"]
)
def test_real_text_with_characters_of_many_bytes_streams_whole(dialogue, byte_level, text):
    for encoder, _ in (dialogue, byte_level):
        ids = encoder.encode(text)
        shown, final = stream(encoder, ids)

        assert not any(REPLACEMENT in piece for piece in shown)
        assert shown[-1] == final == encoder.decode(ids)


def test_with_stop_strings_what_was_shown_is_the_text_before_the_first_of_them(tokenizer):
    encoder, num_ids = tokenizer
    draw = random.Random(3)
    num_stopped = 0
    for ids in answers(num_ids, seed=3):
        whole = encoder.decode(ids)
        begin = draw.randrange(len(whole) + 1)
        stop = tuple({whole[begin : begin + draw.randrange(1, 5)] or "never", "\x00"})
        shown, final = stream(encoder, ids, stop=stop)

        assert shown[-1] == final
        assert all(final.startswith(text) for text in shown)
        assert not any(each in final for each in stop)
        num_stopped += final != whole
    assert num_stopped > NUM_ANSWERS / 2


def test_over_http_the_events_joined_are_the_answer_in_one_piece(client):
    for prompt in ("Anna asks Ben", "Café, naïve, Zürich", "Tom: when is the meeting?"):
        body = {"instances": [prompt], "parameters": {"max_new_tokens": 40, "temperature": 2.0, "seed": 7}}
        whole = client.post("/predict", json=body).json()["predictions"][0]
        pieces = []
        with client.stream("POST", "/predict", json=body | {"stream": True}) as reply:
            for line in reply.iter_lines():
                if line.startswith("data: {"):
                    pieces.append(json.loads(line.removeprefix("data: ")).get("text", ""))

        assert "".join(pieces) == whole
        assert len(pieces) > 5


def test_the_first_piece_arrives_before_the_last_token_is_made(serve, break_engine):
    break_engine(lambda running: time.sleep(0.02))
    url = serve().url
    body = {"instances": ["Anna asks Ben"], "parameters": {"max_new_tokens": 100}, "stream": True}
    with httpx.stream("POST", url + "/predict", json=body, timeout=60) as reply:
        lines = reply.iter_lines()
        first = next(lines)
        page = httpx.get(url + "/metrics").text

    assert json.loads(first.removeprefix("data: "))["text"]
    assert "serving_sequences_running 1\n" in page
