"""What a sweep finds: everything with the deployment's labels, whoever made it; and no empty list for an error."""

import subprocess
import time

import pytest

from scripts.destroy.billable import KINDS
from scripts.destroy.removal import Removal, shared
from scripts.destroy.sweep import sweep
from tests.provider.local_cloud import free_port_pair


def kinds(found):
    return [one.kind for one in found.goes_on]


def everything(make):
    """One of each kind."""
    make.project.repository(labels=make.labels)
    model, endpoint = make.model(), make.endpoint()
    make.deployed(endpoint, model)
    make.page()
    make.build(seconds=30)
    make.tensorboard()
    make.job()
    make.bucket(f"{make.project.name}-left")
    make.project.cloud.call(
        "POST", f"/upload/storage/v1/b/{make.project.name}-left/o?uploadType=media&name=a/b%20c", {"some": "bytes"}
    )


def test_an_empty_project_has_nothing_and_every_service_was_asked(project):
    found = sweep(project.config)

    assert (found.found, found.not_seen) == ((), {})


def test_everything_with_the_label_is_found_and_the_command_told_removes_it(make):
    everything(make)

    found = sweep(make.project.config)
    assert kinds(found) == list(KINDS)
    assert found.not_seen == {}

    for one in found.goes_on:  # in the order told: a model goes only when it is deployed nowhere
        deadline = time.monotonic() + 30  # the answer is an operation, and the next is refused until it has ended
        while (out := subprocess.run(["bash", "-c", one.remove], capture_output=True, text=True)).returncode:
            assert time.monotonic() < deadline, f"{one.remove}\n{out.stderr}"
            time.sleep(0.3)

    deadline = time.monotonic() + 20
    while (left := sweep(make.project.config)).goes_on and time.monotonic() < deadline:
        time.sleep(0.2)
    assert kinds(left) == []


def test_what_belongs_to_others_is_left_alone(make):
    others = {"flanstack_env": "prod", "managed_by": "flanstack"}
    make.model(labels=others)
    make.endpoint(labels={"managed_by": "flanstack"})
    make.project.bucket(f"{make.project.name}-theirs", labels={"team": "x"})
    make.build(seconds=5, tags=["flanstack"])

    assert kinds(sweep(make.project.config)) == []


def test_our_model_on_somebody_s_own_endpoint_is_found(make):
    endpoint = make.endpoint(labels={})
    number = make.deployed(endpoint, make.model())

    (deployed, model) = sweep(make.project.config).goes_on

    assert (deployed.kind, model.kind) == ("deployed model", "model")
    assert deployed.name == f"{endpoint}/deployedModels/{number}"


def test_a_deployed_model_costs_its_machines_and_an_unlisted_one_is_unknown(make):
    endpoint, model = make.endpoint(), make.model()
    make.deployed(endpoint, model, replicas=2)
    make.deployed(endpoint, model, machine="n1-standard-2")

    prices = {one.shown.partition(", ")[2]: one.price for one in sweep(make.project.config).goes_on[:2]}

    # Two nodes at 4.3101678 per hour in europe-west4.
    assert prices["2 x a2-highgpu-1g"].usd_per_hour == pytest.approx(8.6203356)
    assert prices["1 x n1-standard-2"].usd_per_hour is None
    assert "n1-standard-2" in prices["1 x n1-standard-2"].basis


def test_a_page_costs_the_instances_that_are_kept_up(make):
    make.page(scaling={"minInstanceCount": 2})

    (page,) = sweep(make.project.config).goes_on

    # Two of one vCPU and half a GiB, idle: 2 x 3600 s x (1 x 0.0000025 + 0.5 x 0.0000025).
    assert page.price.usd_per_hour == pytest.approx(0.027)


def test_a_build_that_has_ended_is_a_record_and_no_leftover(make):
    number = make.build()
    deadline = time.monotonic() + 60
    while not (found := sweep(make.project.config)).found or found.goes_on:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    assert found.found[0].name.endswith(number)
    assert found.found[0].cost(found.found[0].until) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_does_not_answer_is_not_an_empty_one(make, faults, kind):
    collection = {
        "deployed model": "/endpoints$",
        "endpoint": "/endpoints$",
        "model": "/models$",
        "training job": "/customJobs$",
        "build": "/builds$",
        "Cloud Run service": "/services$",
        "TensorBoard": "/tensorboards$",
        "image repository": "/repositories$",
        "bucket": "/storage/v1/b$",
    }[kind]
    faults(match={"method": "GET", "path": collection}, effect={"preset": "unavailable"}, times=None)

    found = sweep(make.project.config)

    assert "answered 503" in found.not_seen[kind]


def test_an_answer_of_another_shape_is_not_an_empty_one(make):
    make.project.repository(labels=make.labels, sizeBytes="many")

    assert "could not be read" in sweep(make.project.config).not_seen["image repository"]


def test_nothing_is_known_of_a_cloud_that_is_not_there(project):
    google = project.config.google.model_copy(update={"api_endpoint": f"http://127.0.0.1:{free_port_pair()}"})

    found = sweep(project.config.model_copy(update={"google": google}))

    assert found.found == ()
    assert set(found.not_seen) == set(KINDS)


def test_one_stack_s_sweep_knows_only_of_what_is_its_own(make, faults):
    make.deployed(make.endpoint(), make.model())
    faults(match={"path": "/storage/v1/b$"}, effect={"preset": "unavailable"}, times=None)

    found = sweep(make.project.config).of("endpoint")

    assert kinds(found) == ["deployed model", "endpoint"]
    assert found.not_seen == {}


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"1": 100}, {}),
        ({"1": 0, "2": 100}, {}),
        ({"1": 100, "2": 0}, {"2": 100}),
        ({"1": 40, "2": 30, "3": 30}, {"2": 50, "3": 50}),
        ({"1": 1, "2": 33, "3": 66}, {"2": 33, "3": 67}),
    ],
)
def test_the_traffic_of_what_is_undeployed_goes_to_the_others(split, expected):
    assert shared(split, without="1") == expected


def test_commands_for_google_are_gcloud_s(project):
    google = project.config.google.model_copy(update={"api_endpoint": None, "project": "p-123456"})
    removal = Removal(google)
    parent = "projects/1/locations/europe-west4"
    where = "--region=europe-west4 --project=p-123456 --quiet"

    assert removal.deployed_model(f"{parent}/endpoints/7", "3", {"3": 60, "4": 40}) == (
        f"gcloud ai endpoints undeploy-model 7 --deployed-model-id=3 --traffic-split=4=100 {where}"
    )
    assert removal.vertex(f"{parent}/endpoints/7", "endpoints") == f"gcloud ai endpoints delete 7 {where}"
    assert removal.vertex(f"{parent}/customJobs/9", "custom-jobs", verb="cancel") == (
        f"gcloud ai custom-jobs cancel 9 {where}"
    )
    assert removal.bucket("b") == "gcloud storage rm --recursive gs://b"
    assert removal.page(f"{parent}/services/flan-ui") == f"gcloud run services delete flan-ui {where}"
    assert removal.build("projects/1/locations/global/builds/5", "global") == (
        "gcloud builds cancel 5 --region=global --project=p-123456"
    )
    assert removal.repository(f"{parent}/repositories/r") == (
        "gcloud artifacts repositories delete r --location=europe-west4 --project=p-123456 --quiet"
    )
