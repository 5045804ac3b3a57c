"""Cloud Build and Artifact Registry with Google's own clients: from an archive in a bucket to a digest."""

import io
import signal
import tarfile
import time
from pathlib import Path

import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import Aborted, BadRequest, Conflict, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import artifactregistry_v1, storage
from google.cloud.devtools import cloudbuild_v1

DOCKERFILE = 'FROM python:3.11-slim\nWORKDIR /srv\nCOPY made/ made/\nRUN pip install x\nCMD ["python", "-m", "made"]\n'
STEPS = [
    {"name": "python:3.11-slim", "args": ["make.py", "$_WORD"], "env": ["FROM_ENV=${_WORD}!"]},
    {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", "$_IMAGE:$_TAG", "."]},
]
MAKE = (
    "import os, pathlib, sys\n"
    "folder = pathlib.Path('made'); folder.mkdir()\n"
    "(folder / '__main__.py').write_text(f'# {sys.argv[1]} {os.environ[\"FROM_ENV\"]}')\n"
    "print('made', sys.argv[1])\n"
)


def options(cloud):
    return {"credentials": AnonymousCredentials(), "client_options": ClientOptions(api_endpoint=cloud.url)}


@pytest.fixture
def builds(cloud):
    return cloudbuild_v1.CloudBuildClient(transport="rest", **options(cloud))


@pytest.fixture
def registry(cloud):
    return artifactregistry_v1.ArtifactRegistryClient(transport="rest", **options(cloud))


@pytest.fixture
def repository(cloud, registry):
    """A repository of its own, by Google's client and its long-running operation."""
    name = f"r{cloud.new_id()}"
    wanted = artifactregistry_v1.Repository(format_=artifactregistry_v1.Repository.Format.DOCKER)
    request = artifactregistry_v1.CreateRepositoryRequest(parent=cloud.parent, repository_id=name, repository=wanted)
    return registry.create_repository(request).result(timeout=30)


@pytest.fixture
def source(cloud):
    """`bucket`, `object` of an archive that holds the files given."""

    def upload(**files):
        client = storage.Client(
            project="flan-test", credentials=AnonymousCredentials(), client_options={"api_endpoint": cloud.url}
        )
        bucket = client.create_bucket(f"sources-{cloud.new_id()}")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, text in files.items():
                info = tarfile.TarInfo(name.replace("__", "."))
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
        bucket.blob("source/a b.tar.gz").upload_from_string(buffer.getvalue(), content_type="application/gzip")
        return {"bucket": bucket.name, "object": "source/a b.tar.gz"}

    return upload


def image_of(repository):
    _, project, _, location, _, name = repository.name.split("/")
    return f"{location}-docker.pkg.dev/{project}/{name}/serving"


def run(cloud, body):
    """Creates a build and waits; returns it finished."""
    build = cloud.call("POST", f"/v1/{cloud.parent}/builds", body)["metadata"]["build"]
    for _ in range(300):
        build = cloud.call("GET", f"/v1/{cloud.parent}/builds/{build['id']}")
        if build["status"] not in ("PENDING", "QUEUED", "WORKING"):
            return build
        time.sleep(0.1)
    raise AssertionError(build)


def body_of(repository, place, **more):
    words = {"_IMAGE": image_of(repository), "_TAG": "t1", "_WORD": "hello"}
    return {
        "source": {"storageSource": place},
        "steps": STEPS,
        "images": ["$_IMAGE:$_TAG"],
        "substitutions": words,
        **more,
    }


def test_a_build_runs_its_steps_and_its_image_is_in_the_registry(cloud, builds, registry, repository, source):
    place = source(Dockerfile=DOCKERFILE, make__py=MAKE)
    build = cloudbuild_v1.Build(
        source={"storage_source": {"bucket": place["bucket"], "object_": place["object"]}},
        steps=[cloudbuild_v1.BuildStep(**step) for step in STEPS],
        images=["$_IMAGE:$_TAG"],
        substitutions=body_of(repository, place)["substitutions"],
    )

    request = cloudbuild_v1.CreateBuildRequest(parent=cloud.parent, build=build)
    finished = builds.create_build(request).result(timeout=60)

    assert finished.status == cloudbuild_v1.Build.Status.SUCCESS
    (pushed,) = finished.results.images
    tag = registry.get_tag(name=f"{repository.name}/packages/serving/tags/t1")
    assert tag.version.endswith(pushed.digest)
    (image,) = registry.list_docker_images(parent=repository.name)
    assert (image.uri, list(image.tags)) == (f"{image_of(repository)}@{pushed.digest}", ["t1"])
    assert image.image_size_bytes > 0


def test_the_same_source_gives_the_same_digest(cloud, repository, source):
    place = source(Dockerfile=DOCKERFILE, make__py=MAKE)

    digests = {run(cloud, body_of(repository, place))["results"]["images"][0]["digest"] for _ in range(2)}

    assert len(digests) == 1


def test_the_log_tells_every_step_and_what_was_skipped(cloud, repository, source):
    build = run(cloud, body_of(repository, source(Dockerfile=DOCKERFILE, make__py=MAKE)))

    log = cloud.http.get(build["logUrl"]).text
    assert "made hello" in log
    assert "skipped: the local cloud runs no RUN" in log
    assert log.rstrip().endswith("DONE")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"steps": [{"name": "python:3.11", "args": ["-c", "print('last words'); raise SystemExit(3)"]}]},
            "exited with 3",
        ),
        ({"steps": [{"name": "gcr.io/cloud-builders/gcloud", "args": ["version"]}]}, "no container engine"),
        ({"steps": [{"name": "gcr.io/cloud-builders/docker", "args": ["build", "-f", "None", "."]}]}, "no such file"),
        ({"images": ["$_IMAGE:other"]}, "no step built it"),
        ({"steps": [{"name": "python:3.11", "dir": "nowhere"}]}, "is no folder of the source"),
        ({"steps": [{"name": "python:3.11", "dir": "../.."}]}, "leaves the workspace"),
    ],
)
def test_a_build_that_cannot_be_done_fails_and_says_why(cloud, repository, source, changes, reason):
    build = run(cloud, body_of(repository, source(Dockerfile=DOCKERFILE, make__py=MAKE)) | changes)

    assert build["status"] == "FAILURE"
    assert reason in build["failureInfo"]["detail"]
    assert reason in cloud.http.get(build["logUrl"]).text


