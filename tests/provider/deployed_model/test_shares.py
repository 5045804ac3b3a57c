"""The traffic of an endpoint, added up over a plan."""

import pytest

from provider.deployed_model.shares import Shares
from tfplugin.resource import PluginError
from tfplugin.values import UNKNOWN

ENDPOINT = "projects/p/locations/l/endpoints/1"


def planned(track, percent, *, version="1", **fields):
    state = {"endpoint": ENDPOINT, "track": track, "traffic_percent": percent}
    return state | {"model": f"projects/p/locations/l/models/m@{version}"} | fields


def test_more_than_all_is_refused_with_every_share():
    shares = Shares()
    shares.add(planned("main", 90))

    with pytest.raises(PluginError, match="1 is to give 120 %") as refusal:
        shares.add(planned("canary", 30, version="2"))
    assert "Got 90 to m (main) and 30 to m (canary); allowed is 100 in all" in refusal.value.detail


def test_all_or_less_and_other_endpoints_pass():
    shares = Shares()
    shares.add(planned("main", 90))
    shares.add(planned("canary", 10))
    shares.add(planned("else", 100, endpoint=ENDPOINT + "2"))


def test_a_resource_that_is_planned_again_counts_once():
    shares = Shares()
    shares.add(planned("main", 100))
    shares.add(planned("main", 60, version="2"))  # a replacement of it, say
    shares.add(planned("canary", 40))


@pytest.mark.parametrize("name", ["endpoint", "model", "traffic_percent"])
def test_what_is_not_known_yet_is_not_counted(name):
    shares = Shares()
    shares.add(planned("main", 100, **{name: UNKNOWN}))
    shares.add(planned("canary", 100))
