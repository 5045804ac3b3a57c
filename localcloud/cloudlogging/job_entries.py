"""Log entries of custom jobs, out of the files that their replicas really write.

Source: entries of `ml_job` as Vertex AI's training service writes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from localcloud.cloud import LocalCloud
from localcloud.cloudlogging.entries import lines_of
from localcloud.store import Document


def of_custom_jobs(cloud: LocalCloud, project: str) -> Iterator[Document]:
    """Lines of every replica of a project's jobs, each replica's in order."""
    for file in sorted((cloud.logs_dir / "custom_jobs" / project).glob("*/*/*.log")):
        job, replica = file.parent.name, file.stem
        labels = {"job_id": job, "project_id": project, "task_name": replica}
        for time, line in lines_of(file):
            yield {
                "insertId": f"{job}-{replica}-{time}",
                "timestamp": time,
                "jsonPayload": {"message": line},
                "severity": "INFO",
                "resource": {"type": "ml_job", "labels": labels},
                "logName": f"projects/{project}/logs/{replica}",
            }
