"""What Cloud Build refuses before anything runs: builds and triggers that cannot be meant so."""

from __future__ import annotations

from localcloud.errors import invalid
from localcloud.store import Document

DEFAULT_TIMEOUT_S = 3600.0
# As a name, and as the number that Google's client sends.
_LOGGING_WITHOUT_BUCKET = ("CLOUD_LOGGING_ONLY", 5, "NONE", 4)
_OWN_BUCKET = ("REGIONAL_USER_OWNED_BUCKET", 1)


def check_build(body: Document) -> None:
    """ApiError for a build without steps, with a bad timeout, or with an identity and nowhere to log."""
    if not body.get("steps"):
        raise invalid("invalid build: the build must have at least one step")
    seconds(body.get("timeout"), DEFAULT_TIMEOUT_S)
    options = body.get("options", {})
    says_where = (
        body.get("logsBucket")
        or options.get("logging") in _LOGGING_WITHOUT_BUCKET
        or options.get("defaultLogsBucketBehavior") in _OWN_BUCKET
    )
    if body.get("serviceAccount") and not says_where:
        raise invalid(
            "if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) use "
            "the REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use either "
            "CLOUD_LOGGING_ONLY / NONE logging options"
        )


def check_trigger(body: Document) -> None:
    given = [one for one in ("build", "filename", "gitFileSource") if body.get(one)]
    if len(given) != 1:
        raise invalid(f"exactly one of build, filename and gitFileSource must be given, got {given or 'none'}")


def seconds(text: str | None, default: float) -> float:
    """`7200s` in seconds."""
    try:
        return float(str(text).removesuffix("s")) if text else default
    except ValueError:
        raise invalid(f"{text!r} is no duration; allowed is seconds such as 7200s") from None
