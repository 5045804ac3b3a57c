"""One thing in the cloud that costs money, or may: what it is, since when it runs, what an hour of it costs.

Knows no API. Unknown is None, and is said as unknown; it is never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cdk.prices.table import PriceUnknown, table

DEPLOYED_MODEL, ENDPOINT, MODEL = "deployed model", "endpoint", "model"
REPOSITORY, BUCKET, TENSORBOARD = "image repository", "bucket", "TensorBoard"
PAGE, BUILD, JOB = "Cloud Run service", "build", "training job"
# In the order in which they can be removed: a model goes only when it is deployed nowhere.
KINDS = (DEPLOYED_MODEL, ENDPOINT, MODEL, JOB, BUILD, PAGE, TENSORBOARD, REPOSITORY, BUCKET)


@dataclass(frozen=True)
class Price:
    """usd_per_hour: None when the table has no price. basis: how it was reckoned, or why it is not known."""

    usd_per_hour: float | None
    basis: str = ""


def free(basis: str) -> Price:
    return Price(0.0, basis)


def unknown(basis: str) -> Price:
    return Price(None, basis)


def listed(service: str, item: str, region: str, *, times: float = 1.0, what: str = "") -> Price:
    """From the table of list prices, per hour; unknown with its reason where the table has none."""
    try:
        rate = table().rate(service, item, region)
    except PriceUnknown as error:
        return unknown(str(error))
    return Price(rate.usd * times, what)


@dataclass(frozen=True)
class Billable:
    """name: its full resource name, which no other has. shown: a few words for people. until: when it ended by itself.

    remove: the command that takes it away. stack: whose it is.
    """

    kind: str
    name: str
    shown: str
    stack: str
    since: datetime | None
    price: Price
    remove: str
    until: datetime | None = None

    def hours(self, now: datetime) -> float | None:
        """None when nobody told when it began."""
        if self.since is None:
            return None
        return max(((self.until or now) - self.since).total_seconds() / 3600, 0.0)

    def cost(self, now: datetime) -> float | None:
        """USD since it began; None when its price or its begin is not known."""
        hours, hourly = self.hours(now), self.price.usd_per_hour
        return None if hours is None or hourly is None else hours * hourly


def last(name: str) -> str:
    """The last part of a resource's name: its id."""
    return name.rpartition("/")[2]


def moment(text: object) -> datetime | None:
    """Google's time stamps; None for what is none."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
