"""Why deployments, builds and calls fail, and what to do: the catalogue, as data.

Each cause has patterns for Google's own words and, where a container or a build tells more than Google does, for
its log. The first cause that matches is the one, so the particular come before the general; `screen` does the
matching. Texts name what the patterns' groups found (`{quota}`; a group `quota_` fills the same).
Source: error texts of the live services as users quote them (python-aiplatform 4559, 3329; vertex-ai-samples
2254, 3443, 3485, 3710; medgemma 6; stable-diffusion-on-gcp 12; python-run 54), and Google's documentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The role that holds a permission, the least of Google's own.
ROLES = {
    "aiplatform": "roles/aiplatform.user",
    "artifactregistry.repositories.downloadArtifacts": "roles/artifactregistry.reader",
    "artifactregistry.repositories.uploadArtifacts": "roles/artifactregistry.writer",
    "artifactregistry": "roles/artifactregistry.reader",
    "cloudbuild": "roles/cloudbuild.builds.editor",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "logging.logEntries.list": "roles/logging.viewer",
    "logging": "roles/logging.logWriter",
    "monitoring": "roles/monitoring.viewer",
    "storage.objects.create": "roles/storage.objectCreator",
    "storage.objects.delete": "roles/storage.objectAdmin",
    "storage": "roles/storage.objectViewer",
}
CALLER = "whoever runs Terraform (`gcloud auth list` shows it; in CI its service account)"
VERTEX_AGENT = "Vertex AI's service agent service-PROJECT_NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com"
# Words of Google's that mean: ask the container's log.
OF_CONTAINER = re.compile(
    r"model server|container (?:cannot|exited|terminated)|deadline|timeout|timed out", re.IGNORECASE
)


@dataclass(frozen=True)
class Cause:
    """One cause. said, logged: patterns for Google's words (`REASON: message`) and for a line of the log.

    when: `logged` counts only if Google's words match this.
    """

    name: str
    text: str
    cure: str
    said: str | None = None
    logged: str | None = None
    when: str | None = None


QUOTA = r"(?P<quota>[\w./-]*[A-Za-z]\w*)"
CAUSES: tuple[Cause, ...] = (
    Cause(
        "quota-zero",
        "The quota {quota} is 0 here: not one may run, though nothing is in use.",
        "Ask Google for more (console.cloud.google.com/iam-admin/quotas, filter {quota}; GPU quotas start at 0), or "
        "deploy in a region or on a machine that has quota.",
        said=r"\A(?=[\s\S]*(?:quota_limit_value\W+0\b|\blimit(?: is)?:? 0\b))"
        rf"(?=[\s\S]*quota(?: metric|s are exceeded:)? '?{QUOTA})",
    ),
    Cause(
        "rate-limit",
        "Too many calls in this minute: a quota on requests, not on machines.",
        "Apply again in a minute; with many resources, `terraform apply -parallelism=2`.",
        said=r"requests? per minute|per minute per|RATE_LIMIT_EXCEEDED|Too Many Requests",
    ),
    Cause(
        "quota-exhausted",
        "The quota {quota} is used up, or is 0 (new projects have 0 GPUs, and show a usage of 0).",
        "See limit and use at console.cloud.google.com/iam-admin/quotas, filter {quota}. Ask for more, undeploy what "
        'holds it (a failed deployment may for 30 minutes), or set strategy = "recreate".',
        said=rf"quotas? (?:metrics )?(?:are exceeded|exceed quota limits): ?{QUOTA}"
        rf"|Quota exceeded for quota metric '?(?P<quota_>[^'\"]+?)'?(?: and|$)",
    ),
    Cause(
        "stockout",
        "Google has no free machine of this type in the region now; the quota is not the matter.",
        "Apply again later, take a reservation (reservation_affinity), or deploy another machine_type or in another "
        "region.",
        said=r"temporarily unavailable|not enough resources|stock-?out|RESOURCE_POOL_EXHAUSTED|insufficient capacity",
    ),
    Cause(
        "image-permission",
        "The image exists for others, but {identity} may not pull it.",
        "Grant it roles/artifactregistry.reader on the repository; needed when the repository is in another project.",
        said=r"\A(?=[\s\S]*(?:downloadArtifacts|pull|fetch|access))"
        r"(?=[\s\S]*(?:denied|not have|forbidden|unauthorized))"
        r"(?=[\s\S]*(?:image|docker\.pkg\.dev|downloadArtifacts))"
        r"(?:[\s\S]*?(?P<identity>[\w-]+@[\w.-]*gserviceaccount\.com))?",
    ),
    Cause(
        "image-not-found",
        "The image {image} is not in the registry.",
        "Check name, digest and project; `gcloud artifacts docker images list` shows what is there. Let image_uri come "
        "from vertex_image_build.image_uri, so that the image is built first.",
        said=r"(?i)(?:image ['\"]?(?P<image>[^\s'\"]+)['\"]? (?:was )?not found"
        r"|(?P<image_>\S+docker\.pkg\.dev\S+?)['\"]?:? .*(?:not found|manifest unknown)"
        r"|manifest (?:for \S+ )?(?:unknown|not found)|ErrImagePull|ImagePullBackOff)",
    ),
    Cause(
        "repository-not-found",
        "The repository {repository} does not exist, so nothing can be pushed to it.",
        "Create it before the build, in the image's region; let `image` refer to the repository resource.",
        said=r'name unknown: Repository "?(?P<repository>[^"\s]+)"? not found',
        logged=r'name unknown: Repository "?(?P<repository>[^"\s]+)"? not found',
    ),
    Cause(
        "act-as",
        "{Who} may not run things as the service account {account}.",
        "Grant roles/iam.serviceAccountUser on that account to {who}.",
        said=r"\A(?=[\s\S]*iam\.service[Aa]ccounts?\.actAs)(?:[\s\S]*?(?P<account>[\w-]+@[\w.-]+\.gserviceaccount\.com))?",
    ),
    Cause(
        "api-disabled",
        "The API {api} is not enabled in the project.",
        "`gcloud services enable {api}`, wait a minute, and apply again.",
        said=r"(?P<api>[\w-]+\.googleapis\.com)[\s\S]*?(?:has not been used in project|SERVICE_DISABLED)"
        r"|(?:has not been used in project|SERVICE_DISABLED)[\s\S]*?(?P<api_>[\w-]+\.googleapis\.com)",
    ),
    Cause(
        "artifact-permission",
        "{identity} lacks {permission}.",
        "Grant {identity} the role {role} on the bucket or the project.",
        said=r"[Ss]ervice account\W+(?:\[)?(?P<identity>[\w-]+@[\w.-]+)[\s\S]*?does not have\W+"
        r"(?P<permission>[a-z]\w*(?:\.\w+)+)",
    ),
    Cause(
        "permission",
        "{Who} lacks the permission {permission}.",
        "Grant {who} the role {role} in the project. A role granted just now takes a minute or two to count.",
        said=r"[Pp]ermission\(?s?\)? '?\"?(?P<permission>[a-z]\w*(?:\.\w+)+)'?\"?[\s\S]*?denied",
    ),
    Cause(
        "permission-unnamed",
        "The identity lacks a permission, or the API is not enabled in the project.",
        "Give {who} roles/aiplatform.user (builds: roles/cloudbuild.builds.editor). A role granted just now takes a "
        "minute or two to count.",
        said=r"^PERMISSION_DENIED|[Cc]aller does not have permission|IAM_PERMISSION_DENIED",
    ),
    Cause(
        "region",
        "Things of different regions were put together: {pair}.",
        "Image repository, model and endpoint must be in one region (multi-region repositories do not do). Set "
        "`location` to the repository's region, or push the image to the model's.",
        said=r"(?:^[A-Z_]+: )?(?P<pair>[^\n]*?must be in the same (?:region|location)[^\n.]*)"
        r"|(?P<pair_>[^\n]*different (?:region|location)s?[^\n.]*)",
    ),
    Cause(
        "machine",
        "The machine cannot be had so: {pair}.",
        "Set machine_type, accelerator_type and accelerator_count as Google pairs them (a2-highgpu-1g: 1 "
        "NVIDIA_TESLA_A100), in a region that has them.",
        said=r"(?:^[A-Z_]+: )?(?P<pair>[^\n]*[Mm]achine type[^\n.]*(?:needs|not supported|invalid|has \d+)[^\n.]*)",
    ),
    Cause(
        "request-too-large",
        "The request is {size}larger than Google takes{limit}.",
        "Shared endpoints take 1.5 MB each way, dedicated ones (dedicated_endpoint_enabled) 10 MB: send fewer or "
        "shorter instances, or use a dedicated endpoint.",
        said=r"(?i)size(?: \((?P<size>[\d]+ bytes)\))? exceeds(?: the)? (?:limit|(?P<limit>[\d.]+ ?MB))"
        r"|payload size exceeds|Request Entity Too Large",
    ),
    Cause(
        "gpu-memory",
        "The model does not fit into the GPU's memory.",
        "Load it in half precision (fp32 XXL needs 45 GB, bf16 half), make batches and lengths smaller, or take a GPU "
        "with more (a2-ultragpu-1g: 80 GB).",
        logged=r"CUDA out of memory|OutOfMemoryError: CUDA|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
    ),
    Cause(
        "disk-full",
        "The disk is full.",
        "Give the build more with options.diskSizeGb in the trigger (300 for a 20 GB image, at most 4000), or clean up "
        "within the same step.",
        said=r"(?i)no space left on device|ENOSPC|Errno 28",
        logged=r"(?i)no space left on device|ENOSPC|Errno 28",
    ),
    Cause(
        "host-memory",
        "The machine's memory was not enough.",
        "Take a machine with more memory, or load the weights straight to the GPU, shard by shard (safetensors). "
        "A build: options.machineType E2_HIGHCPU_32.",
        said=r"OOMKilled|exit[_ ](?:code|status):? ?137|out of memory",
        logged=r"^MemoryError|[^\w]MemoryError|[Cc]annot allocate memory|can't allocate memory|std::bad_alloc|^Killed$"
        r"|\b(?:exit code|exited with|exit status):? 137\b|OOMKilled",
    ),
    Cause(
        "wrong-platform",
        "The image is for another kind of processor.",
        "Build it for linux/amd64 (`docker build --platform linux/amd64`, or with Cloud Build): images from a Mac with "
        "an M chip are arm64.",
        logged=r"exec format error",
    ),
    Cause(
        "no-command",
        "The container's command does not exist in the image: {command}.",
        "Set container_spec.command to a program of the image, by its whole path, or leave it out for the ENTRYPOINT.",
        logged=r"exec: \W?(?P<command>[^\s:\"]+)\W?: (?:No such file|executable file not found|Permission denied)",
    ),
    Cause(
        "build-timeout",
        "The build's own timeout ended it (60 minutes, when nothing else is set).",
        'Set build.timeout = "7200s" in the trigger, a larger options.machineType (E2_HIGHCPU_8), and timeouts.create '
        "here to as much.",
        said=r"^TIMEOUT\b|build (?:took longer than its timeout|timed out)",
    ),
    Cause(
        "base-image",
        "A base image or builder cannot be pulled.",
        "Check the name in FROM, or grant the build's service account access to it.",
        logged=r"pull access denied|manifest for \S+ not found|failed to resolve source metadata|manifest unknown",
    ),
    Cause(
        "package",
        "A package could not be installed: {package}.",
        "Check its name and version, and that this Python version has it.",
        logged=r"No matching distribution found for (?P<package>\S+)|Could not find a version that satisfies the "
        r"requirement (?P<package_>\S+)",
    ),
    Cause(
        "push-permission",
        "The build's service account may not push the image.",
        "Grant it roles/artifactregistry.writer on the repository.",
        logged=r"uploadArtifacts[^\n]*denied|denied:[^\n]*uploadArtifacts|denied: Permission",
    ),
)
# What only counts when the container was started and did not serve.
SERVING: tuple[Cause, ...] = (
    Cause(
        "crash",
        "The container ended by itself while it started: {error}.",
        "Run the image on your machine with the same environment and command; the log below is where it broke.",
        logged=r"^\s*(?P<error>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|NotFound)(?:: .*)?)$",
        when=r"exited|terminated",
    ),
    Cause(
        "health-route",
        "The container has no route {route}: the health check got 404.",
        "Set container_spec.health_route to the path that answers 200 when the model is ready (without one, Vertex AI "
        "asks /v1/endpoints/E/deployedModels/D).",
        logged=r"GET (?P<route>/[^\s\"]*)(?: HTTP/[\d.]+)?\"? (?:HTTP/[\d.]+ )?404\b",
    ),
    Cause(
        "wrong-port",
        "The container listens on port {port}; Vertex AI asks it on {asked_port}.",
        "Listen on $AIP_HTTP_PORT and 0.0.0.0, or set container_spec.ports = [{port}].",
        logged=r"(?i)(?:running|listening|started|serving|serves|bound|port)\b[^\n]*?[:\s](?P<port>\d{2,5})\b",
    ),
    Cause(
        "health-slow",
        "The container answered its health checks, but never with 200, in the time it had.",
        "Raise container_spec.deployment_timeout (at most 7200s) if the weights only take long to load; open the port "
        "at once and load in the background.",
        logged=r"GET /[^\s\"]*(?: HTTP/[\d.]+)?\"? (?:HTTP/[\d.]+ )?(?:5\d\d|429|400)\b"
        r"|(?i:loading (?:weights|model|checkpoint))",
    ),
    Cause(
        "crash-loop",
        "The container broke while it started: {error}.",
        "Run the image on your machine with the same environment and command; the log below is where it broke.",
        logged=r"^\s*(?P<error>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|NotFound)(?:: .*)?)$",
    ),
    Cause(
        "exited",
        "The container ended by itself, and its log does not say why.",
        "Run the image on your machine with the same environment and command: the process must stay in the foreground.",
        said=r"exited unexpectedly|[Mm]odel server terminated|container terminated",
    ),
    Cause(
        "never-ready",
        "The container did not answer 200 on its health route in the time it had.",
        "It must listen on 0.0.0.0 at $AIP_HTTP_PORT and answer 200 on $AIP_HEALTH_ROUTE. Try it: docker run -e "
        "AIP_HTTP_PORT=8080 -p 8080:8080 IMAGE. More time: container_spec.deployment_timeout.",
        said=r"never became ready|not responding|DEADLINE_EXCEEDED|Timeout",
    ),
)
TRANSIENT = Cause(
    "google",
    "Something failed inside Google; the request is not wrong.",
    "Apply again. If it lasts: status.cloud.google.com, or a support case with the operation's name.",
    said=r"^(?:INTERNAL|UNAVAILABLE|UNKNOWN|ABORTED|INTERNAL_ERROR)\b",
)
