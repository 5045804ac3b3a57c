"""Percentiles out of distributions, which tell how many values fell into which bucket.

Knows nothing of endpoints or HTTP. Source: google.api.Distribution.
"""

from __future__ import annotations

import math

from provider.api import JsonObject


class Buckets:
    """Distributions put together, whatever buckets each has."""

    def __init__(self) -> None:
        self._counts: dict[tuple[float, float], int] = {}  # by lower and upper bound

    def add(self, series: JsonObject) -> None:
        """Adds all points of a time series."""
        for point in series.get("points", []):
            value = point.get("value", {}).get("distributionValue", {})
            bounds = _bounds(value.get("bucketOptions", {}))
            for index, count in enumerate(value.get("bucketCounts", [])):
                if int(count):
                    lower = bounds[index - 1] if index else 0.0
                    upper = bounds[index] if index < len(bounds) else math.inf
                    key = (lower, upper)
                    self._counts[key] = self._counts.get(key, 0) + int(count)

    def percentile(self, share: float) -> float | None:
        """The value below which the share lies, evenly spread within its bucket; None when nothing was counted."""
        rank = share * sum(self._counts.values())
        for (lower, upper), count in sorted(self._counts.items()):
            if rank <= count:
                return lower if math.isinf(upper) else lower + (upper - lower) * rank / count
            rank -= count
        return None


def _bounds(options: JsonObject) -> list[float]:
    """The bounds between buckets, google.api.Distribution.BucketOptions."""
    if "explicitBuckets" in options:
        return [float(one) for one in options["explicitBuckets"].get("bounds", [])]
    if "linearBuckets" in options:
        linear = options["linearBuckets"]
        return [
            float(linear.get("offset", 0)) + float(linear["width"]) * step
            for step in range(int(linear["numFiniteBuckets"]) + 1)
        ]
    exponential = options.get("exponentialBuckets")
    if not exponential:
        return []
    growth, scale = float(exponential["growthFactor"]), float(exponential["scale"])
    return [scale * growth**step for step in range(int(exponential["numFiniteBuckets"]) + 1)]
