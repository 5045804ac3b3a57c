"""The line in front of the engine: how much may wait, and whose turn it is. Plain Python: no clock, no threads.

Within one client the oldest goes first. Between clients, the one that has been given the fewest tokens: a virtual
token counter for each (Sheng et al. 2024, "Fairness in Serving Large Language Models", arXiv:2401.00588). A client
that comes back starts at the level that the counters of those who wait have reached by then, so that a rest earns
no credit, and an endless row of newcomers holds nobody up. Where no client is named, all are the same one, and the
line is first in, first out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from serving.errors import Overloaded
from serving.sequence import Sequence


class WaitingLine:
    """Bounded by sequences and by the tokens that they may come to hold. Not thread-safe: its owner holds a lock.

    max_client_share: the part of either bound that one named client may take, so that a busy client fills its own
    part and not the line.
    """

    def __init__(self, *, max_sequences: int, max_tokens: int, max_client_share: float = 0.5) -> None:
        self.max_sequences = max_sequences
        self.max_tokens = max_tokens
        self.max_client_share = max_client_share
        self.num_tokens = 0
        self._lines: dict[str, deque[Sequence]] = {}
        self._given: dict[str, float] = {}
        self._level = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Sequence]:
        """Oldest first within each client."""
        for line in self._lines.values():
            yield from line

    def add(self, sequences: list[Sequence], *, retry_after_s: int) -> None:
        """Lets all of them wait, or none: half a request is of no use to its client. Raises `Overloaded`."""
        if sequences:
            num_tokens = sum(sequence.request.num_tokens for sequence in sequences)
            client = sequences[0].request.client
            self.require_room(len(sequences), num_tokens, client=client, retry_after_s=retry_after_s)
        for sequence in sequences:
            client = sequence.request.client
            if client not in self._lines:
                self._lines[client] = deque()
                self._given[client] = max(self._given.get(client, 0.0), self._level)
            self._lines[client].append(sequence)
            self.num_tokens += sequence.request.num_tokens

    def require_room(self, num_sequences: int, num_tokens: int, *, client: str, retry_after_s: int) -> None:
        """Raises `Overloaded` when that much more may not wait."""
        again = f"; try again in {retry_after_s} s"
        if len(self) + num_sequences > self.max_sequences:
            raise Overloaded(
                f"{len(self)} sequences are already waiting (MAX_WAITING is {self.max_sequences}) "
                f"and this request adds {num_sequences}{again}",
                retry_after_s=retry_after_s,
            )
        if self.num_tokens + num_tokens > self.max_tokens:
            raise Overloaded(
                f"{self.num_tokens} tokens are already waiting (MAX_WAITING_TOKENS is {self.max_tokens}) "
                f"and this request adds {num_tokens}{again}",
                retry_after_s=retry_after_s,
            )
        if client:
            self._require_share(num_sequences, num_tokens, client=client, retry_after_s=retry_after_s)

    def _require_share(self, num_sequences: int, num_tokens: int, *, client: str, retry_after_s: int) -> None:
        mine = self._lines.get(client, ())
        num_mine = len(mine) + num_sequences
        mine_tokens = sum(sequence.request.num_tokens for sequence in mine) + num_tokens
        share = self.max_client_share
        if num_mine > share * self.max_sequences or mine_tokens > share * self.max_tokens:
            raise Overloaded(
                f"{len(mine)} sequences of this client are already waiting and this request adds {num_sequences}, "
                f"{mine_tokens} tokens in all; one client may take {share:.0%} of the line, "
                f"{int(share * self.max_sequences)} sequences and {int(share * self.max_tokens)} tokens; "
                f"try again in {retry_after_s} s",
                retry_after_s=retry_after_s,
            )

    def first(self) -> Sequence | None:
        """The next to leave."""
        client = self._next_client()
        return None if client is None else self._lines[client][0]

    def pop(self) -> Sequence:
        """Takes the next out; its client has been given its tokens."""
        client = self._next_client()
        if client is None:
            raise LookupError("nobody waits")
        sequence = self._lines[client].popleft()
        num_tokens = sequence.request.num_tokens
        self.num_tokens -= num_tokens
        self._given[client] += num_tokens
        self._level += num_tokens / len(self._lines)
        self._forget()
        return sequence

    def take(self, is_taken: Callable[[Sequence], bool]) -> list[Sequence]:
        """Takes those out of the line, wherever they stand; their clients are not charged."""
        taken = [sequence for sequence in self if is_taken(sequence)]
        if not taken:
            return taken
        gone = set(map(id, taken))
        for client, line in self._lines.items():
            self._lines[client] = deque(sequence for sequence in line if id(sequence) not in gone)
        self.num_tokens -= sum(sequence.request.num_tokens for sequence in taken)
        self._forget()
        return taken

    def _next_client(self) -> str | None:
        # ties go to whose line began earlier: dictionaries keep their order
        return min(self._lines, key=self._given.__getitem__, default=None)

    def _forget(self) -> None:
        """Drops empty lines, and counters that a returning client would not start at anyway."""
        self._lines = {client: line for client, line in self._lines.items() if line}
        if not self._lines:  # nobody to be fair to: all start level again
            self._given.clear()
            self._level = 0.0
        self._given = {
            client: given for client, given in self._given.items() if client in self._lines or given > self._level
        }
