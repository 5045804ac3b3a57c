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
    endpoint = EndpointStack(app, "endpoint", config=config, registry=registry, model=model)
    UiStack(app, "ui", config=config, registry=registry, endpoint=endpoint, images=images)
    app.synth()
    folder = Path(app.outdir)
    sources = {"model": images.serving, "ui": images.ui}
    for stack in ("registry", "model", "endpoint", "ui"):
        furnish(folder / "stacks" / stack, config=config, source=sources.get(stack))
    return folder
