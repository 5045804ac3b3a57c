import pytest

from provider import duration
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
