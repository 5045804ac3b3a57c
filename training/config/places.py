"""Where a training reads and writes: folders of this machine or of a bucket. Vertex AI names them in AIP_* variables.

Source: Vertex AI, "Environment variables for special Cloud Storage directories".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODEL, CHECKPOINTS, LOGS = "AIP_MODEL_DIR", "AIP_CHECKPOINT_DIR", "AIP_TENSORBOARD_LOG_DIR"


@dataclass(frozen=True)
class Places:
    """run: a folder of this machine for what is on its way. The others: a local path, gs:// or s3://.

    own_checkpoints: nobody asked for the checkpoints, so that they go when the training is done.
    """

    run: Path
    model: str
    checkpoints: str
    logs: str
    own_checkpoints: bool

    @classmethod
    def of(cls, run: Path, *, environment: Mapping[str, str], model: str | None = None) -> Places:
        """model: as named on the command line; it goes before AIP_MODEL_DIR. An empty variable is an absent one."""
        return cls(
            run=run,
            model=model or environment.get(MODEL) or str(run / "model"),
            checkpoints=environment.get(CHECKPOINTS) or str(run / "checkpoints"),
            logs=environment.get(LOGS) or str(run / "logs"),
            own_checkpoints=not environment.get(CHECKPOINTS),
        )
