"""Why deployments, builds and calls fail, and what to do: the catalogue, in the order in which it is looked through.

Each cause has patterns for Google's own words and, where a container or a build tells more than Google does, for
its log. The first cause that matches is the one, so the particular come before the general; `screen` does the
matching. What only jobs have is in `job_causes`.
"""

from __future__ import annotations

from provider.failures.build_causes import BUILDING
from provider.failures.call_causes import CALLS
from provider.failures.cause import Cause
from provider.failures.container_causes import RUNNING

CAUSES: tuple[Cause, ...] = (*CALLS, *RUNNING, *BUILDING)
TRANSIENT = Cause(
    "google",
    "Something failed inside Google; the request is not wrong.",
    "Apply again. If it lasts: status.cloud.google.com, or a support case with the operation's name.",
    said=r"^(?:INTERNAL|UNAVAILABLE|UNKNOWN|ABORTED|INTERNAL_ERROR)\b",
)
