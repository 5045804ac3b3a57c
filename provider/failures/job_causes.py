"""Why training jobs fail, and what to do: the part of the catalogue that only they have.

Source: error texts of the live service as users quote them (`The replica workerpool0-0 exited with a non-zero status
of 1`, `Replicas low on memory: workerpool0`), and Vertex AI, "Troubleshooting custom training".
"""

from __future__ import annotations

import re

from provider.failures.cause import Cause

# Words of Google's that mean: a replica of a job ended, ask its log.
OF_JOB = re.compile(r"\breplica \S+ exited|Replicas low on memory|job was stopped|job exceeded", re.IGNORECASE)

TRAINING: tuple[Cause, ...] = (
    Cause(
        "job-host-memory",
        "The training ran out of the machine's memory.",
        "Take a machine with more, or hold less at once: smaller batches, fewer data loader workers.",
        said=r"Replicas low on memory|non-zero status of 137\b",
    ),
    Cause(
        "job-command",
        "The container's command is not in the image.",
        "Check container_spec.command and args against the image; see `docker run --entrypoint sh IMAGE`.",
        said=r"non-zero status of 127\b",
    ),
    Cause(
        "job-output-permission",
        "The job may not write its output: {error}.",
        "Grant the job's service_account roles/storage.objectAdmin on the bucket of base_output_directory.",
        logged=r"(?P<error>.*(?:403|does not have) .*storage\.objects\.\w+.*)",
    ),
    Cause(
        "job-timeout",
        "The job ran longer than it may.",
        "Raise scheduling.timeout. A job that saves checkpoints to AIP_CHECKPOINT_DIR can go on from them.",
        said=r"longer than its timeout|exceeded (?:its |the )?timeout|DEADLINE_EXCEEDED",
    ),
    Cause(
        "job-crash",
        "The training broke: {error}.",
        "Run the image on your machine with the same arguments; the log below is where it broke.",
        logged=r"^\s*(?P<error>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|NotFound)(?:: .*)?)$",
    ),
    Cause(
        "job-exited",
        "The training ended by itself with an error, and its log does not say why.",
        "Run the image on your machine with the same arguments. A service account without roles/logging.logWriter "
        "leaves no log.",
        said=r"exited with a non-zero status",
    ),
)
