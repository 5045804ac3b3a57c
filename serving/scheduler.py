"""Who waits, who runs, who is turned away. Plain Python: no clock, no threads, no tensors, no HTTP."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from serving.errors import Overloaded
from serving.sequence import Sequence


class Scheduler:
    """A bounded line of waiting sequences, and the set that runs. Not thread-safe: its owner holds a lock."""

    def __init__(self, *, max_waiting: int, max_batch_size: int, max_batch_tokens: int) -> None:
        self.max_waiting = max_waiting
        self.max_batch_size = max_batch_size
        self.max_batch_tokens = max_batch_tokens
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._seconds_per_sequence = 0.0

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    def add(self, sequences: list[Sequence]) -> None:
        """Lets all of them wait, or none: half a request is of no use to its client."""
        num_waiting = len(self.waiting)
        if num_waiting + len(sequences) > self.max_waiting:
            retry_after_s = self.retry_after_s()
            raise Overloaded(
                f"{num_waiting} sequences are already waiting (MAX_WAITING is {self.max_waiting}) "
                f"and this request adds {len(sequences)}; try again in {retry_after_s} s",
                retry_after_s=retry_after_s,
            )
        self.waiting.extend(sequences)

    def admit(self) -> list[Sequence]:
        """Moves waiting sequences into the batch, oldest first, and returns the newcomers."""
        free = self.max_batch_tokens - sum(s.request.num_tokens for s in self.running)
        admitted: list[Sequence] = []
        while self.waiting and len(self.running) + len(admitted) < self.max_batch_size:
            num_tokens = self.waiting[0].request.num_tokens
            if num_tokens > free:
                break
            free -= num_tokens
            admitted.append(self.waiting.popleft())
        self.running += admitted
        return admitted

    def expire(self, now: float) -> list[Sequence]:
        """Takes those whose deadline has passed out of the line and returns them, for their owner to end."""
        return self._take(lambda sequence: now >= sequence.deadline)

    def withdraw(self, sequences: list[Sequence]) -> list[Sequence]:
        """Takes these out of the line; returns those that were still in it."""
        gone = {id(s) for s in sequences}
        return self._take(lambda sequence: id(sequence) in gone)

    def retire(self) -> list[Sequence]:
        """Drops ended sequences from the batch and returns them."""
        ended = [s for s in self.running if s.is_ended]
        self.running = [s for s in self.running if not s.is_ended]
        return ended

    def record(self, *, num_sequences: int, seconds: float) -> None:
        """Learns how long a sequence takes, from a batch that took `seconds` for `num_sequences`."""
        sample = seconds / max(num_sequences, 1)
        known = self._seconds_per_sequence
        self._seconds_per_sequence = sample if known == 0 else 0.7 * known + 0.3 * sample

    def retry_after_s(self) -> int:
        """Seconds until half of the line should have gone, at the rate of late: 1 to 60."""
        return min(60, max(1, math.ceil(len(self.waiting) / 2 * self._seconds_per_sequence)))

    def _take(self, is_taken: Callable[[Sequence], bool]) -> list[Sequence]:
        taken = [s for s in self.waiting if is_taken(s)]
        self.waiting = deque(s for s in self.waiting if not is_taken(s))
        return taken
