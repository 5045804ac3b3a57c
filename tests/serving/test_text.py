import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from serving.text import TextStream


class Bytes:
    """A tokenizer whose every unknown character becomes its UTF-8 bytes, as mT5's does."""

    rewrites = ()

    def __init__(self):
        pieces = ["<unk>", *(f"<0x{i:02X}>" for i in range(256)), "▁", "▁the", "▁sto", "p", "▁stop", "ped", ".", ","]
        vocab = {piece: number for number, piece in enumerate(pieces)}
        self._backend = Tokenizer(models.BPE(vocab, [], unk_token="<unk>", byte_fallback=True))
        self._backend.pre_tokenizer = pre_tokenizers.Metaspace()
        self._backend.decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        self._vocab = vocab
        self.open_ids = frozenset(vocab[f"<0x{i:02X}>"] for i in range(256))

    def ids(self, *pieces):
        return [self._vocab[piece] for piece in pieces]

    def utf8(self, text):
        return [self._vocab[f"<0x{byte:02X}>"] for byte in text.encode()]

    def encode(self, text):
        return self._backend.encode(text).ids

    num_tokens = 1 << 16

    def piece(self, id_):
        return self.decode([id_])

    def decode(self, ids):
        return self._backend.decode(list(ids))


def stream(ids, *, stop=()):
    text = TextStream(Bytes(), stop=stop)
    deltas = []
    for count in range(1, len(ids) + 1):
        deltas.append(text.push(ids[:count], is_last=count == len(ids)))
        if text.is_stopped:
            break
    return deltas, text


def test_a_character_of_several_bytes_is_shown_whole_or_not_at_all():
    ids = Bytes().ids("▁the") + Bytes().utf8("€") + Bytes().ids(".")

    deltas, text = stream(ids)

    # the third byte completes the character, but a fourth that fits none would undo it
    assert deltas == ["the", "", "", "", "€."]
    assert text.text == "the€."


def test_bytes_that_never_become_a_character_are_shown_at_the_end():
    deltas, text = stream(Bytes().ids("▁the") + Bytes().utf8("€")[:2])

    assert "".join(deltas) == text.text == "the\ufffd\ufffd"


def test_the_deltas_joined_are_the_final_text():
    ids = Bytes().ids("▁the", "▁stop", "ped", ",", "▁the", "▁", "▁stop", ".")

    deltas, text = stream(ids)

    assert "".join(deltas) == text.text == Bytes().decode(ids)


def test_a_stop_string_ends_the_text_before_itself_though_tokens_cut_it():
    deltas, text = stream(Bytes().ids("▁the", "▁sto", "p", "ped", "."), stop=("stopp",))

    assert text.is_stopped
    assert text.text == "".join(deltas) == "the "


def test_the_beginning_of_a_stop_string_is_withheld_until_it_proves_harmless():
    deltas, _ = stream(Bytes().ids("▁the", "▁sto", ",", "▁the"), stop=("stopp",))

    assert deltas == ["the", " ", "sto,", " the"]


def test_of_two_stop_strings_the_earlier_in_the_text_wins():
    _, text = stream(Bytes().ids("▁the", ",", "."), stop=(".", ","))

    assert text.text == "the"


@pytest.mark.parametrize("stop", ["the", "t"])
def test_a_stop_string_at_the_very_beginning_leaves_nothing(stop):
    _, text = stream(Bytes().ids("▁the", "▁stop"), stop=(stop,))

    assert text.text == ""
