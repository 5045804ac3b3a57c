"""What is refused before Google is asked: the checks of each resource's configuration."""

import pytest

from provider.api import Api, Settings
from provider.deployed_model.resource import DeployedModel
from provider.image_build.resource import ImageBuild
from provider.model.resource import Model
from provider.plugin import VertexProvider
from tests.provider.bodies import changed
from tfplugin.resource import PluginError
from tfplugin.values import UNKNOWN

API = Api(Settings(project="flan", region="europe-west4"))
DIGEST = f"europe-west4-docker.pkg.dev/flan/images/echo@sha256:{'0' * 64}"
PLACE = "projects/flan/locations/europe-west4"


def filled(body, values):
    """A configuration as Terraform sends it: every attribute and block there, unset ones null."""
    config = body.empty() | {key: value for key, value in values.items() if not isinstance(value, list | dict)}
    for block in body.blocks:
        given = values.get(block.name)
        if given is not None and given is not UNKNOWN:
            is_list = isinstance(given, list)
            bodies = [filled(block.body, one) for one in (given if is_list else [given])]
            config[block.name] = bodies if is_list else bodies[0]
    config |= {one.name: values[one.name] for one in body.attributes if one.name in values}
    return config


def problems(resource, values):
    """The problems' texts, as a user reads them."""
    try:
        found = resource.validate(filled(resource.schema.body, values))
    except PluginError as error:
        return [f"{error.summary}. {error.detail}"]
    return [f"{one.summary}. {one.detail}" for one in found]


CONTAINER = ("container_spec", 0)
MODEL = {
    "model_id": "flan-t5",
    "display_name": "Flan",
    "labels": {"team": "ml", "stage": ""},
    "container_spec": [
        {
            "image_uri": DIGEST,
            "ports": [7080],
            "predict_route": "/predict",
            "health_route": "/health",
            "deployment_timeout": "7200s",
            "env": [{"name": "MODEL_DIR", "value": "model"}],
        }
    ],
    "timeouts": {"create": "1h30m"},
}


def test_a_right_model_has_no_problems():
    assert problems(Model(API), MODEL) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            ("model_id",),
            "9lives",
            "Got '9lives'; allowed is at most 63 of a-z, 0-9, _ and -, not beginning with",
        ),
        (("model_id",), "x" * 64, "allowed is at most 63"),
        (("display_name",), "", "(0 characters)'; allowed is 1 to 128 characters"),
        (("labels",), {"Team": "ml"}, "Got 'Team'; allowed is a key of at most 63"),
        (("timeouts", "create"), "soon", "timeouts.create: got 'soon'; allowed is a duration above zero"),
        ((*CONTAINER, "image_uri"), "a/b:latest", "Got 'a/b:latest'; allowed is an image by digest"),
        ((*CONTAINER, "health_route"), "health", "Got 'health'; allowed is a path that begins with /"),
        ((*CONTAINER, "ports"), [0], "Got 0; allowed is a whole number, from 1 to 65535"),
        ((*CONTAINER, "env", 0, "name"), "AIP_HTTP_PORT", "does not begin with AIP_, which Vertex AI sets"),
        ((*CONTAINER, "deployment_timeout"), "3h", "Got '3h'; allowed is seconds up to two hours, as 7200s"),
        ((*CONTAINER, "deployment_timeout"), "7201s", "allowed is seconds up to two hours"),
    ],
)
def test_a_wrong_model_is_told_what_was_got_and_what_is_allowed(path, value, said):
    (problem,) = problems(Model(API), changed(MODEL, path, value))

    assert said in problem


RESOURCES = ("dedicated_resources", 0)
MACHINE = (*RESOURCES, "machine_spec", 0)
DEPLOYED = {
    "endpoint": f"{PLACE}/endpoints/1",
    "model": f"{PLACE}/models/flan@1",
    "traffic_percent": 100,
    "dedicated_resources": [
        {
            "min_replica_count": 1,
            "max_replica_count": 2,
            "machine_spec": [{"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100"}],
        }
    ],
}


def test_a_right_deployed_model_has_no_problems():
    assert problems(DeployedModel(API), DEPLOYED) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("endpoint",), "endpoints/1", "Got 'endpoints/1'; it must begin projects/PROJECT/locations/LOCATION/"),
        (("model",), "flan", "Got 'flan'; allowed is projects/PROJECT/locations/LOCATION/models/MODEL@VERSION"),
        (("deployed_model_id",), "abc", "Got 'abc'; allowed is 1 to 10 digits"),
        (("traffic_percent",), 101, "Got 101; allowed is a whole number, from 0 to 100"),
        (("traffic_percent",), 0.5, "Got 0.5; allowed is a whole number"),
        ((*RESOURCES, "min_replica_count"), 3, "Got 3; allowed is at most max_replica_count (2)"),
        ((*RESOURCES, "min_replica_count"), 0, "Got 0; allowed is a whole number, 1 or more"),
        ((*MACHINE, "accelerator_type"), "NVIDIA_L4", "allowed is NVIDIA_TESLA_A100, which a2-highgpu-1g has built in"),
        ((*MACHINE, "accelerator_type"), None, "which a2-highgpu-1g has built in: it must be named"),
    ],
)
def test_a_wrong_deployed_model_is_told_what_was_got_and_what_is_allowed(path, value, said):
    (problem,) = problems(DeployedModel(API), changed(DEPLOYED, path, value))

    assert said in problem


IMAGE = {
    "image": "europe-west4-docker.pkg.dev/flan/images/echo",
    "content_hash": "0" * 64,
    "trigger": f"{PLACE}/triggers/t",
    "revision": "1" * 40,
}


def test_a_right_image_build_has_no_problems():
    assert problems(ImageBuild(API), IMAGE) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("image",), "echo", "Got 'echo'; allowed is LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME"),
        (("image",), IMAGE["image"] + ":tag", "without tag or digest"),
        (("content_hash",), "abc", "Got 'abc'; allowed is a sha256 of 64 hexadecimal digits"),
        (("revision",), None, "Got neither; set exactly one of revision"),
        (("timeouts",), {"create": "-1s"}, "allowed is a duration above zero such as 90m, 2h or 1h30m"),
    ],
)
def test_a_wrong_image_build_is_told_what_was_got_and_what_is_allowed(path, value, said):
    (problem,) = problems(ImageBuild(API), changed(IMAGE, path, value))

    assert said in problem


def test_two_ways_of_the_source_are_one_too_many():
    both = IMAGE | {"source_archive": "a.tar.gz", "source_bucket": "flan-source"}

    assert "Got revision and source_archive" in problems(ImageBuild(API), both)[0]


@pytest.mark.parametrize("values", [MODEL, DEPLOYED, IMAGE])
def test_what_is_not_known_yet_is_not_judged(values):
    resource = {id(MODEL): Model, id(DEPLOYED): DeployedModel, id(IMAGE): ImageBuild}[id(values)](API)
    config = filled(resource.schema.body, values)
    for name, value in config.items():
        if value is not None:
            config[name] = UNKNOWN

    assert list(resource.validate(config)) == []


def test_an_address_without_its_scheme_is_refused():
    config = {"project": "p", "region": "r", "api_endpoint": "127.0.0.1:8700", "access_token": None}
    (problem,) = VertexProvider().validate(config)

    assert "Got '127.0.0.1:8700'; allowed is an address with its scheme" in problem.detail
