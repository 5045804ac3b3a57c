"""What SageMaker's hosts set for a container that they start as `IMAGE serve`. Knows no HTTP, no model.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMAND = "serve"
PORT = 8080
MODEL_DIR = "/opt/ml/model"


class UnservableHost(ValueError):
    """The host asks for what this image does not do; the message says what, and what to do instead."""


def settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings of `ServerConfig` that the host decides; a port that the environment names as elsewhere wins."""
    if environ.get("SAGEMAKER_MULTI_MODEL", "false").lower() == "true":
        raise UnservableHost(
            "SAGEMAKER_MULTI_MODEL is true: this image serves one model, from its start to its end; "
            "make an endpoint for each model (ContainerMode SingleModel)"
        )
    decided: dict[str, Any] = {}
    if not environ.get("AIP_HTTP_PORT") and not environ.get("PORT"):
        decided["port"] = environ.get("SAGEMAKER_BIND_TO_PORT") or PORT
    # the model data of the SageMaker model, unpacked; without any, the image's own model is served
    unpacked = Path(environ.get("SM_MODEL_DIR") or MODEL_DIR)
    if (unpacked / "config.json").is_file():
        decided["model_dir"] = unpacked
    return decided
