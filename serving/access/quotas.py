"""How much each client may ask: requests and tokens per minute. Knows no HTTP; the time is given.

A bucket holds what a minute allows, and fills all the time. A request takes one; its tokens are taken when it has
ended and they are known, so a bucket may owe: then nothing goes until it has caught up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from serving.errors import QuotaExceeded

# Beyond so many, those that are full again are forgotten: a full bucket is as good as a new one.
MAX_IDLE = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """Per minute; 0 is no limit."""

    requests: int
    tokens: int


@dataclass(slots=True)
class Bucket:
    """`level` as it was at the time `at`."""

    per_minute: int
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.per_minute, self.level + (now - self.at) * self.per_minute / 60)
        self.at = now

    def seconds_until(self, wanted: float) -> float:
        return max(0.0, (wanted - self.level) * 60 / self.per_minute)


class Quotas:
    """Of all clients. Belongs to one thread."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def take(self, client: str, quota: Quota, now: float) -> None:
        """Counts a request. Raises `QuotaExceeded` with the seconds until there is room again."""
        requests = self._bucket(client, "requests", quota.requests, now)
        tokens = self._bucket(client, "tokens", quota.tokens, now)
        if tokens is not None and tokens.level < 1:
            self._refuse(f"{quota.tokens} tokens a minute", tokens.seconds_until(1))
        if requests is not None:
            if requests.level < 1:
                self._refuse(f"{quota.requests} requests a minute", requests.seconds_until(1))
            requests.level -= 1

    def charge(self, client: str, quota: Quota, num_tokens: int, now: float) -> None:
        """Counts the tokens of a request that has ended."""
        bucket = self._bucket(client, "tokens", quota.tokens, now)
        if bucket is not None:
            bucket.level -= num_tokens

    def _bucket(self, client: str, kind: str, per_minute: int, now: float) -> Bucket | None:
        if not per_minute:
            return None
        if len(self._buckets) > MAX_IDLE:
            self._forget(now)
        bucket = self._buckets.setdefault((client, kind), Bucket(per_minute, per_minute, now))
        bucket.fill(now)
        return bucket

    def _forget(self, now: float) -> None:
        for bucket in self._buckets.values():
            bucket.fill(now)
        self._buckets = {who: bucket for who, bucket in self._buckets.items() if bucket.level < bucket.per_minute}

    def _refuse(self, limit: str, seconds: float) -> None:
        wait_s = max(1, math.ceil(seconds))
        raise QuotaExceeded(f"this client may ask {limit}; try again in {wait_s} s", retry_after_s=wait_s)
