"""Each cause of a failure provoked in a real local cloud, and the one screen that real Terraform shows of it."""

from __future__ import annotations

import itertools
import json
import re
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
IMAGES = "europe-west4-docker.pkg.dev/flan"
CONSOLE = "https://console.cloud.google.com/vertex-ai/online-prediction/locations/europe-west4/endpoints/"
COLUMNS, ROWS = 100, 24
NUMBERS = itertools.count(1)

SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status})
        self.end_headers()
port = {port}
print(f"Serving on http://0.0.0.0:{{port}}", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
OWN_PORT = 'int(os.environ["AIP_HTTP_PORT"])'
# Container -> what it does, the cause that must be told, what the cure must name, a line of its log.
CONTAINERS = {
    "crash at import": (
        "print('loading', flush=True)\nimport flan_t5_that_is_not_installed\n",
        "The container ended by itself while it started: ModuleNotFoundError: No module named "
        "'flan_t5_that_is_not_installed'.",
        "Run the image on your machine",
        "| ModuleNotFoundError: No module named 'flan_t5_that_is_not_installed'",
    ),
    "wrong port": (
        SERVE.format(status=200, port="0").replace(
            'print(f"Serving on http://0.0.0.0:{port}", flush=True)',
            'print("Serving on http://0.0.0.0:9999", flush=True)',
        ),
        "The container listens on port 9999; Vertex AI asks it on 7080.",
        "container_spec.ports = [9999]",
        "| Serving on http://0.0.0.0:9999",
    ),
    "health 404": (
        SERVE.format(status=404, port=OWN_PORT),
        "The container has no route /health: the health check got 404.",
        "container_spec.health_route",
        '"GET /health HTTP/1.1" 404',
    ),
    "health slow": (
        SERVE.format(status=503, port=OWN_PORT),
        "The container answered its health checks, but never with 200, in the time it had.",
        "container_spec.deployment_timeout",
        '"GET /health HTTP/1.1" 503',
    ),
    "out of host memory": (
        "import sys\nsys.set_int_max_str_digits(0)\nweights = bytearray(1 << 62)\n",
        "The machine's memory was not enough.",
        "a machine with more memory",
        "| MemoryError",
    ),
    "out of GPU memory": (
        "raise RuntimeError('CUDA out of memory. Tried to allocate 20.00 GiB (GPU 0; 39.59 GiB total capacity)')\n",
        "The model does not fit into the GPU's memory.",
        "half precision",
        "| RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB",
    ),
    "crash told in JSON": (
        "import json\nprint(json.dumps({'severity': 'ERROR', 'message': 'loading failed', 'exception': 'Traceback "
        "(most recent call last):\\nFileNotFoundError: /model/model.safetensors'}))\nraise SystemExit(1)\n",
        "The container ended by itself while it started: FileNotFoundError: /model/model.safetensors.",
        "Run the image on your machine",
        "| FileNotFoundError: /model/model.safetensors",
    ),
    "ends without a word": (
        "import os\nos._exit(3)\n",
        "The container ended by itself, and its log does not say why.",
        "must stay in the foreground",
        "The container printed nothing",
    ),
}


def image(cloud, name, source):
    """An image of one program, by digest."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "srv").mkdir()
        (Path(folder) / "srv" / "server.py").write_text(source)
        config = {"cmd": ["python", "server.py"], "workdir": "/srv"}
        uri = f"{IMAGES}/images/{name}"
        body = {"uri": f"{uri}:v1", "folder": folder, "config": config}
        return f"{uri}@{cloud.call('POST', '/localcloud/images', body)['digest']}"


def model(cloud, source):
    number = next(NUMBERS)
    spec = {"imageUri": image(cloud, f"failing-{number}", source), "healthRoute": "/health", "predictRoute": "/predict"}
    spec |= {"ports": [{"containerPort": 7080}], "deploymentTimeout": "2s"}
    body = {"model": {"displayName": "Failing", "containerSpec": spec}, "modelId": f"failing-{number}"}
    cloud.done("POST", f"/v1/{PARENT}/models:upload", body)
    return f"{PARENT}/models/failing-{number}@1"


def errors(folder):
    """What Terraform prints of each error of a failed apply, as on a terminal of 24 rows, by resource."""
    process = folder.start("apply", "-auto-approve", "-input=false")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    found = {}
    for text in re.split(r"(?m)^(?=Error:)", output)[1:]:
        # The quoted line of the configuration is short in anybody's but a test's.
        text = re.sub(r"(?m)^( +\d+: ).*$", r"\1resource …", text).rstrip()
        found[re.search(r"(?m)^  with (\S+),$", text)[1]] = text
    return found


def screen(folder):
    (text,) = errors(folder).values()
    return text


def assert_one_screen(text):
    lines = text.splitlines()
    rows = sum(1 + max(0, len(line) + 1) // COLUMNS for line in lines) + 2  # Terraform's frame
    assert rows <= ROWS, text
    # Names and addresses stay whole, to be copied.
    assert [line for line in lines[1:] if len(line) > COLUMNS and max(map(len, line.split())) < 60] == []


@pytest.fixture(scope="module")
def folder(workspace):
    return workspace("failing")


@pytest.fixture(scope="module")
def failed(cloud, workspace, deployed):
    """One apply of all the containers: container -> what Terraform says, its model, its endpoint."""
    folder = workspace("containers")
    made = {
        container: (model(cloud, source), cloud.endpoint(str(880_000_000 + number)))
        for number, (container, (source, *_)) in enumerate(CONTAINERS.items())
    }
    folder.write()
    document = json.loads((folder.folder / "main.tf.json").read_text())
    resources = {slug(container): deployed(endpoint, name) for container, (name, endpoint) in made.items()}
    document["resource"] = {"vertex_endpoint_deployed_model": resources}
    (folder.folder / "main.tf.json").write_text(json.dumps(document))
    said = errors(folder)
    return {
        container: (said[f"vertex_endpoint_deployed_model.{slug(container)}"], *names)
        for container, names in made.items()
    }


def last(name):
    return name.rpartition("/")[2]


def slug(text):
    return text.replace(" ", "_").lower()


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_that_does_not_serve_is_explained_by_its_own_log(failed, container):
    _, cause, cure, line = CONTAINERS[container]
    text, name, endpoint = failed[container]

    said = " ".join(text.split())
    assert cause in said
    assert cure in said
    assert line in text
    assert f"Asked: deploy {last(name)} to endpoint {last(endpoint)} on n1-standard-2" in said
    assert "Phase: STARTING_MODEL_SERVER 00:0" in said
    assert "Google: FAILED_PRECONDITION: Model server" in said
    assert CONSOLE + last(endpoint) in said
    assert_one_screen(text)


# Preset or error of a deployment -> the cause, the cure.
# Preset of a fault -> the cause, the cure.
REFUSALS = {
    "quota_zero": (
        "The quota aiplatform.googleapis.com/custom_model_serving_nvidia_a100_gpus is 0 here",
        "console.cloud.google.com/iam-admin/quotas",
    ),
    "quota": (
        "The quota CustomModelServingA100GPUsPerProjectPerRegion is used up, or is 0",
        'set strategy = "recreate"',
    ),
    "stockout": ("Google has no free machine of this type in the region now", "take a reservation"),
    "image_permission": (
        "service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com may not pull it",
        "roles/artifactregistry.reader",
    ),
    "artifact_permission": (
        "service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com lacks storage.objects.get",
        "roles/storage.objectViewer",
    ),
    "act_as": (
        "may not run things as the service account flan-serving@flan.iam.gserviceaccount.com",
        "roles/iam.serviceAccountUser",
    ),
    "internal": ("Something failed inside Google", "Apply again"),
}


@pytest.fixture(scope="module")
def given_up(cloud, workspace, deployed, models):
    """One apply of as many deployments, each given up for another reason: whichever is which, all are told."""
    folder = workspace("given-up").write()
    document = json.loads((folder.folder / "main.tf.json").read_text())
    endpoints = {preset: cloud.endpoint(str(890_000_000 + number)) for number, preset in enumerate(REFUSALS)}
    resources = {preset: deployed(endpoint, models[0]) for preset, endpoint in endpoints.items()}
    document["resource"] = {"vertex_endpoint_deployed_model": resources}
    (folder.folder / "main.tf.json").write_text(json.dumps(document))
    try:
        for preset in REFUSALS:
            cloud.fault({"operation": "deployModel", "stage": "ADDING_NODES_TO_CLUSTER"}, {"preset": preset})
        return list(errors(folder).values())
    finally:
        cloud.call("DELETE", "/localcloud/faults")


@pytest.mark.parametrize("preset", REFUSALS)
def test_a_deployment_that_google_gives_up_is_explained_by_its_words(given_up, preset):
    cause, cure = REFUSALS[preset]
    (text,) = [text for text in given_up if cause in " ".join(text.split())]

    said = " ".join(text.split())
    assert cure in said
    assert "Phase: " in said
    assert "Log:" not in text  # no container had been started
    assert CONSOLE in said
    assert_one_screen(text)


def test_a_call_that_is_refused_names_permission_role_and_identity(
    cloud, folder, faults, new_endpoint, deployed, models
):
    faults({"method": "POST", "path": ":deployModel"}, {"preset": "deploy_permission"})
    text = screen(folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0])))

    said = " ".join(text.split())
    assert "lacks the permission aiplatform.endpoints.deploy" in said
    assert "Grant whoever runs Terraform" in said
    assert "the role roles/aiplatform.user" in said
    assert f"Asked: deploy echo@1 to endpoint {last(new_endpoint)} on n1-standard-2" in said
    assert CONSOLE + last(new_endpoint) in said
    assert_one_screen(text)


def test_an_upload_and_a_build_that_are_refused_at_once_are_explained_too(cloud, folder, faults, models):
    faults({"method": "POST", "path": "models:upload"}, {"preset": "permission"})
    upload = screen(folder.write(model=uploaded(cloud.image())))
    trigger = f"{PARENT}/triggers/none"
    body = {"image": f"{IMAGES}/built/none", "content_hash": "f" * 64, "trigger": trigger, "revision": "1" * 40}
    build = screen(folder.write(image_build=body))

    assert "Cause:   The identity lacks a permission, or the API is not enabled in the project." in upload
    assert "Phase:   UPLOADING" in upload
    assert "Google:  NOT_FOUND: " in build
    assert "Console: https://console.cloud.google.com/cloud-build/triggers;region=europe-west4/edit/none" in build
    assert_one_screen(upload)
    assert_one_screen(build)


def uploaded(uri, **fields):
    return {"display_name": "Missing", "container_spec": [{"image_uri": uri}], **fields}


def test_an_image_that_is_missing_is_named(folder):
    uri = f"{IMAGES}/images/nobody@sha256:{'0' * 64}"
    text = screen(folder.write(model=uploaded(uri)))

    said = " ".join(text.split())
    assert f"The image {uri} is not in the registry." in said
    assert "vertex_image_build.image_uri" in said
    assert f"Asked: upload {IMAGES}/images/nobody@sha256:000000000000… as model m-missing-" in said
    assert "https://console.cloud.google.com/vertex-ai/models/locations/europe-west4/models/" in said
    assert_one_screen(text)


def test_things_of_two_regions_are_told_apart_even_when_only_the_apply_knows_them(
    cloud, folder, new_endpoint, deployed, models
):
    later = "${terraform_data.later.output}"  # so that no plan can tell
    folder.write(endpoint_deployed_model=deployed(new_endpoint, later))
    document = json.loads((folder.folder / "main.tf.json").read_text())
    elsewhere = models[0].replace("europe-west4", "us-central1")
    document["resource"]["terraform_data"] = {"later": {"input": elsewhere}}
    (folder.folder / "main.tf.json").write_text(json.dumps(document))
    said = " ".join(screen(folder).split())

    assert "Put both into one region: got us-central1 and europe-west4" in said
    assert cloud.deployed_to(new_endpoint) == []


def test_a_request_that_is_too_large_is_told_with_the_limit(cloud, folder, new_endpoint, deployed, models):
    question = {"instance": json.dumps("x" * 1_600_000)}
    text = screen(folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0], golden=[question])))

    said = " ".join(text.split())
    assert "exceeds 1.500MB limit" in said
    assert "The request is 16000" in said
    assert "Shared endpoints take 1.5 MB each way, dedicated ones (dedicated_endpoint_enabled) 10 MB" in said
    assert_one_screen(text)


BUILD_STEPS = {
    "disk full": (
        [
            {
                "name": "python",
                "script": "#!/usr/bin/env python3\nimport errno, os\nprint('Step 7/9 : COPY weights /weights')\n"
                "raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), '/weights/model-00002-of-00003.safetensors')",
            }
        ],
        "60s",
        "The disk is full.",
        "options.diskSizeGb",
        "| OSError: [Errno 28] No space left on device: '/weights/model-00002-of-00003.safetensors'",
    ),
    "build timeout": (
        [
            {
                "name": "python",
                "script": "#!/usr/bin/env python3\nimport time\nprint('copying', flush=True)\ntime.sleep(60)",
            }
        ],
        "1s",
        "The build's own timeout ended it",
        'build.timeout = "7200s"',
        "| copying",
    ),
    "package missing": (
        [
            {
                "name": "python",
                "script": "echo 'ERROR: No matching distribution found for flan-t5-kernels==9.9' >&2\nexit 1",
            }
        ],
        "60s",
        "A package could not be installed: flan-t5-kernels==9.9",
        "Check its name and version",
        "| ERROR: No matching distribution found for flan-t5-kernels==9.9",
    ),
}


@pytest.mark.parametrize("steps", BUILD_STEPS)
def test_a_build_that_fails_is_explained_by_its_log(cloud, folder, steps):
    build_steps, timeout, cause, cure, line = BUILD_STEPS[steps]
    number = next(NUMBERS)
    build = {"steps": build_steps, "images": ["$_IMAGE:$_TAG"], "timeout": timeout}
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": f"flan-source-{number}", "location": "europe-west4"})
    made = cloud.call("POST", f"/v1/{PARENT}/triggers", {"name": f"failing-{number}", "build": build})
    archive = folder.folder / "source.tar.gz"
    archive.write_bytes(EMPTY_TAR_GZ)
    body = {
        "image": f"{IMAGES}/built/failing-{number}",
        "content_hash": f"{number:064d}",
        "source_archive": archive.name,
    }
    body |= {"trigger": f"{PARENT}/triggers/{made['id']}", "source_bucket": f"flan-source-{number}"}
    text = screen(folder.write(image_build=body))

    said = " ".join(text.split())
    assert cause in said
    assert cure in said
    assert line in text
    assert f"Asked: build {body['image']}:{body['content_hash'][:16]}" in said
    assert "Console: http" in said
    assert_one_screen(text)


def test_no_secret_gets_from_a_log_to_the_screen_or_the_state(cloud, folder, new_endpoint, deployed):
    source = (
        "print('HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz')\nprint('Authorization: Bearer ya29.a0AfH6SMBsecret')\n"
        "print('db password: hunter22')\nraise SystemExit('\\x1b[31mKeyError: no weights')\n"
    )
    text = screen(folder.write(endpoint_deployed_model=deployed(new_endpoint, model(cloud, source))))

    everything = (
        text + "".join(path.read_text() for path in folder.folder.glob("*.tfstate")) + folder.progress_file.read_text()
    )
    assert "HF_TOKEN=[removed]" in text
    for secret in ("hf_abcdef", "ya29.", "hunter22", "local-secret", "\x1b"):
        assert secret not in everything


def _empty_archive():
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz"):
        pass
    return out.getvalue()


EMPTY_TAR_GZ = _empty_archive()
