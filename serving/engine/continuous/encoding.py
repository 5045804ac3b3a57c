# ruff: noqa: N803 (shape-suffixed tensor names)
"""Encodes prompts in slices, so that a long prompt never holds up a decoder step. Knows the model; knows no slots.

A slice is one encoder layer over whole prompts, or one decoder layer's keys and values of them: attention needs
all of a prompt at once, but its layers can wait between steps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import torch

from serving.sequence import Sequence


class Encoder(Protocol):
    """`T5`, or `native_encoder.NativeEncoder`. N tokens of several prompts one after another, M d_model."""

    device: torch.device

    @property
    def num_layers(self) -> int: ...

    @property
    def num_slices(self) -> int: ...

    def embed(self, ids_N: torch.Tensor) -> torch.Tensor: ...

    def encode_slice(self, index: int, x_NM: torch.Tensor, lengths: list[int]) -> torch.Tensor: ...


@dataclass(slots=True)
class Pace:
    """Seconds that a slice takes for each of its tokens, learnt from those that ran: of the encoder's layers, and of
    the much quicker keys and values."""

    _of_layer: float = 0.0
    _of_source: float = 0.0

    def expected(self, *, num_tokens: int, is_layer: bool) -> float:
        """Seconds of a slice; 0 as long as nothing is known."""
        return num_tokens * (self._of_layer if is_layer else self._of_source)

    def learn(self, *, num_tokens: int, is_layer: bool, seconds: float) -> None:
        sample = seconds / num_tokens
        if is_layer:
            self._of_layer = _mixed(self._of_layer, sample)
        else:
            self._of_source = _mixed(self._of_source, sample)


def _mixed(known: float, sample: float) -> float:
    return sample if known == 0 else 0.8 * known + 0.2 * sample


@dataclass(slots=True)
class EncoderRun:
    """Newcomers on their way through the encoder together."""

    sequences: list[Sequence]
    lengths: list[int]
    states: torch.Tensor
    next_slice: int = 0
    keys_values: list[torch.Tensor] = field(default_factory=list)

    @classmethod
    def start(cls, model: Encoder, sequences: list[Sequence]) -> EncoderRun:
        prompts = [sequence.request.prompt_ids for sequence in sequences]
        ids = torch.tensor([token for prompt in prompts for token in prompt], device=model.device)
        return cls(sequences, [len(prompt) for prompt in prompts], model.embed(ids))

    @property
    def num_tokens(self) -> int:
        return sum(self.lengths)

    def advance(self, model: Encoder, pace: Pace, *, seconds: float | None) -> bool:
        """Runs one slice, and further ones as long as they should fit into `seconds`; returns whether all are done."""
        begin = now = time.perf_counter()
        first = self.next_slice
        while self.next_slice < model.num_slices:
            is_layer = self.next_slice < model.num_layers
            expected = pace.expected(num_tokens=self.num_tokens, is_layer=is_layer)
            if seconds is not None and self.next_slice > first and now - begin + expected > seconds:
                break
            self._run_slice(model)
            before, now = now, time.perf_counter()
            pace.learn(num_tokens=self.num_tokens, is_layer=is_layer, seconds=now - before)
        return self.next_slice == model.num_slices

    def _run_slice(self, model: Encoder) -> None:
        result = model.encode_slice(self.next_slice, self.states, self.lengths)
        if self.next_slice < model.num_layers:
            self.states = result
        else:
            self.keys_values.append(result)
        self.next_slice += 1

    def spans(self) -> list[tuple[int, int]]:
        """Begin and end of each prompt among the tokens of the run."""
        spans, begin = [], 0
        for length in self.lengths:
            spans.append((begin, begin + length))
            begin += length
        return spans
