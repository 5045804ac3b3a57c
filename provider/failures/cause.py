"""What a cause of a failure is, and whom and what its texts may name.

Texts name what the patterns' groups found (`{quota}`; a group `quota_` fills the same). Knows no cause.
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
