"""Buckets, with a clock of their own."""

import pytest

from serving.access import quotas
from serving.access.quotas import Quota, Quotas
from serving.errors import QuotaExceeded


def refused(limits, client, quota, now):
    with pytest.raises(QuotaExceeded) as error:
        limits.take(client, quota, now)
    return error.value


def test_a_minutes_requests_go_at_once_and_come_back_one_by_one():
    limits, quota = Quotas(), Quota(requests=6, tokens=0)
    for _ in range(6):
        limits.take("alice", quota, 0.0)

    error = refused(limits, "alice", quota, 0.0)
    limits.take("alice", quota, 10.0)

    assert error.message == "this client may ask 6 requests a minute; try again in 10 s"
    assert error.retry_after_s == 10
    assert refused(limits, "alice", quota, 10.0).retry_after_s == 10


def test_one_client_takes_nothing_from_another():
    limits, quota = Quotas(), Quota(requests=1, tokens=0)
    limits.take("alice", quota, 0.0)
    limits.take("ben", quota, 0.0)

    assert refused(limits, "alice", quota, 0.0)


def test_tokens_are_charged_afterwards_and_a_debt_is_waited_for():
    limits, quota = Quotas(), Quota(requests=0, tokens=60)
    limits.take("alice", quota, 0.0)
    limits.charge("alice", quota, 100, 0.0)

    error = refused(limits, "alice", quota, 0.0)
    limits.take("alice", quota, 41.0)

    assert error.message == "this client may ask 60 tokens a minute; try again in 41 s"


def test_a_refused_request_takes_nothing():
    limits, quota = Quotas(), Quota(requests=60, tokens=60)
    limits.charge("alice", quota, 60, 0.0)
    for _ in range(100):
        refused(limits, "alice", quota, 0.0)

    for _ in range(59):
        limits.take("alice", quota, 1.0)


def test_without_a_quota_nothing_is_counted():
    limits = Quotas()
    for _ in range(1000):
        limits.take("alice", Quota(0, 0), 0.0)
    limits.charge("alice", Quota(0, 0), 10**9, 0.0)

    assert limits._buckets == {}


def test_clients_that_are_level_again_are_forgotten(monkeypatch):
    monkeypatch.setattr(quotas, "MAX_IDLE", 10)
    limits, quota = Quotas(), Quota(requests=60, tokens=0)
    for number in range(100):
        limits.take(f"client {number}", quota, float(number * 60))

    assert len(limits._buckets) <= 12
