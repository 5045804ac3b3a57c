"""Every attribute of `vertex_image_build`: changed in place, in another image, by hand, and by an import."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
IMAGES = "europe-west4-docker.pkg.dev/flan/attributes"
TRIGGER = f"{PARENT}/triggers/none"


@pytest.fixture(scope="module")
def pushed(cloud):
    """An image as `docker push` leaves one: a tag of its maker's choice, and no build."""
    cloud.call("POST", f"/v1/{PARENT}/repositories?repositoryId=attributes", {"format": "DOCKER"})
    return push(cloud, "by-hand", "v1")


def push(cloud, name, tag, version="1"):
    source = cloud.image(version)  # any image
    folder = cloud.log.parent / f"pushed-{name}-{tag}"
    folder.mkdir(exist_ok=True)
    (folder / "content").write_text(f"{source} {version}")
    body = {"uri": f"{IMAGES}/{name}:{tag}", "folder": str(folder), "config": {"cmd": ["true"]}}
    return cloud.call("POST", "/localcloud/images", body)["digest"]


def build(name="attributes", content="a" * 64, **fields):
    body = {"image": f"{IMAGES}/{name}", "content_hash": content, "trigger": TRIGGER, "revision": "0" * 40, **fields}
    return {key: value for key, value in body.items() if value is not None}


@pytest.fixture(scope="module")
def flan(workspace, cloud, pushed):
    """A folder with an image that was there under the tag of its content."""
    push(cloud, "attributes", "a" * 16)
    folder = workspace("image-attributes").write(image_build=build())
    folder.apply()
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"keep_on_destroy": False},
        {"trigger": f"{PARENT}/triggers/another"},
        {"trigger": None, "revision": None},
        {"timeouts": {"create": "3h"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_other_image_changes_in_place(flan, change):
    before = flan.state()["image_build"]
    flan.write(image_build=build(**change))

    assert "0 added, 1 changed, 0 destroyed" in flan.apply()
    after = flan.state()["image_build"]
    assert (after["digest"], after["status"]) == (before["digest"], "ADOPTED")
    assert flan.is_unchanged()


@pytest.mark.parametrize(
    "change",
    [
        {"content": "a" * 16},
        {"revision": "1" * 40},
        {"substitutions": {"_WEIGHTS": "large"}, "revision": "2" * 40},
        {"revision": None, "source_archive": "other.tar.gz", "source_bucket": "flan-source"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_content_delivered_otherwise_needs_no_other_image(flan, change):
    flan.write(image_build=build())
    flan.apply()
    flan.write(image_build=build(**change))

    assert "replace" not in flan.actions().values()


@pytest.mark.parametrize(
    "change", [{"content": "b" * 64}, {"name": "elsewhere"}], ids=lambda change: next(iter(change))
)
def test_another_content_or_name_is_another_image(flan, change):
    flan.write(image_build=build(**change))

    assert flan.actions() == {"image_build": "replace"}
    flan.write(image_build=build())


def test_a_tag_that_was_moved_or_taken_away_is_told_with_its_cure_and_the_digest_stays(flan, cloud):
    digest = flan.state()["image_build"]["digest"]
    push(cloud, "attributes", "a" * 16, version="2")
    assert f"gcloud artifacts docker tags add {IMAGES}/attributes@{digest}" in flan.run("plan", "-input=false")
    assert flan.is_unchanged()
    cloud.call("DELETE", f"/v1/{PARENT}/repositories/attributes/packages/attributes/tags/{'a' * 16}")

    assert f"The tag {'a' * 16} was taken from" in " ".join(flan.run("plan", "-input=false").split())
    assert flan.state()["image_build"]["digest"] == digest
    assert flan.is_unchanged()


def test_destroying_an_image_that_is_gone_is_no_error(workspace, cloud, pushed):
    digest = push(cloud, "gone", "d" * 16)
    folder = workspace("image-gone").write(image_build=build("gone", "d" * 64, keep_on_destroy=False))
    folder.apply()
    cloud.call("DELETE", f"/v1/{PARENT}/repositories/attributes/packages/gone/versions/{digest}?force=true")
    folder.run("destroy", "-auto-approve", "-refresh=false")

    assert folder.state() == {}


def test_an_image_pushed_by_hand_is_imported_with_the_configuration_that_terraform_prints(workspace, pushed):
    folder = workspace("image-by-hand").write()
    block = {"to": "vertex_image_build.this", "id": f"{IMAGES}/by-hand:v1"}
    (folder.folder / "import.tf.json").write_text(json.dumps({"import": [block]}))
    folder.run("plan", "-input=false", "-generate-config-out=generated.tf")
    said = folder.apply()
    (folder.folder / "import.tf.json").unlink()

    assert "1 imported, 0 added, 0 changed, 0 destroyed" in said
    assert folder.is_unchanged()
    state = folder.state()["image_build"]
    assert (state["tag"], state["digest"], state["content_hash"]) == ("v1", pushed, pushed.partition(":")[2])
    folder.destroy()
    folder.apply()  # the image stayed, and the same configuration finds it
    assert folder.state()["image_build"]["digest"] == pushed
    assert folder.is_unchanged()


def test_without_a_trigger_the_image_must_be_there(workspace, pushed):
    folder = workspace("image-missing")
    folder.write(image_build=build(content="c" * 64, trigger=None, revision=None))
    assert "and nothing to build it" in folder.refused("apply", "-auto-approve")
    folder.write(image_build=build(content="c" * 64, trigger=None))

    assert "allowed is none without trigger" in folder.refused("plan")


def test_a_read_that_fails_is_an_error_and_never_a_deletion(flan, faults):
    faults({"method": "GET", "path": "/packages/attributes/versions"}, {"status": "PERMISSION_DENIED", "message": "no"})

    assert "The identity lacks a permission" in flan.refused("plan", "-input=false")
    assert flan.is_unchanged()
