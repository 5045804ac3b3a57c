"""Why Google refuses a call or an operation, whatever it was to bring up: quotas, permissions, regions, sizes.

Source: error texts of the live services as users quote them (python-aiplatform 4559, 3329; vertex-ai-samples
2254, 3443, 3485, 3710; medgemma 6; python-run 54), and Google's documentation.
"""

from __future__ import annotations

from provider.failures.cause import Cause

QUOTA = r"(?P<quota>[\w./-]*[A-Za-z]\w*)"
CALLS: tuple[Cause, ...] = (
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
)