def test_pushing_to_a_repository_that_is_not_there_fails_the_build(cloud, repository, source):
    body = body_of(repository, source(Dockerfile=DOCKERFILE, make__py=MAKE))
    body["substitutions"] |= {"_IMAGE": "europe-west4-docker.pkg.dev/flan-test/nowhere/serving"}

    assert 'Repository "nowhere" not found' in run(cloud, body)["failureInfo"]["detail"]


def test_a_build_over_its_time_ends_as_timeout(cloud, repository, source):
    steps = [{"name": "python:3.11", "args": ["-c", "import time; time.sleep(60)"]}]

    assert run(cloud, body_of(repository, source(x="1"), steps=steps, timeout="1s"))["status"] == "TIMEOUT"


def test_a_cancelled_build_ends_at_once_as_cancelled(cloud, builds):
    steps = [{"name": "python:3.11", "args": ["-c", "import time; time.sleep(60)"]}]
    build = cloud.call("POST", f"/v1/{cloud.parent}/builds", {"steps": steps})["metadata"]["build"]

    cancelled = builds.cancel_build(cloudbuild_v1.CancelBuildRequest(name=build["name"]))

    assert cancelled.status == cloudbuild_v1.Build.Status.CANCELLED


def test_the_operation_of_a_build_can_be_cancelled_too(cloud, builds):
    steps = [{"name": "python:3.11", "args": ["-c", "import time; time.sleep(60)"]}]
    operation = builds.create_build(
        cloudbuild_v1.CreateBuildRequest(parent=cloud.parent, build={"steps": [cloudbuild_v1.BuildStep(**steps[0])]})
    )

    operation.cancel()

    with pytest.raises(Aborted, match="CANCELLED"):
        operation.result(timeout=30)


def test_a_push_in_a_step_puts_the_image_into_the_registry_and_not_into_the_results(
    cloud, registry, repository, source
):
    steps = [*STEPS, {"name": "gcr.io/cloud-builders/docker", "args": ["push", "$_IMAGE:$_TAG"]}]
    body = body_of(repository, source(Dockerfile=DOCKERFILE, make__py=MAKE), steps=steps, images=[])

    build = run(cloud, body)

    assert build["results"]["images"] == []
    assert registry.get_tag(name=f"{repository.name}/packages/serving/tags/t1").version


def test_an_immutable_tag_does_not_move(cloud, repository, source):
    path = f"/v1/{repository.name}?updateMask=dockerConfig"
    cloud.call("PATCH", path, {"dockerConfig": {"immutableTags": True}})
    place = source(Dockerfile=DOCKERFILE, make__py=MAKE)
    assert run(cloud, body_of(repository, place))["status"] == "SUCCESS"
    other = body_of(repository, place)
    other["substitutions"]["_WORD"] = "other"

    assert "the tag is immutable" in run(cloud, other)["failureInfo"]["detail"]
    assert run(cloud, body_of(repository, place))["status"] == "SUCCESS"


