"""The page of causes: why deployments, builds, jobs and calls fail, out of the provider's own catalogue."""

from __future__ import annotations

import re

from provider.failures.causes import CAUSES, TRANSIENT
from provider.failures.container_causes import SERVING
from provider.failures.job_causes import TRAINING
from scripts.provider_docs.pages import GENERATED

HEAD = f"""{GENERATED}
# Why deployments, builds and jobs fail

What the provider finds in Google's words and in the log of the container, the build or the job, in the order in which
it looks, and what it says then. Words in *italics* stand for what it found there.
[How such a failure looks](../long-deployments.md#a-failure).

| cause | it says | cure |
|---|---|---|
"""


def causes_page() -> str:
    rows = []
    for cause in (*CAUSES, *SERVING, *TRAINING, TRANSIENT):
        text, cure = (re.sub(r"\{(\w+)\}", r"*\1*", one).replace("|", "\\|") for one in (cause.text, cause.cure))
        rows.append(f"| `{cause.name}` | {text} | {cure} |")
    return HEAD + "\n".join(rows) + "\n"
