"""Newcomers on their way to a slot: who is encoded next, who together, and for how long at a time.

Knows prompts and the encoder; knows no slots, no decoder.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as Seq

from serving.engine.continuous.encoding import Encoder, EncoderRun, Pace
from serving.engine.continuous.out_of_memory import free_memory, is_out_of_memory
from serving.engine.protocol import BatchFailed
from serving.sequence import Sequence

# a step of a few rows reads all weights as a step of many does: a newcomer is worth the wait of so many who run
CROWD = 4
# tokens that are read as they come have at most so many times the gaps of those of a sequence that runs alone,
WATCHED_GAP = 2.5
# until so many wait for their turn to be encoded
QUEUE = 6


class Intake:
    """max_run_tokens: prompt tokens that are encoded together; a longer prompt is encoded alone."""

    def __init__(self, encoder: Encoder, *, max_run_tokens: int) -> None:
        self._encoder = encoder
        self._max_run_tokens = self._wanted_run_tokens = max_run_tokens
        self._run: EncoderRun | None = None
        self._pace = Pace()

    def keep(self, ids: Collection[int]) -> None:
        """Drops the run under way when none of its sequences is among those with these `id()`s."""
        if self._run is not None and not any(id(sequence) in ids for sequence in self._run.sequences):
            self._run = None

    @property
    def num_inside(self) -> int:
        """Sequences that are being encoded."""
        return len(self._run.sequences) if self._run is not None else 0

    def advance(self, waiting: Seq[Sequence], *, num_free: int, seconds: float | None) -> EncoderRun | None:
        """Encodes the oldest of `waiting` for about so many seconds, or until they are done when None.

        Returns who is ready for slots; None when the time is up, or nobody may come in. Raises `BatchFailed`.
        """
        newcomers = self._run.sequences if self._run is not None else self._chosen(waiting, num_free)
        if not newcomers:
            return None
        try:
            if self._run is None:
                self._run = EncoderRun.start(self._encoder, newcomers)
            is_done = self._run.advance(self._encoder, self._pace, seconds=seconds)
        except Exception as error:
            self._run = None
            if is_out_of_memory(error) and self._shrink(newcomers, error):
                return None
            raise BatchFailed(newcomers) from error
        if not is_done:
            return None
        run, self._run = self._run, None
        return run

    def recover(self) -> None:
        """Takes back some of what was given up when memory ran out."""
        self._max_run_tokens = min(2 * self._max_run_tokens, self._wanted_run_tokens)

    def _chosen(self, waiting: Seq[Sequence], num_free: int) -> list[Sequence]:
        """As many as there are slots, and as are encoded well together."""
        chosen: list[Sequence] = []
        num_rows = num_tokens = 0
        for sequence in waiting:
            num_rows += sequence.request.num_rows
            num_tokens += len(sequence.request.prompt_ids)
            # who does not fit is waited for: were others let past, one with many beams might wait for ever
            if num_rows > num_free or (chosen and num_tokens > self._max_run_tokens):
                break
            chosen.append(sequence)
        return chosen

    def _shrink(self, newcomers: list[Sequence], error: Exception) -> bool:
        """Has fewer go together from now on; returns whether that gives these another chance."""
        self._max_run_tokens = max(1, sum(len(s.request.prompt_ids) for s in newcomers) // 2)
        free_memory(error, f"{self._max_run_tokens} prompt tokens are encoded together from now on")
        return len(newcomers) > 1


def spare_seconds(
    *, num_rows: int, num_waiting: int, num_behind: int, is_watched: bool, step_s: float, alone_s: float
) -> float:
    """For how long newcomers are encoded between two steps, if that is longer than one slice.

    step_s: what the last step took. alone_s: what one of a single row takes. num_behind: those of `num_waiting` who
    are not being encoded yet.

    Where somebody reads tokens as they come, and sees every pause: as long as the next ones come after `WATCHED_GAP`
    times what they would take if nobody else were there. The more wait for their turn, the more it may be, up to the
    time of a step, or they would wait for ever. Where nobody does, the time of a step: those who run wait at most
    twice as long. More when few run and many wait, who would lose more than those gain.
    """
    if is_watched:
        return max(WATCHED_GAP * alone_s - step_s, min(1.0, num_behind / QUEUE) * step_s)
    return max(1.0, CROWD * num_waiting / num_rows) * step_s
