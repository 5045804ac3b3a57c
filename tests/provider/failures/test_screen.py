"""The screen of a failure, and causes found in texts that users of the live services have quoted."""

import pytest

from localcloud.faults import PRESETS
from provider.failures.causes import CAUSES, TRANSIENT
from provider.failures.container_causes import SERVING
from provider.failures.job_causes import TRAINING
from provider.failures.operation import console_of, console_of_build
from provider.failures.screen import ROWS, WIDTH, Log, advice, clean, explain, find, words_of
from provider.operations import OperationFailed

NEVER, EXITED = (
    "FAILED_PRECONDITION: Model server never became ready.",
    "FAILED_PRECONDITION: Model server exited unexpectedly.",
)
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/srv/main.py", line 3, in <module>',
    "ValueError: no weights",
]

# Cause, and what the services said; the threads are those of the catalogue.
SAID = [
    (
        "quota-exhausted",
        "RESOURCE_EXHAUSTED: The following quota metrics exceed quota limits: "
        "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus",
    ),
    (
        "quota-exhausted",
        "RESOURCE_EXHAUSTED: The following quotas are exceeded: CustomModelServingA100GPUsPerProjectPerRegion",
    ),
    (
        "quota-exhausted",
        "RESOURCE_EXHAUSTED: Quota exceeded for quota metric 'Custom model serving A100' and limit 'x'. "
        "(quota_limit_value: 8)",
    ),
    (
        "quota-zero",
        "RESOURCE_EXHAUSTED: Quota exceeded for quota metric 'Custom model serving A100' and limit 'x'. "
        "(quota_limit_value: 0)",
    ),
    (
        "stockout",
        "RESOURCE_EXHAUSTED: Machine type temporarily unavailable, please deploy with a different machine type or "
        "retry.",
    ),
    (
        "artifact-permission",
        "FAILED_PRECONDITION: Service account `[service-789051324393@gcp-sa-aiplatform.iam.gserviceaccount.com]` does "
        'not have `[storage.objects.get]` IAM permission(s) to the directory "gs://mco-mm/churn".',
    ),
    (
        "image-permission",
        'FAILED_PRECONDITION: denied: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource '
        '"projects/p/locations/l/repositories/r" (or it may not exist)',
    ),
    (
        "permission",
        "PERMISSION_DENIED: Permission 'aiplatform.tensorboards.get' denied on resource "
        "'//aiplatform.googleapis.com/p' (or it may not exist).",
    ),
    (
        "api-disabled",
        "PERMISSION_DENIED: Vertex AI API has not been used in project 123 before or it is disabled. Enable it by "
        "visiting https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project=123",
    ),
    ("image-not-found", "NOT_FOUND: Image 'l-docker.pkg.dev/p/r/i@sha256:00' not found."),
    ("region", "INVALID_ARGUMENT: The Model m and the Endpoint must be in the same location (europe-west4)."),
    ("machine", "INVALID_ARGUMENT: Machine type 'a2-highgpu-1g' needs accelerator type NVIDIA_TESLA_A100, got L4."),
    ("request-too-large", "FAILED_PRECONDITION: The request size (2000000 bytes) exceeds 1.500MB limit."),
    ("request-too-large", "INVALID_ARGUMENT: Request payload size exceeds the limit: 10485760 bytes."),
    ("exited", "FAILED_PRECONDITION: Model server terminated: model server container terminated: exit_code: 1"),
    ("host-memory", "FAILED_PRECONDITION: Model server terminated: model server container terminated: exit_code: 137"),
    ("never-ready", "DEADLINE_EXCEEDED: Timeout. Model server logs can be found at https://console.cloud.google.com/x"),
    ("build-timeout", "TIMEOUT: build timed out"),
    ("google", "INTERNAL: Internal error encountered."),
    ("never-ready", NEVER),
    ("exited", EXITED),
]


@pytest.mark.parametrize(("cause", "said"), SAID)
def test_googles_words_alone_tell_the_cause(cause, said):
    assert find(said).name == cause


