"""Who waits, who runs, who is turned away. Plain Python: no clock, no threads, no tensors, no HTTP."""

from __future__ import annotations

import math

from serving.scheduling.pace import Pace
from serving.scheduling.waiting import WaitingLine
from serving.sequence import Sequence

MAX_RETRY_AFTER_S = 60


class Scheduler:
    """A bounded line of waiting sequences, and the set that runs. Not thread-safe: its owner holds a lock."""

    def __init__(self, waiting: WaitingLine, *, max_batch_size: int, max_batch_tokens: int) -> None:
        self.waiting = waiting
        self.max_batch_size = max_batch_size
        self.max_batch_tokens = max_batch_tokens
        self.running: list[Sequence] = []
        self._pace = Pace()

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    def add(self, sequences: list[Sequence]) -> None:
        """Lets all of them wait, or none. Raises `Overloaded`."""
        self.waiting.add(sequences, retry_after_s=self.retry_after_s())

    def require_room(self, num_sequences: int, num_tokens: int, *, client: str) -> None:
        """Raises `Overloaded` when that much more may not wait."""
        self.waiting.require_room(num_sequences, num_tokens, client=client, retry_after_s=self.retry_after_s())

    def admit(self) -> list[Sequence]:
        """Moves waiting sequences into the batch, in the order of the line, and returns the newcomers."""
        if not self.waiting:
            return []
        free_rows = self.max_batch_size - sum(s.request.num_rows for s in self.running)
        free_tokens = self.max_batch_tokens - sum(s.request.num_tokens for s in self.running)
        admitted: list[Sequence] = []
        while (first := self.waiting.first()) is not None:
            # who does not fit is waited for: were others let past, a large request might wait for ever
            if first.request.num_rows > free_rows or first.request.num_tokens > free_tokens:
                break
            admitted.append(self.waiting.pop())
            free_rows -= first.request.num_rows
            free_tokens -= first.request.num_tokens
        self.running += admitted
        return admitted

    def expire(self, now: float) -> list[Sequence]:
        """Takes those whose deadline has passed out of the line and returns them, for their owner to end."""
        return self.waiting.take(lambda sequence: now >= sequence.deadline)

    def withdraw(self, sequences: list[Sequence]) -> list[Sequence]:
        """Takes these out of the line; returns those that were still in it."""
        gone = {id(s) for s in sequences}
        return self.waiting.take(lambda sequence: id(sequence) in gone)

    def retire(self) -> list[Sequence]:
        """Drops ended sequences from the batch and returns them."""
        ended = [s for s in self.running if s.is_ended]
        self.running = [s for s in self.running if not s.is_ended]
        return ended

    def record(self, *, num_ended: int, seconds: float) -> None:
        """Learns how many sequences ended in the last `seconds` of work."""
        self._pace.record(num_ended=num_ended, seconds=seconds)

    def retry_after_s(self) -> int:
        """Seconds until half of the line should have gone, at the rate of late: 1 to 60."""
        return min(MAX_RETRY_AFTER_S, max(1, math.ceil(self._pace.seconds_for(math.ceil(len(self.waiting) / 2)))))
