import pytest

from provider import duration
from provider.deployed_model.resource import traffic
from provider.names import image_path, same, split_model
from tfplugin.resource import PluginError


def test_a_project_by_number_and_by_id_is_the_same():
    assert same("projects/flan/locations/l/models/m", "projects/123/locations/l/models/m")
    assert not same("projects/flan/locations/l/models/m", "projects/flan/locations/l/models/n")
    assert not same("projects/flan/locations/l/models/m", "projects/flan/locations/k/models/m")


@pytest.mark.parametrize(("name", "version"), [("m", None), ("m@3", "3"), ("m@live", "live")])
def test_a_model_is_named_with_or_without_its_version(name, version):
    parent = "projects/p/locations/l/models/"

    assert split_model(parent + name) == (parent + "m", version)


@pytest.mark.parametrize("name", ["m", "projects/p/locations/l/models/", "projects/p/locations/l/models/m@1@2"])
def test_what_is_no_model_is_refused_by_value(name):
    with pytest.raises(PluginError) as caught:
        split_model(name)

    assert repr(name) in caught.value.detail


def test_slashes_inside_an_images_name_are_escaped_in_the_apis():
    path = image_path("europe-west4-docker.pkg.dev/p/r/team/echo")

    assert path.package_name == "projects/p/locations/europe-west4/repositories/r/packages/team%2Fecho"


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1m1s", 61)])
def test_durations_are_read_as_terraform_writes_them(text, seconds):
    assert duration.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "1d", "h", "1.5h", "30"])
def test_what_is_no_duration_is_refused_by_value(text):
    with pytest.raises(ValueError, match=f"got {text!r}"):
        duration.seconds(text)


@pytest.mark.parametrize(
    ("split", "percent", "after"),
    [
        ({}, 100, {"new": 100}),
        ({"a": 100}, 100, {"new": 100}),
        ({"a": 100}, 30, {"new": 30, "a": 70}),
        ({"a": 75, "b": 25}, 20, {"new": 20, "a": 60, "b": 20}),
        ({"a": 34, "b": 33, "c": 33}, 1, {"new": 1, "a": 35, "b": 32, "c": 32}),
        ({"a": 100, "new": 0}, 0, {"a": 100}),
        ({"new": 100}, 40, {"new": 100}),
        ({}, 0, {}),
    ],
)
def test_a_share_of_the_traffic_is_taken_from_the_others_in_proportion(split, percent, after):
    assert traffic.with_share(split, "new", percent) == after
    assert sum(after.values()) in (0, 100)


@pytest.mark.parametrize(
    ("split", "deployed", "after"),
    [
        ({"a": 100}, ["a", "b"], {"b": 100}),
        ({"a": 50, "b": 30, "c": 20}, ["a", "b", "c"], {"b": 60, "c": 40}),
        ({"b": 100}, ["a", "b"], None),
        ({"a": 100}, ["a"], None),
    ],
)
def test_what_is_undeployed_leaves_its_traffic_to_the_others(split, deployed, after):
    assert traffic.without(split, "a", deployed) == after