def test_what_goes_wrong_around_a_build_ends_it_as_an_internal_error(cloud, faults):
    faults(match={"operation": "^build$"}, effect={"status": "UNAVAILABLE", "message": "no worker"})

    build = run(cloud, {"steps": [{"name": "python:3.11", "args": ["-c", "pass"]}]})

    assert (build["status"], build["statusDetail"]) == ("INTERNAL_ERROR", "no worker")
    assert "no worker" in cloud.http.get(build["logUrl"]).text


def test_an_entrypoint_that_is_not_there_fails_the_step(cloud):
    build = run(cloud, {"steps": [{"name": "python:3.11", "entrypoint": "no-such-program"}]})

    assert (build["status"], "exited with 127" in build["statusDetail"]) == ("FAILURE", True)


def test_a_build_with_an_identity_must_say_where_its_log_goes(cloud):
    account = "projects/flan-test/serviceAccounts/build@flan-test.iam.gserviceaccount.com"
    body = {"steps": [{"name": "python:3.11", "args": ["-c", "pass"]}], "serviceAccount": account}

    error = cloud.refusal("POST", f"/v1/{cloud.parent}/builds", body)

    assert "if 'build.service_account' is specified" in error["message"]
    assert run(cloud, body | {"options": {"logging": "CLOUD_LOGGING_ONLY"}})["status"] == "SUCCESS"


def test_a_build_is_run_again_by_retry(cloud, builds):
    first = run(cloud, {"steps": [{"name": "python:3.11", "args": ["-c", "pass"]}], "tags": ["nightly"]})

    again = builds.retry_build(cloudbuild_v1.RetryBuildRequest(name=first["name"])).result(timeout=30)

    assert again.id != first["id"]
    assert (again.status, list(again.tags)) == (cloudbuild_v1.Build.Status.SUCCESS, ["nightly"])
    listed = [one.id for one in builds.list_builds(cloudbuild_v1.ListBuildsRequest(parent=cloud.parent))]
    assert listed.index(again.id) < listed.index(first["id"])


def test_a_global_trigger_takes_the_repository_source_as_its_body(cloud, builds):
    print_commit = "print('$COMMIT_SHA'.startswith('$SHORT_SHA'), len('$COMMIT_SHA'), '$TRIGGER_NAME', '$BRANCH_NAME.')"
    step = {"name": "python:3.11", "args": ["-c", print_commit + "; import os; print(os.listdir())"]}
    name = f"t{cloud.new_id()}"
    made = cloud.call("POST", "/v1/projects/flan-test/triggers", {"name": name, "build": {"steps": [step]}})

    finished = builds.run_build_trigger(
        project_id="flan-test",
        trigger_id=made["id"],
        source=cloudbuild_v1.RepoSource(commit_sha="HEAD", dir="deployments"),
    ).result(timeout=60)

    log = cloud.http.get(finished.log_url).text
    assert f"True 40 {name} ." in log
    assert "local.toml" in log


def test_a_revision_that_is_not_in_the_repository_fails_the_build_in_words(cloud):
    trigger = {"name": f"t{cloud.new_id()}", "build": {"steps": [{"name": "python:3.11", "args": ["-c", "pass"]}]}}
    made = cloud.call("POST", f"/v1/{cloud.parent}/triggers", trigger)
    place = f"/v1/{cloud.parent}/triggers/{made['id']}:run"

    build = cloud.call("POST", place, {"source": {"branchName": "no-such-branch"}})["metadata"]["build"]
    cloud.http.post(f"/v1/{build['name']}/operations/{build['id']}:wait", json={"timeout": "20s"})

    detail = cloud.call("GET", f"/v1/{build['name']}")["statusDetail"]
    assert "could not fetch no-such-branch" in detail
    assert "the repository it was started in" in detail


def test_a_trigger_is_run_at_a_commit_with_more_substitutions(cloud, builds, repository):
    step = {"name": "python:3.11", "args": ["-c", "import pathlib; print(pathlib.Path('LICENSE').exists(), '$_WORD')"]}
    trigger = {"name": f"t{cloud.new_id()}", "build": {"steps": [step]}, "substitutions": {"_WORD": "one"}}
    made = cloud.call("POST", f"/v1/{cloud.parent}/triggers", trigger)
    request = cloudbuild_v1.RunBuildTriggerRequest(
        name=f"{cloud.parent}/triggers/{made['id']}",
        source=cloudbuild_v1.RepoSource(commit_sha="HEAD", substitutions={"_WORD": "two"}),
    )

    finished = builds.run_build_trigger(request).result(timeout=60)

    assert finished.build_trigger_id == made["id"]
    assert "True two" in cloud.http.get(finished.log_url).text


