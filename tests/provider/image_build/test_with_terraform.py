"""`vertex_image_build` through its life: real Terraform, the provider, a real local cloud."""

from __future__ import annotations

import hashlib
import io
import signal
import tarfile

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
REPOSITORY = f"{PARENT}/repositories/built"
DOCKER = {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", "$_IMAGE:$_TAG", "."], "id": "docker"}
GREET = {"name": "python:3.11-slim", "script": "#!/usr/bin/env python3\nprint(open('greeting').read())", "id": "greet"}


def archive(folder, greeting):
    """Writes source.tar.gz and returns its content's hash."""
    files = {"Dockerfile": 'FROM python:3.11-slim\nWORKDIR /srv\nCOPY greeting .\nCMD ["python"]\n'}
    files["greeting"] = greeting
    with tarfile.open(folder / "source.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(greeting.encode()).hexdigest()


@pytest.fixture(scope="module")
def trigger(cloud):
    """The trigger's name: it greets, then builds an image of the greeting."""
    cloud.call("POST", f"/v1/{PARENT}/repositories?repositoryId=built", {"format": "DOCKER"})
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-source", "location": "europe-west4"})
    build = {"steps": [GREET, DOCKER], "images": ["$_IMAGE:$_TAG"], "timeout": "60s"}
    made = cloud.call("POST", f"/v1/{PARENT}/triggers", {"name": "serving", "build": build, "substitutions": {}})
    return f"{PARENT}/triggers/{made['id']}"


@pytest.fixture(scope="module")
def make(workspace, trigger):
    """A folder with an image build of a greeting. image: a name of its own, so that tests do not meet."""

    def make_(image, *, greeting="hello", folder=None, **fields):
        folder = folder or workspace(f"image-{image}")
        body = {
            "image": f"europe-west4-docker.pkg.dev/flan/built/{image}",
            "content_hash": archive(folder.folder, f"{greeting} from {image}"),
            "trigger": trigger,
            "source_archive": "source.tar.gz",
            "source_bucket": "flan-source",
            **fields,
        }
        return folder.write(image_build={key: value for key, value in body.items() if value is not None})

    return make_


@pytest.fixture(scope="module")
def flan(make):
    """A folder in which an image was built; its first plan is kept as `planned`."""
    folder = make("flan")
    folder.planned = folder.plan()["image_build"]
    folder.run("apply", "plan")
    return folder


def builds(cloud):
    return cloud.call("GET", f"/v1/{PARENT}/builds").get("builds", [])


def version(state):
    package = state["image"].rpartition("/")[2]
    return f"/v1/{REPOSITORY}/packages/{package}/versions/{state['digest']}"


def test_the_tag_is_known_at_plan_time_and_the_digest_is_not(flan):
    tag = flan.planned["after"]["content_hash"][:16]

    assert flan.planned["after"]["tag"] == tag
    assert flan.planned["after_unknown"]["digest"] is True


def test_create_builds_the_image_and_knows_it_by_digest(flan, cloud):
    state = flan.state()["image_build"]

    assert state["id"] == state["image_uri"] == f"{state['image']}@{state['digest']}"
    assert cloud.exists(version(state))
    assert (state["status"], state["build_id"]) == ("BUILT", builds(cloud)[0]["id"])
    assert flan.phases()[0] == "STARTING_BUILD"
    assert flan.phases()[-1] == "SUCCESS"


def test_another_path_of_the_archive_or_another_substitution_alone_plans_nothing(make):
    folder = make("moved", substitutions={"_WEIGHTS": "small"})
    folder.apply()
    make("moved", folder=folder, substitutions={"_WEIGHTS": "large"}, source_archive="moved.tar.gz")

    assert folder.is_unchanged()


def test_equal_content_from_a_commit_instead_of_an_archive_builds_nothing(make, cloud):
    folder = make("committed")
    folder.apply()
    make("committed", folder=folder, source_archive=None, source_bucket=None, revision="0" * 40)
    count = len(builds(cloud))
    folder.apply()

    make("committed", folder=folder, source_archive=None, source_bucket=None, revision="1" * 40)
    assert folder.is_unchanged()
    assert len(builds(cloud)) == count


def test_a_changed_content_builds_a_new_image_and_keeps_the_old_one(flan, make, cloud):
    old = flan.state()["image_build"]
    make("flan", folder=flan, greeting="goodbye")

    change = flan.plan()["image_build"]
    assert set(change["actions"]) == {"create", "delete"}
    assert change["after"]["tag"] != old["tag"]
    assert change["after_unknown"]["image_uri"] is True
    flan.run("apply", "plan")
    assert flan.state()["image_build"]["digest"] != old["digest"]
    assert cloud.exists(version(old))


def test_an_image_of_this_content_that_exists_is_adopted_without_a_build(make, cloud):
    folder = make("twice")
    folder.apply()
    before = len(builds(cloud))
    folder.destroy()
    folder.apply()

    state = folder.state()["image_build"]
    assert len(builds(cloud)) == before
    assert (state["status"], state["build_id"]) == ("ADOPTED", None)


def test_an_image_deleted_by_hand_is_drift_and_is_built_again(flan, cloud):
    cloud.call("DELETE", version(flan.state()["image_build"]) + "?force=true")

    said = flan.apply()
    assert "1 added, 0 changed, 0 destroyed" in said
    assert cloud.exists(version(flan.state()["image_build"]))


def test_an_image_that_need_not_be_kept_goes_with_its_resource(make, cloud):
    folder = make("dropped", keep_on_destroy=False)
    folder.apply()
    state = folder.state()["image_build"]
    folder.destroy()

    assert not cloud.exists(version(state))


def test_a_failed_build_shows_the_end_of_its_log_and_the_next_apply_builds_again(make, cloud, faults):
    folder = make("failing")
    faults({"operation": "build", "stage": "docker"}, {"status": "INTERNAL", "message": "no space left on device"})

    said = folder.refused("apply", "-auto-approve")
    assert "failed after 00:0" in said
    assert "The disk is full." in said
    assert "hello from failing" in said  # what the build's first step printed
    state = folder.state()["image_build"]
    assert (state["tainted"], state["status"], state["build_id"]) == (True, "FAILURE", builds(cloud)[0]["id"])
    folder.apply()
    assert folder.state()["image_build"]["status"] == "BUILT"


def test_an_interrupted_build_keeps_its_id_and_is_joined(make, cloud, faults):
    folder = make("stopped")
    faults({"operation": "build", "stage": "docker"}, {"hold": True})
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("WORKING step 2/2 gcr.io/cloud-builders/docker")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)

    assert process.returncode == 1, output
    state, count = folder.state()["image_build"], len(builds(cloud))
    assert (state["status"], state["tainted"]) == ("building", False)
    assert state["build_id"] == builds(cloud)[0]["id"]
    again = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("WORKING step 2/2 gcr.io/cloud-builders/docker")
    cloud.call("DELETE", "/localcloud/faults")
    output, _ = again.communicate(timeout=30)
    assert again.returncode == 0, output
    assert len(builds(cloud)) == count
    assert folder.state()["image_build"]["status"] == "BUILT"
    assert folder.is_unchanged()


def test_an_imported_image_learns_its_content_and_trigger_in_place(flan, make):
    state = flan.state()["image_build"]
    copy = make("flan", folder=None, greeting="goodbye")
    copy.run("import", "vertex_image_build.this", f"{state['image']}:{state['tag']}")

    said = copy.apply()
    assert "0 added, 1 changed, 0 destroyed" in said
    assert copy.state()["image_build"]["digest"] == state["digest"]
    assert copy.is_unchanged()
    make("flan", folder=copy, greeting="something else")
    assert copy.actions() == {"image_build": "replace"}


def test_an_archive_that_is_not_there_is_named_with_its_cure(make):
    folder = make("no-archive", source_archive="missing.tar.gz")

    said = folder.refused("apply", "-auto-approve")
    assert "missing.tar.gz (relative to Terraform's working directory" in said
    assert "Run `cdktf synth` again" in said