LOGGED = {
    ("gpu-memory", EXITED): ["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"],
    ("host-memory", EXITED): [*TRACEBACK[:2], "MemoryError"],
    ("crash", EXITED): TRACEBACK,
    ("crash-loop", NEVER): TRACEBACK,
    ("wrong-platform", EXITED): ["exec /usr/bin/python: exec format error"],
    ("no-command", EXITED): ["exec: gunicorn: No such file or directory"],
    ("wrong-port", NEVER): ["INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)"],
    ("health-route", NEVER): ['INFO:     10.1.2.3:4 - "GET /health HTTP/1.1" 404 Not Found'],
    ("health-slow", NEVER): ['127.0.0.1 - - [21/Nov/2026 08:00:00] "GET /health HTTP/1.1" 503 -'],
    ("disk-full", "FAILURE: step 1 failed"): ["write /var/lib/docker/tmp/x: no space left on device"],
    ("package", "FAILURE: step 1 failed"): ["ERROR: No matching distribution found for torch==99"],
    ("base-image", "FAILURE: step 1 failed"): ["pull access denied for nvidia/nothing, repository does not exist"],
    ("push-permission", "FAILURE: step 1 failed"): [
        'denied: Permission "artifactregistry.repositories.uploadArtifacts" denied on resource "projects/p"'
    ],
}


@pytest.mark.parametrize(("cause", "said"), LOGGED)
def test_a_log_tells_more_than_googles_words(cause, said):
    assert find(said, LOGGED[cause, said], ports=[7080]).name == cause


def test_the_port_that_is_asked_for_is_no_wrong_port():
    log = ["INFO:     Uvicorn running on http://0.0.0.0:7080"]

    assert find(NEVER, log, ports=[7080]).name == "never-ready"
    assert find(NEVER, log).name == "never-ready"  # nobody knows which port was asked for


def test_a_server_that_got_requests_listens_where_it_should():
    log = ["listening on port 9000", '"GET /health HTTP/1.1" 500']

    assert find(NEVER, log, ports=[7080]).name == "health-slow"


def test_a_log_is_not_asked_about_a_quota():
    said = "RESOURCE_EXHAUSTED: The following quotas are exceeded: CustomModelServingL4GPUsPerProjectPerRegion"

    assert find(said, ["CUDA out of memory"]).name == "quota-exhausted"


def test_what_nobody_knows_has_no_cause():
    assert find("FAILED_PRECONDITION: The moon is in the wrong phase.") is None


def test_every_preset_of_the_local_cloud_has_a_cause():
    unknown = [name for name, (status, text) in PRESETS.items() if find(f"{status}: {text}") is None]

    assert unknown == []


def test_a_permission_is_told_with_its_role_and_identity():
    said = advice("PERMISSION_DENIED", "Permission 'cloudbuild.builds.create' denied on resource 'projects/p'")
    acting = advice("PERMISSION_DENIED", "iam.serviceAccounts.actAs denied on flan@p.iam.gserviceaccount.com")

    assert "whoever runs Terraform" in said
    assert "roles/cloudbuild.builds.editor" in said
    assert "flan@p.iam.gserviceaccount.com" in acting
    assert "roles/iam.serviceAccountUser" in acting


def test_a_quota_of_nothing_is_told_from_the_details_of_the_error():
    info = {"@type": "ErrorInfo", "metadata": {"quota_limit_value": "0", "service": "s"}}

    assert words_of({"message": "Quota exceeded.", "details": [info]}) == "Quota exceeded. (quota_limit_value: 0)"


def test_no_two_causes_have_the_same_name():
    names = [cause.name for cause in (*CAUSES, *SERVING, *TRAINING, TRANSIENT)]

    assert len(names) == len(set(names))


def failed(message, reason="FAILED_PRECONDITION"):
    return OperationFailed(message, "", reason=reason, message=message)


