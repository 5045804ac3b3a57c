"""Turns token ids into text while they arrive. Knows no tensors, no HTTP, no model."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from itertools import islice
from typing import Protocol

REPLACEMENT = "\ufffd"
# tokens that are decoded anew for each that comes: at least, and when they are made fewer again
NUM_ANEW = 64
MOST_ANEW = 192
TRIES = 4  # the bytes of a character


class Tokenizer(Protocol):
    """What the server asks of a tokenizer. Both calls are safe from any thread."""

    @property
    def open_ids(self) -> frozenset[int]:
        """Tokens whose text the next token may still change: single bytes, and what has no text of its own."""

    @property
    def rewrites(self) -> tuple[str, ...]:
        """Strings that `decode` replaces wherever they arise, also across tokens."""

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary: ids are below it."""

    def encode(self, text: str) -> list[int]:
        """Token ids with the model's end token."""

    def decode(self, ids: Seq[int]) -> str:
        """Text without special tokens."""

    def piece(self, id_: int) -> str:
        """What one token stands for, spaces included; special tokens by their name."""


class TextStream:
    """The text of one growing answer: what may be shown so far, and whether a stop string has ended it.

    Shown text is never taken back. So two tails are withheld until more tokens decide them: a row of single bytes
    (a later byte that fits none of them turns the whole row into replacement characters), and the beginning of a
    stop string or of a string that the tokenizer rewrites.

    Each push decodes the last tokens anew, not the last alone: a token's spaces and characters depend on those before
    it. What stands before them is settled where they alone decode to the end of the whole.
    """

    def __init__(self, tokenizer: Tokenizer, *, stop: tuple[str, ...] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = stop
        self._undecided = (*stop, *tokenizer.rewrites)
        self._num_shown = 0
        self._settled = ""
        self._num_settled = 0  # tokens
        self._most_anew = MOST_ANEW
        self.text = ""
        self.is_stopped = False

    def push(self, ids: Seq[int], *, is_last: bool) -> str:
        """Takes all token ids so far; returns the text that became certain."""
        self.text = self._decoded(ids)
        cut = min((at for at in map(self.text.find, self._stop) if at >= 0), default=None)
        if cut is not None:
            self.text, self.is_stopped = self.text[:cut], True
        certain = len(self.text) if is_last or self.is_stopped else self._num_certain(ids)
        delta = self.text[self._num_shown : certain]
        self._num_shown = max(self._num_shown, certain)
        if len(ids) - self._num_settled > self._most_anew:
            self._settle(ids)
        return delta

    def _decoded(self, ids: Seq[int]) -> str:
        return self._settled + self._tokenizer.decode(ids[self._num_settled :])

    def _settle(self, ids: Seq[int]) -> None:
        """Lets fewer tokens be decoded anew, from one on that is no part of a row of bytes. What a decoder does to the
        first of all (a space that it drops) is undone by the whole text, which has it.
        """
        open_ids = self._tokenizer.open_ids
        places = range(len(ids) - NUM_ANEW, self._num_settled, -1)
        for begin in islice((at for at in places if not {ids[at - 1], ids[at]} & open_ids), TRIES):
            end = self._tokenizer.decode(ids[begin:])
            if end and self.text.endswith(end):
                self._settled, self._num_settled = self.text[: len(self.text) - len(end)], begin
                self._most_anew = MOST_ANEW
                return
        self._most_anew = len(ids) - self._num_settled + NUM_ANEW

    def _num_certain(self, ids: Seq[int]) -> int:
        num_closed = len(ids)
        while num_closed and ids[num_closed - 1] in self._tokenizer.open_ids:
            num_closed -= 1
        text = self.text if num_closed == len(ids) else self._decoded(ids[:num_closed])
        whole = text.rstrip(REPLACEMENT)
        return len(whole) - max((_overlap(whole, undecided) for undecided in self._undecided), default=0)


def _overlap(text: str, wanted: str) -> int:
    """Length of the longest end of `text` that could be the beginning of `wanted`."""
    for length in range(min(len(wanted) - 1, len(text)), 0, -1):
        if text.endswith(wanted[:length]):
            return length
    return 0
