"""The data sources, read by real Terraform from a real local cloud."""

from __future__ import annotations

import json
import time
import urllib.error

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"


class Reader:
    """A folder whose only content is a data source, with all it tells as the output `told`."""

    def __init__(self, folder, kind):
        self.folder, self.kind = folder, kind

    def write(self, **config):
        document = {
            "provider": {"vertex": self.folder.settings},
            "data": {f"vertex_{self.kind}": {"this": config}},
            "output": {"told": {"value": f"${{data.vertex_{self.kind}.this}}"}},
        }
        (self.folder.folder / "main.tf.json").write_text(json.dumps(document))
        return self

    def read(self, **config):
        self.write(**config).folder.apply()
        return json.loads(self.folder.run("output", "-json"))["told"]["value"]

    def refused(self, **config):
        return self.write(**config).folder.refused("plan", "-input=false")


@pytest.fixture(scope="module")
def model(workspace):
    return Reader(workspace("data-model"), "model")


@pytest.fixture(scope="module")
def metrics(workspace):
    return Reader(workspace("data-metrics"), "endpoint_metrics")


@pytest.fixture(scope="module")
def registry(cloud):
    """Two versions of a model, the second one `live`, and two models of one name."""
    first, second = cloud.version("looked-up", "1"), cloud.version("looked-up", "2")
    name = second.partition("@")[0]
    cloud.call("PATCH", f"/v1/{name}?updateMask=labels", {"labels": {"look": "up", "stage": "prod"}})
    cloud.call("POST", f"/v1/{second}:mergeVersionAliases", {"versionAliases": ["live"]})
    for model_id in ("twin-a", "twin-b"):
        cloud.version(model_id, "1")
        cloud.call("PATCH", f"/v1/{PARENT}/models/{model_id}?updateMask=displayName", {"displayName": "Twin"})
    return first, second


@pytest.mark.parametrize(
    "wanted",
    [
        {"model_id": "looked-up"},
        {"display_name": "Looked-Up"},
        {"labels": {"look": "up"}},
        {"display_name": "Looked-Up", "labels": {"look": "up", "stage": "prod"}},
    ],
    ids=lambda wanted: "+".join(wanted),
)
def test_a_model_is_found_by_what_is_known_of_it(model, registry, wanted):
    told = model.read(**wanted)

    assert told["version_name"] == registry[0]  # the default version
    assert (told["name"], told["model_id"]) == (f"{PARENT}/models/looked-up", "looked-up")
    assert told["all_labels"] == {"look": "up", "stage": "prod"}
    assert "@sha256:" in told["image_uri"]


def test_an_alias_or_a_number_chooses_the_version(model, registry):
    assert model.read(model_id="looked-up", alias="live")["version_name"] == registry[1]
    told = model.read(display_name="Looked-Up", version_id="2")
    assert (told["version_id"], told["version_aliases"]) == ("2", ["live"])


def test_no_model_or_several_is_an_error_that_names_what_is_there(model, registry):
    assert "No model matches display_name = 'Lost'" in model.refused(display_name="Lost")
    several = model.refused(display_name="Twin")
    assert "2 models match display_name = 'Twin'" in several
    assert "twin-b (Twin), twin-a (Twin)" in several
    mismatch = model.refused(model_id="looked-up", labels={"team": "other"})
    assert "No model matches" in mismatch
    assert "Nearest: looked-up (Looked-Up)" in mismatch
    assert "has 1 (default); 2 (live)" in model.refused(model_id="looked-up", alias="canary")


def test_a_model_of_nothing_or_with_two_versions_asked_for_is_refused(model):
    assert "Set at least one of model_id, display_name, labels" in model.refused(alias="live")
    said = model.refused(model_id="looked-up", alias="live", version_id="2")
    assert "both choose the version" in said


@pytest.fixture(scope="module")
def asked(cloud):
    """An endpoint that answered four requests, one of them badly."""
    name = cloud.endpoint("500500")
    machine = {"dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}}
    for number, status, split in (("61", "200", {"0": 100}), ("62", "500", {"0": 0, "61": 100})):
        body = {
            "deployedModel": {"id": number, "model": cloud.version("metered-data", number, STATUS=status), **machine}
        }
        cloud.done("POST", f"/v1/{name}:deployModel", body | {"trafficSplit": split})
    for _ in range(3):
        cloud.call("POST", f"/v1/{name}:predict", {"instances": ["a", "b"]})
    cloud.call("PATCH", f"/v1/{name}?updateMask=trafficSplit", {"trafficSplit": {"61": 0, "62": 100}})
    with pytest.raises(urllib.error.HTTPError) as failed:
        cloud.call("POST", f"/v1/{name}:predict", {"instances": ["a"]})
    failed.value.close()
    time.sleep(1.0)  # the sample's second is over
    return name


def test_metrics_tell_what_the_endpoint_answered(metrics, asked):
    told = metrics.read(endpoint=asked)

    assert (told["request_count"], told["prediction_count"], told["error_count"]) == (4, 6, 1)
    assert (told["error_rate"], told["response_count"]) == (0.25, {"2xx": 3, "5xx": 1})
    assert 0 < told["p50_ms"] <= told["p95_ms"] < 5000
    assert told["window"] == "15m"


def test_metrics_tell_one_deployed_model_and_a_window_of_the_past(metrics, asked):
    one = metrics.read(endpoint=asked, deployed_model_id="61", window="24h")
    assert (one["request_count"], one["error_count"]) == (3, 0)

    past = metrics.read(endpoint=asked, offset="4h")
    assert (past["request_count"], past["error_rate"], past["p95_ms"]) == (0, 0, None)


def test_metrics_of_no_endpoint_or_for_too_long_are_refused(metrics):
    assert "projects/PROJECT/locations/LOCATION/" in metrics.refused(endpoint="500500")
    said = metrics.refused(endpoint=f"{PARENT}/endpoints/1", window="2000h", offset="soon")
    assert "at most six weeks" in said
    assert "offset is no duration" in said


def test_metrics_that_cannot_be_read_are_an_error_and_no_zero(metrics, asked, faults):
    faults({"method": "GET", "path": "/timeSeries"}, {"status": "PERMISSION_DENIED", "message": "no viewer"})

    assert "PERMISSION_DENIED: no viewer" in metrics.refused(endpoint=asked)
