"""Traffic splits of an endpoint: whole percents that sum to 100, or nothing at all.

Plain arithmetic on `{deployed model id: percent}`; knows nothing of HTTP.
"""

from __future__ import annotations

Split = dict[str, int]


def with_share(split: Split, key: str, percent: int) -> Split:
    """The split in which `key` has `percent`, and the others keep their proportions of the rest.

    Those without traffic stay without. When nobody else can take the rest, `key` gets all; with 0 percent nobody does.
    """
    others = {name: share for name, share in split.items() if name != key and share > 0}
    if percent >= 100 or not others:
        return {key: 100} if percent > 0 else {}
    rest = 100 - percent
    total = sum(others.values())
    shares = {name: share * rest // total for name, share in others.items()}
    # Whole percents: what rounding lost goes to the largest, the oldest of them first.
    largest = max(others, key=lambda name: others[name])
    shares[largest] += rest - sum(shares.values())
    return {key: percent, **shares} if percent > 0 else shares


def without(split: Split, key: str, deployed: list[str]) -> Split | None:
    """The split once `key` is undeployed; None when the call needs none.

    Its share goes to the others in proportion, or to the newest one deployed when nobody else has any.
    """
    others = [name for name in deployed if name != key]
    if split.get(key, 0) == 0 or not others:
        return None
    serving = {name: share for name, share in split.items() if name != key and share > 0}
    return with_share(serving or {others[-1]: 100}, key, 0)


def divided(split: Split, *, new: str, old: str, share: int, percent: int) -> Split:
    """The split in which `new` and `old` have `share` together, and `new` has `percent` of that.

    Everybody else keeps their proportions of the rest. `new` gets at least 1 while percent is above 0, `old` at
    least 1 while it is below 100: whole percents must not end a shift before its last step.
    """
    others = {name: part for name, part in split.items() if name not in (new, old)}
    whole = with_share(others, "both", share)
    both = whole.pop("both", 0)
    part = round(both * percent / 100)
    part = min(max(part, 1 if percent > 0 else 0), both - (1 if percent < 100 and both > 1 else 0))
    return {name: one for name, one in {new: part, old: both - part, **whole}.items() if one > 0}
