"""Cloud Build and Artifact Registry with Google's own clients: from an archive in a bucket to a digest."""

import io
import tarfile
import time

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
