# ruff: noqa: N803 (shape-suffixed tensor names)
"""Continuous batching over our own T5: newcomers are encoded in slices, and one decoder step serves all who run.

Knows tensors, slots and sequences; knows no scheduler's queue, no HTTP. A sequence's tokens do not depend on who
shares its batch: the model promises it for its scores (`t5`), `drawing` for its draws.
Imports torch, so only the loader's and the engine's threads import it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch

from serving.checkpoint.folder import LoadedModel
from serving.engine.continuous import native
from serving.engine.continuous.caches import Caches
from serving.engine.continuous.drawing import Draw, draw
from serving.engine.continuous.encoding import EncoderRun
from serving.engine.continuous.graphs import BucketedSteps
from serving.engine.continuous.intake import Intake, spare_seconds
from serving.engine.continuous.out_of_memory import free_memory, is_out_of_memory
from serving.engine.continuous.row import Row
from serving.engine.continuous.searches import Searches
from serving.engine.continuous.steps import EagerSteps, Steps
from serving.engine.protocol import NOT_FINITE, BatchFailed
from serving.engine.threads import choose_threads
from serving.errors import EngineFailed
from serving.native.library import set_num_threads
from serving.sequence import Sequence
from serving.t5 import T5, rounded

RUN_TOKENS = {"cpu": 128, "cuda": 8192}
# after so many steps without running out of memory, a slot of those given up is taken again
CALM_STEPS = 200
# of the latest step with one row in what such a step is taken to last
ALONE_SHARE = 0.1
# the step whose time decides on the number of threads: a few rows in the middle of their answers
PROBE_ROWS, PROBE_KEYS = 8, 64


class T5Engine:
    """One slot for each running sequence, and for each beam of one; no request has more beams than there are slots.

    num_threads: of one step, on a CPU; 0 leaves it to PyTorch. max_run_tokens: prompt tokens that are encoded
    together; a longer prompt is encoded alone. The default is where products with weights are at their best.
    in_buckets: whether steps have fixed shapes, for CUDA graphs; by default on a GPU.
    """

    def __init__(
        self,
        model: T5,
        *,
        eos_ids: frozenset[int],
        num_slots: int,
        max_source: int,
        max_target: int,
        num_threads: int = 0,
        max_run_tokens: int | None = None,
        in_buckets: bool | None = None,
    ) -> None:
        config = model.config
        self._model = model
        self._eos_ids = eos_ids
        self._num_threads = num_threads
        self._thread: int | None = None
        self._caches = Caches(
            num_slots=num_slots,
            num_layers=config.num_decoder_layers,
            heads=(config.num_heads, config.d_kv),
            max_source=rounded(max_source, config.d_kv),
            max_target=rounded(max_target, config.d_kv),
            dtype=model.cache_dtype,
            device=model.device,
        )
        self._steps = _steps(model, self._caches, in_buckets=in_buckets)
        self._intake = Intake(
            native.NativeEncoder(model) if native.can_run(model) else model,
            max_run_tokens=max_run_tokens or RUN_TOKENS[model.device.type],
        )
        self._rows: list[Row] = []
        self._searches = Searches(model, self._caches, eos_ids=eos_ids)
        self._decode_seconds = 0.0
        self._alone_seconds = 0.0  # of a step with a single row, as seen of late
        self._num_usable = num_slots
        self._num_calm_steps = 0

    @classmethod
    def for_model(cls, loaded: LoadedModel, *, num_slots: int, num_threads: int = 0) -> T5Engine:
        """With room for sequences as long as the plan of its memory has them."""
        if loaded.plan is None:
            raise ValueError("this model is no T5: its memory has no plan")
        room = loaded.plan.room
        return cls(
            loaded.model,
            eos_ids=loaded.eos_ids,
            num_slots=num_slots,
            max_source=room.max_source,
            max_target=room.max_target,
            num_threads=num_threads,
        )

    @property
    def num_threads(self) -> int:
        """Of one step, on a CPU; 0 leaves it to PyTorch."""
        return self._num_threads

    @num_threads.setter
    def num_threads(self, count: int) -> None:
        if count != self._num_threads:
            self._num_threads, self._thread = count, None

    @property
    def num_slots(self) -> int:
        return self._num_usable

    @property
    def num_buckets(self) -> int:
        """Shapes of steps met so far; 0 where steps have no fixed shapes."""
        return self._steps.num_recorded if isinstance(self._steps, BucketedSteps) else 0

    def choose_threads(self, num_cores: int) -> None:
        """Takes the number of threads with which steps are fastest. Before the first sequence; for a CPU."""

        def set_threads(count: int) -> None:
            self.num_threads = count

        choose_threads(num_cores, set_threads=set_threads, step=self.probe(min(PROBE_ROWS, self._caches.num_slots)))

    def probe(self, num_rows: int) -> Callable[[], None]:
        """A decoder step of that many rows in the middle of their answers, to be timed before the first sequence."""
        num_target, num_source = min(PROBE_KEYS, self._caches.max_target), min(2 * PROBE_KEYS, self._caches.max_source)
        for slot in range(num_rows):
            self._caches.open(slot, 1)
            self._caches.touch(slot, num_source=num_source, num_target=num_target)
        tokens = [0] * num_rows
        positions = [num_target - 1] * num_rows
        num_sources = [num_source] * num_rows

        @torch.inference_mode()
        def step() -> None:
            self._settle()
            states_BM = self._steps.run(tokens, positions, num_sources)
            if self._model.has_best:
                self._model.best(states_BM)
            else:
                self._model.scores(states_BM)

        return step

    def step(self, running: list[Sequence]) -> None:
        """Frees the slots of those who left, encodes a slice of the newcomers, gives each row its next token."""
        self._settle()
        with torch.inference_mode():
            self._leave(running)
            self._encode(running)
            self._decode()

    def _settle(self) -> None:
        """Sets the number of threads, which OpenMP keeps for each calling thread."""
        if self._num_threads and self._thread != threading.get_ident():
            self._thread = threading.get_ident()
            is_native = native.can_run(self._model)
            set_num_threads(self._num_threads)
            # two teams of threads would stand in each other's way
            torch.set_num_threads(1 if is_native else self._num_threads)

    def _leave(self, running: list[Sequence]) -> None:
        staying = {id(sequence) for sequence in running if not sequence.is_ended}
        for slot in range(len(self._rows) - 1, -1, -1):
            if id(self._rows[slot].sequence) not in staying:
                self._free(slot)
        self._intake.keep(staying)
        self._searches.keep(staying)

    def _free(self, slot: int) -> None:
        last = self._rows.pop()
        if slot < len(self._rows):
            self._caches.move(len(self._rows), slot, num_source=last.num_source, num_target=last.position)
            self._rows[slot] = last

    def _encode(self, running: list[Sequence]) -> None:
        """Encodes newcomers for as long as those who run can spare."""
        inside = {id(row.sequence) for row in self._rows}
        waiting = [sequence for sequence in running if id(sequence) not in inside and not sequence.is_ended]
        end = time.perf_counter() + self._spare_seconds(waiting)
        while waiting:
            seconds = end - time.perf_counter() if self._rows else None
            num_free = self._num_usable - len(self._rows)
            if not self._rows:  # who is alone gets all its rows, however few were left when memory ran out
                num_free = max(num_free, waiting[0].request.num_rows)
            run = self._intake.advance(waiting, num_free=num_free, seconds=seconds)
            if run is None:
                return
            self._open_slots(run)
            if time.perf_counter() >= end:
                return
            taken = {id(sequence) for sequence in run.sequences}
            waiting = [sequence for sequence in waiting if id(sequence) not in taken]

    def _spare_seconds(self, waiting: list[Sequence]) -> float:
        if not self._rows:
            return 0.0
        return spare_seconds(
            num_rows=len(self._rows),
            num_waiting=len(waiting),
            num_behind=len(waiting) - self._intake.num_inside,
            is_watched=any(row.sequence.is_streaming for row in self._rows),
            step_s=self._decode_seconds,
            alone_s=self._alone_seconds,
        )

    def _open_slots(self, run: EncoderRun) -> None:
        for sequence, (begin, end) in zip(run.sequences, run.spans(), strict=True):
            if sequence.is_ended:
                continue
            request = sequence.request
            rows = [
                Row(sequence, end - begin, Draw(request, [self._model.config.start_id]), request.beams is not None)
                for _ in range(request.num_rows)
            ]
            for slot in range(len(self._rows), len(self._rows) + len(rows)):
                for layer, keys_values in enumerate(run.keys_values):
                    self._caches.fill(layer, slot, keys_values[:, begin:end])
                self._caches.open(slot, end - begin)
            self._rows += rows
            if request.beams is not None:
                self._searches.open(rows)

    def _decode(self) -> None:
        if not self._rows:
            return
        begin = time.perf_counter()
        try:
            states_BM = self._run_step()
            self._accept(states_BM)
            self._searches.advance(states_BM, self._rows)
        except Exception as error:
            raise self._failed(error) from error
        self._decode_seconds = time.perf_counter() - begin
        if len(self._rows) == 1:
            known = self._alone_seconds or self._decode_seconds
            self._alone_seconds = known + ALONE_SHARE * (self._decode_seconds - known)
        self._recover_slots()

    def _run_step(self) -> torch.Tensor:
        rows = self._rows
        return self._steps.run(
            [row.draw.token_ids[-1] for row in rows],
            [row.position for row in rows],
            [row.num_source for row in rows],
        )

    def _accept(self, states_BM: torch.Tensor) -> None:
        """Gives each row that is no beam its next token."""
        slots = [slot for slot, row in enumerate(self._rows) if not row.is_beam]
        if not slots:
            return
        rows = [self._rows[slot] for slot in slots]
        mine_BM = states_BM if len(slots) == len(self._rows) else states_BM[slots]
        tokens, finite = draw(mine_BM, [row.draw for row in rows], self._model)
        now = time.monotonic()
        for slot, row, token, is_finite in zip(slots, rows, tokens, finite, strict=True):
            if is_finite:
                row.draw.token_ids.append(token)
                row.sequence.accept(token, is_eos=token in self._eos_ids, now=now, likelihood=row.draw.likelihood)
            else:
                self._caches.clear(slot)
                row.sequence.end(EngineFailed(NOT_FINITE))

    def _failed(self, error: Exception) -> BatchFailed:
        """Gives up the rows of the younger half when memory ran out, and all of them otherwise."""
        num_kept = len(self._rows) // 2 if is_out_of_memory(error) else 0
        failed = {id(row.sequence): row.sequence for row in self._rows[num_kept:]}
        # a step changes nothing before it has succeeded, so those who stay lose nothing
        del self._rows[num_kept:]
        if num_kept:
            self._num_usable = num_kept
            self._num_calm_steps = 0
            free_memory(error, f"{num_kept} slots from now on")
        return BatchFailed(list(failed.values()))

    def _recover_slots(self) -> None:
        """Takes back what was given up, a little after every so many steps in which memory sufficed."""
        self._num_calm_steps += 1
        if self._num_calm_steps % CALM_STEPS == 0:
            self._num_usable = min(self._num_usable + 1, self._caches.num_slots)
            self._intake.recover()


def _steps(model: T5, caches: Caches, *, in_buckets: bool | None) -> Steps:
    """The fastest that the model's device and layout allow."""
    if model.device.type == "cuda" if in_buckets is None else in_buckets:
        return BucketedSteps(model, caches)
    return native.NativeSteps(model, caches) if native.can_run(model) else EagerSteps(model, caches)