def test_a_trigger_must_say_what_it_builds(cloud):
    error = cloud.refusal("POST", f"/v1/{cloud.parent}/triggers", {"name": "empty"})

    assert "exactly one of build, filename and gitFileSource" in error["message"]


def test_a_build_that_a_kill_interrupts_leaves_no_step_and_begins_again(start, tmp_path):
    cloud, seen = start(), tmp_path / "seen"
    program = (
        f"import os, pathlib, time; seen = pathlib.Path({str(seen)!r}); again = seen.exists();"
        "seen.write_text(str(os.getpid())); time.sleep(0 if again else 600)"
    )
    build = cloud.call("POST", f"/v1/{cloud.parent}/builds", {"steps": [{"name": "python:3", "args": ["-c", program]}]})
    name = build["metadata"]["build"]["name"]
    assert eventually(lambda: seen.exists() and seen.read_text())
    pid = int(seen.read_text())

    cloud.end(signal.SIGKILL)

    assert eventually(lambda: not is_running(pid))
    again = start()
    assert eventually(lambda: again.call("GET", f"/v1/{name}")["status"] == "SUCCESS")
    assert not (again.data_dir / "builds" / name.rpartition("/")[2]).exists()


def eventually(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_bad_substitution_is_refused_before_anything_runs(cloud):
    body = {"steps": [{"name": "python:3.11"}], "substitutions": {"WORD": "x"}}

    assert "'WORD' is invalid" in cloud.refusal("POST", f"/v1/{cloud.parent}/builds", body)["message"]


def test_a_tagged_version_is_deleted_by_force_only(cloud, registry, repository, source):
    build = run(cloud, body_of(repository, source(Dockerfile=DOCKERFILE, make__py=MAKE)))
    digest = build["results"]["images"][0]["digest"]
    name = f"{repository.name}/packages/serving/versions/{digest}"

    with pytest.raises(BadRequest):
        registry.delete_version(name=name)
    registry.delete_version(request={"name": name, "force": True}).result(timeout=30)

    with pytest.raises(NotFound):
        registry.get_version(name=name)


def test_a_package_with_a_slash_in_its_name_is_found_and_deleted_whole(cloud, registry, repository):
    cloud.image(f"{image_of(repository)}/inner:one")
    name = f"{repository.name}/packages/serving%2Finner"

    assert registry.get_package(name=name).name.endswith("serving/inner")
    assert registry.get_tag(name=f"{name}/tags/one").version
    registry.delete_package(name=name).result(timeout=30)

    with pytest.raises(NotFound):
        registry.get_package(name=name)
    assert list(registry.list_packages(parent=repository.name)) == []


def test_a_deleted_image_leaves_the_disk_at_the_next_start_unless_a_model_has_it(start):
    cloud = start()
    cloud.operation("POST", f"/v1/{cloud.parent}/repositories?repositoryId=images", {"format": "DOCKER"})
    used, unused = cloud.image(env={"A": "used"}), cloud.image(env={"A": "unused"})
    cloud.model(imageUri=used)
    cloud.operation("DELETE", f"/v1/{cloud.parent}/repositories/images")
    assert used != unused
    assert len(folders(cloud)) == 2
    cloud.end()

    assert len(folders(start())) == 1


def folders(cloud):
    return [path for path in (cloud.data_dir / "images").iterdir() if path.is_dir()]


def test_a_bucket_with_objects_is_not_deleted(cloud, source):
    place = source(x="1")
    client = storage.Client(
        project="flan-test", credentials=AnonymousCredentials(), client_options={"api_endpoint": cloud.url}
    )
    bucket = client.bucket(place["bucket"])

    with pytest.raises((Conflict, Aborted)):
        bucket.delete()
    assert bucket.blob(place["object"]).download_as_bytes()[:2] == b"\x1f\x8b"
    bucket.blob(place["object"]).delete()
    bucket.delete()


def test_a_repository_needs_a_format(cloud, registry):
    with pytest.raises(BadRequest):
        registry.create_repository(
            artifactregistry_v1.CreateRepositoryRequest(parent=cloud.parent, repository_id="none")
        )
