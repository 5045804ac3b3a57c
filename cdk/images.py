"""The two images of a deployment: what goes into each, and how it reaches its build."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cdk.config import ROOT, DeploymentConfig
from cdk.sources import ImageSource, revision

ARCHIVES = "sources"  # folder of a stack, beside its Terraform JSON


@dataclass(frozen=True)
class Images:
    """The sources of a deployment's images."""

    config: DeploymentConfig
    root: Path = ROOT

    @cached_property
    def serving(self) -> ImageSource:
        weights = self.config.model.weights
        paths = ("serving",) if weights.is_remote else ("serving", weights.source)
        files = sorted(weights.files.items())
        return ImageSource("serving", self.root, paths, {"weights": weights.source, **dict(files)})

    @cached_property
    def ui(self) -> ImageSource:
        return ImageSource("ui", self.root, ("ui",), {})

    def delivery(self, source: ImageSource, *, bucket: str) -> dict[str, Any]:
        """The arguments of an image build that say where its source comes from.

        The archive's path is relative to the stack's folder, where Terraform runs.
        """
        if self.config.source.delivery == "repository":
            return {"revision": revision(self.root, source.paths)}
        name = f"{source.name}-{source.content_hash[:16]}.tar.gz"
        return {"source_archive": f"{ARCHIVES}/{name}", "source_bucket": bucket}
