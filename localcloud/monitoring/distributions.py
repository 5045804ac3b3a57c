"""Latencies as Cloud Monitoring tells them: not each one, but how many fell into which bucket.

Source: google.api.Distribution.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from localcloud.store import Document

# 1 ms to 1.3 h, each bucket a fifth wider than the one before.
NUM_FINITE_BUCKETS, GROWTH_FACTOR, SCALE = 84, 1.2, 1.0
_BOUNDS = [SCALE * GROWTH_FACTOR**exponent for exponent in range(NUM_FINITE_BUCKETS + 1)]


def distribution(values: Sequence[float]) -> Document:
    """The distributionValue of at least one value. Trailing empty buckets are left out, as Google does."""
    counts = [0] * (NUM_FINITE_BUCKETS + 2)  # and below the first bound, and above the last
    for value in values:
        counts[bisect_right(_BOUNDS, value)] += 1
    used = max(index for index, count in enumerate(counts) if count) + 1
    mean = math.fsum(values) / len(values)
    growth: Document = {"numFiniteBuckets": NUM_FINITE_BUCKETS, "growthFactor": GROWTH_FACTOR, "scale": SCALE}
    return {
        "count": str(len(values)),
        "mean": mean,
        "sumOfSquaredDeviation": math.fsum((value - mean) ** 2 for value in values),
        "bucketOptions": {"exponentialBuckets": growth},
        "bucketCounts": [str(count) for count in counts[:used]],
    }
