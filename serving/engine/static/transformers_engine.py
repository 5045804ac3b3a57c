# ruff: noqa: N803 (shape-suffixed tensor names)
"""Every model that is no T5: `transformers.generate` over one batch at a time, each row with its own parameters.

Knows tensors and `transformers`; knows no scheduler, no HTTP. What waits joins the next batch: taking newcomers
in mid-flight is for `t5_engine`.
Imports torch and transformers, so only the loader's and the engine's threads import it.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria

from serving.engine.protocol import NOT_FINITE, BatchFailed
from serving.engine.static.beam_search import BeamAcceptance, Bystanders, configure, split
from serving.engine.static.sampling import BatchSampler, RowSampler
from serving.errors import EngineFailed
from serving.sequence import Sequence

# B batch, S prompt tokens padded to the longest, T tokens so far (start token included).


class TransformersEngine:
    """Static batches: shorter answers wait, as padding, for the longest of their batch.

    A batch is with beams or without; the oldest sequence says which, and the others wait for theirs.
    """

    def __init__(self, model: Any, *, num_threads: int = 0) -> None:
        if num_threads:
            torch.set_num_threads(num_threads)
        self._model = model
        self._device: torch.device = model.device
        self._config = _greedy(model.generation_config)
        self._pad_id = _first(self._config.pad_token_id, model.config.pad_token_id, 0)
        self._config.pad_token_id = self._pad_id
        # generate() takes the model's own where a setting of the call is None
        model.generation_config = self._config
        # a decoder goes on where the prompt ends, so what pads a short one stands before it
        self._pads_left = not model.config.is_encoder_decoder
        self._eos_ids = _as_set(self._config.eos_token_id)

    def step(self, running: list[Sequence]) -> None:
        batch, bystanders = split(running)
        try:
            self._run(batch, bystanders)
        except Exception as error:
            if not bystanders:
                raise
            raise BatchFailed(batch) from error

    def _run(self, batch: list[Sequence], bystanders: list[Sequence]) -> None:
        ids_BS, mask_BS = self._pad([s.request.prompt_ids for s in batch])
        sampler = self._sampler(batch, longest=ids_BS.shape[1])
        config = copy.copy(self._config)
        config.max_new_tokens = max(s.request.max_new_tokens for s in batch)
        beams = batch[0].request.beams
        search = None if beams is None else BeamAcceptance(batch, sampler)
        if beams is not None:
            configure(config, beams)
        criteria = [search or _Acceptance(batch, sampler, self._eos_ids)]
        if bystanders:
            criteria.append(Bystanders(bystanders))
        with torch.inference_mode():
            ids_BT = self._model.generate(
                input_ids=ids_BS,
                attention_mask=mask_BS,
                generation_config=config,
                logits_processor=[sampler],
                stopping_criteria=criteria,
            )
        if search is not None:
            num_given = ids_BS.shape[1] if self._pads_left else 1  # an encoder's prompt is not told again
            search.take(ids_BT[:, num_given:].tolist(), self._eos_ids)

    def _sampler(self, batch: list[Sequence], *, longest: int) -> BatchSampler:
        """The beams of a sequence stand together, and share its sampler."""
        samplers = []
        for sequence in batch:
            request = sequence.request
            num_pads = longest - len(request.prompt_ids) if self._pads_left else 0
            samplers += [RowSampler(request, device=self._device, num_pads=num_pads)] * request.num_rows
        return BatchSampler(samplers)

    def _pad(self, prompts: list[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
        longest = max(map(len, prompts))
        ids_BS = torch.full((len(prompts), longest), self._pad_id)
        mask_BS = torch.zeros_like(ids_BS)
        for row, prompt in enumerate(prompts):
            where = slice(longest - len(prompt), longest) if self._pads_left else slice(0, len(prompt))
            ids_BS[row, where] = torch.tensor(prompt)
            mask_BS[row, where] = 1
        return ids_BS.to(self._device), mask_BS.to(self._device)


class _Acceptance(StoppingCriteria):  # type: ignore[misc]
    """Hands each new token to its sequence, and tells `generate` which rows go on."""

    def __init__(self, sequences: list[Sequence], sampler: BatchSampler, eos_ids: frozenset[int]) -> None:
        self._sequences = sequences
        self._sampler = sampler
        self._eos_ids = eos_ids

    def __call__(self, ids_BT: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        now = time.monotonic()
        is_done = []
        for row, (sequence, token) in enumerate(zip(self._sequences, ids_BT[:, -1].tolist(), strict=True)):
            if row in self._sampler.broken:
                sequence.end(EngineFailed(NOT_FINITE))
            if not sequence.is_ended:
                likelihood = self._sampler.likelihood(row, token)
                sequence.accept(token, is_eos=token in self._eos_ids, now=now, likelihood=likelihood)
            is_done.append(sequence.is_ended)
        return torch.tensor(is_done, device=ids_BT.device)


def _greedy(config: GenerationConfig) -> GenerationConfig:
    """The model's own generation settings, with beams, sampling and lengths left to the request."""
    config = copy.deepcopy(config)
    lengths, sampling = ("max_length", "min_length", "min_new_tokens"), ("temperature", "top_k", "top_p", "typical_p")
    # each of these makes another search of it, which transformers has no code for any more
    searches = ("num_beam_groups", "diversity_penalty", "constraints", "force_words_ids")
    for key in (*lengths, *sampling, *searches):
        setattr(config, key, None)
    config.do_sample = False
    config.num_beams = 1
    config.num_return_sequences = 1
    config.repetition_penalty = 1.0
    config.early_stopping = False
    config.length_penalty = 1.0
    return config


def _first(*candidates: int | None) -> int:
    return next(candidate for candidate in candidates if candidate is not None)


def _as_set(eos: int | list[int] | None) -> frozenset[int]:
    return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])
