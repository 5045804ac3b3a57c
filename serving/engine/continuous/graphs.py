# ruff: noqa: N803 (shape-suffixed tensor names)
"""Decoder steps of fixed shapes: recorded once as CUDA graphs, then replayed without the host's work per kernel.

A step's shape is its bucket: rows, keys and source tokens, each rounded up. Rows that pad a bucket read and write
slots that nobody has, at position 0. Knows the model and the caches; knows no sequences, no sampling.

On a CPU the same buckets run without recording, so that tests there cover everything but the recording itself.
"""

from __future__ import annotations

import torch

from serving.engine.continuous.caches import Caches, View
from serving.t5 import T5, rounded

# B rows of the bucket, M width of the states.

Bucket = tuple[int, int, int]
WARM_UPS = 2


class BucketedSteps:
    """Runs decoder steps in buckets; each bucket's buffers are its own."""

    def __init__(self, model: T5, caches: Caches) -> None:
        self._model = model
        self._caches = caches
        self._bias_HR = model.decoder_bias(caches.max_target)
        self._is_cuda = model.device.type == "cuda"
        self._recorded: dict[Bucket, _Recording] = {}
        # graphs that never run at the same time may share their working memory
        self._pool = torch.cuda.graph_pool_handle() if self._is_cuda else None

    @property
    def num_recorded(self) -> int:
        return len(self._recorded)

    def bucket(self, *, num_rows: int, num_keys: int, num_source: int) -> Bucket:
        """The smallest bucket that holds such a step: powers of two, cut to what the caches hold."""
        caches = self._caches
        return (
            min(_power(num_rows), caches.num_slots),
            min(_power(num_keys), caches.max_target),
            min(_power(num_source), caches.max_source),
        )

    def run(self, tokens: list[int], positions: list[int], num_sources: list[int]) -> torch.Tensor:
        """The states [B, M] of the rows; the same memory is written by the next step of this bucket."""
        num_rows, d_kv = len(tokens), self._model.config.d_kv
        bucket = self.bucket(
            num_rows=num_rows,
            num_keys=rounded(max(positions) + 1, d_kv),
            num_source=rounded(max(num_sources), d_kv),
        )
        recording = self._recorded.get(bucket)
        if recording is None:
            recording = self._recorded[bucket] = self._record(bucket)
        padding = [0] * (bucket[0] - num_rows)
        inputs = torch.tensor([tokens + padding, positions + padding])
        if self._is_cuda:
            inputs = inputs.pin_memory()
        recording.inputs_2B.copy_(inputs, non_blocking=True)
        if recording.graph is None:
            recording.states_BM = self._step(recording.inputs_2B, bucket)
        else:
            recording.graph.replay()
        return recording.states_BM[:num_rows]

    def _record(self, bucket: Bucket) -> _Recording:
        inputs_2B = torch.zeros(2, bucket[0], dtype=torch.int64, device=self._model.device)
        if not self._is_cuda:
            return _Recording(inputs_2B, torch.empty(0), None)
        # The zeros above would write keys into position 0 of slots in use: recording and warming up run nothing
        # that counts, but they do run. So the slots' first keys are put back afterwards.
        kept = [layer[:, : bucket[0], :, :1].clone() for layer in self._caches.self_layers]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._step(inputs_2B, bucket)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            states_BM = self._step(inputs_2B, bucket)
        for layer, first in zip(self._caches.self_layers, kept, strict=True):
            layer[:, : bucket[0], :, :1] = first
        return _Recording(inputs_2B, states_BM, graph)

    def _step(self, inputs_2B: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        tokens_B, positions_B = inputs_2B
        view = View(self._caches, self._bias_HR, positions_B, num_keys=bucket[1], num_source=bucket[2])
        return self._model.decode(tokens_B, view)


class _Recording:
    """One bucket: where its inputs go, where its states appear, and the graph between them (none on a CPU)."""

    def __init__(self, inputs_2B: torch.Tensor, states_BM: torch.Tensor, graph: torch.cuda.CUDAGraph | None) -> None:
        self.inputs_2B = inputs_2B
        self.states_BM = states_BM
        self.graph = graph


def _power(count: int) -> int:
    """The next power of two."""
    return 1 << (count - 1).bit_length()
