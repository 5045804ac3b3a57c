"""Custom jobs as documents; their work is `custom_job_runs`.

Source: Vertex AI REST v1, projects.locations.customJobs.
"""

from __future__ import annotations

from localcloud.store import Document
from localcloud.vertex.jobs.custom_job_spec import checked_job
from localcloud.vertex.jobs.documents import Jobs


class CustomJobs(Jobs):
    noun = "customJob"
    kind = "custom_job"

    def checked(self, parent: str, body: Document) -> Document:
        return checked_job(body)
