"""The traffic of an endpoint, added up over a plan."""

import pytest

from provider.deployed_model.lineage import derived_id, new_lineage
from provider.deployed_model.shares import Shares
from tfplugin.resource import PluginError
from tfplugin.values import UNKNOWN

ENDPOINT = "projects/p/locations/l/endpoints/1"


def planned(track, percent, *, version="1", **fields):
    number = derived_id(new_lineage(ENDPOINT, "m", track), [version])
    state = {"endpoint": ENDPOINT, "deployed_model_id": number, "traffic_percent": percent}
    return state | {"model": f"projects/p/locations/l/models/m@{version}"} | fields


def test_more_than_all_is_refused_with_every_share():
    shares = Shares()
    shares.add(planned("main", 90))

    with pytest.raises(PluginError, match="1 is to give 120 %") as refusal:
        shares.add(planned("canary", 30, version="2"))
    assert "Got 90 to m@1 and 30 to m@2; allowed is 100 in all" in refusal.value.detail


def test_all_or_less_and_other_endpoints_pass():
    shares = Shares()
    shares.add(planned("main", 90))
    shares.add(planned("canary", 10))
    shares.add(planned("else", 100, endpoint=ENDPOINT + "2"))


def test_a_resource_that_is_planned_again_counts_once():
    shares = Shares()
    shares.add(planned("main", 100))
    shares.add(planned("main", 60, version="2"))
    shares.add(planned("canary", 40))


@pytest.mark.parametrize("name", ["endpoint", "deployed_model_id", "traffic_percent"])
def test_what_is_not_known_yet_is_not_counted(name):
    shares = Shares()
    shares.add(planned("main", 100, **{name: UNKNOWN}))
    shares.add(planned("canary", 100))