def explained(message="Model server exited unexpectedly.", **known):
    fields = {
        "what": "vertex_thing 1",
        "asked": "do it",
        "phase": "STARTING 00:02",
        "elapsed": "01:05",
        "console": "https://c",
    }
    return explain(failed(message), **{**fields, **known})


def test_a_screen_has_everything_in_its_place():
    error = explained(log=Log(TRACEBACK))

    assert error.summary == (
        "vertex_thing 1 failed after 01:05: The container ended by itself while it started: ValueError: no weights."
    )
    assert error.detail.splitlines() == [
        " Asked:   do it",
        " Phase:   STARTING 00:02",
        " Google:  FAILED_PRECONDITION: Model server exited unexpectedly.",
        " Cause:   The container ended by itself while it started: ValueError: no weights.",
        " Cure:    Run the image on your machine with the same environment and command; the log below is",
        "          where it broke.",
        " Log:     its last lines",
        "   | Traceback (most recent call last):",
        '   |   File "/srv/main.py", line 3, in <module>',
        "   | ValueError: no weights",
        " Console: https://c",
    ]


@pytest.mark.parametrize("message", ["Model server exited unexpectedly. " * 40, "x" * 5000, "", "\n\n"])
@pytest.mark.parametrize("lines", [[], ["short"], ["x" * 4000] * 200, [""] * 50])
def test_a_screen_stays_a_screen_whatever_comes(message, lines):
    error = explained(message, log=Log(lines, note="n " * 400), asked="a " * 300, phase="P " * 300)
    rows = [row for row in error.detail.splitlines() if max(map(len, row.split()), default=0) < WIDTH]

    assert len(error.detail.splitlines()) <= ROWS + 1
    assert max(map(len, rows)) <= WIDTH
    assert all(row.startswith(" ") for row in error.detail.splitlines())


def test_the_line_that_told_the_cause_is_shown_even_when_others_came_after():
    error = explained(log=Log(["CUDA out of memory", *(f"shutting down {n}" for n in range(50))]))

    assert "| CUDA out of memory" in error.detail
    assert "| shutting down 49" in error.detail


def test_explaining_again_with_more_known_replaces_the_screen():
    error = explained()
    explain(error, what="w", phase="p", elapsed="e", log=Log(TRACEBACK))

    assert error.detail.count("Google:") == 1
    assert "ValueError" in error.summary


@pytest.mark.parametrize(
    "line",
    [
        "HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz",
        'config: {"api_key": "s3cr3t-value-1234"}',
        "Authorization: Bearer ya29.a0AfH6SMB-secret",
        "password=hunter22 user=x",
        "using key AIzaSyA1234567890abcdefghijklmnop",
        "jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM",
    ],
)
def test_a_secret_in_a_log_is_not_shown(line):
    shown = clean(line)

    assert "[removed]" in shown
    for secret in ("abcdefghij", "s3cr3t", "AfH6", "hunter22", "SyA123", "SflK"):
        assert secret not in shown


def test_a_log_cannot_write_to_the_terminal():
    assert clean("\x1b[31mred\x1b[0m\r\x07\x9b2J end") == "red2J end"


def test_ordinary_lines_stay_as_they_are():
    line = "Tokenizer loaded: 32128 tokens, max_new_tokens=128, sha256:0f00"

    assert clean(line) == line


def test_a_console_page_is_known_for_what_has_one():
    place = "projects/1/locations/europe-west4"

    assert console_of(f"{place}/endpoints/4242/operations/5").endswith(
        "/vertex-ai/online-prediction/locations/europe-west4/endpoints/4242?project=1"
    )
    assert console_of(f"{place}/models/m@2").endswith("/vertex-ai/models/locations/europe-west4/models/m?project=1")
    assert console_of("operations/5") == ""
    assert console_of_build({"id": "b", "name": f"{place}/builds/b"}).endswith(
        "/cloud-build/builds;region=europe-west4/b?project=1"
    )
