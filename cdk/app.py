"""The CDKTF app of one deployment: its stacks in the order of their references."""

from __future__ import annotations

from pathlib import Path

import cdktf

from cdk import bindings  # noqa: F401  first of our own: the stacks below import what it makes quick to import
from cdk.config import DeploymentConfig
from cdk.images import Images
from cdk.stacks.endpoint import EndpointStack
from cdk.stacks.model import ModelStack
from cdk.stacks.registry import RegistryStack
from cdk.stacks.training import TrainingStack
from cdk.stacks.ui import UiStack
from cdk.workspace import furnish


def synthesize(config: DeploymentConfig, *, outdir: Path | None = None, images: Images | None = None) -> Path:
    """Writes Terraform JSON of every stack, and what Terraform needs beside it. Returns the output folder.

    outdir: cdktf's own choice (CDKTF_OUTDIR, else cdktf.out) when None.
    """
    app = cdktf.App(outdir=str(outdir)) if outdir else cdktf.App()
    images = images or Images(config)
    registry = RegistryStack(app, "registry", config=config)
    model = ModelStack(app, "model", config=config, registry=registry, images=images)
    training = None
    if config.training.enabled:
        training = TrainingStack(app, "training", config=config, registry=registry, model=model, images=images)
    endpoint = EndpointStack(app, "endpoint", config=config, registry=registry, model=model, training=training)
    UiStack(app, "ui", config=config, registry=registry, endpoint=endpoint, images=images)
    app.synth()
    folder = Path(app.outdir)
    sources = {"registry": None, "model": images.serving, "endpoint": None, "ui": images.ui}
    if training is not None:
        sources["training"] = images.training
    for stack, source in sources.items():
        furnish(folder / "stacks" / stack, config=config, source=source)
    return folder
