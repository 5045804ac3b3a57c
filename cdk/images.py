"""The images of a deployment: what goes into each, and how it reaches its build.

Knows which folders make an image; knows nothing of Terraform.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from cdk.commits import changed_files, files_of_commit, revision
from cdk.config import ROOT, DeploymentConfig
from cdk.sources import ImageSource, SourceError, files_of_tree

ARCHIVES = "sources"  # folder of a stack, beside its Terraform JSON
MAX_SUBSTITUTION = 4000  # characters; Cloud Build's limit for one value
NUM_NAMED = 3


class Delivery(TypedDict, total=False):
    """The arguments of an image build that say where its source comes from."""

    revision: str
    source_archive: str
    source_bucket: str


@dataclass(frozen=True)
class Images:
    """The sources of a deployment's images, from the working tree or from the commit as the deployment says."""

    config: DeploymentConfig
    root: Path = ROOT

    @cached_property
    def serving(self) -> ImageSource:
        weights = self.config.model.weights
        if weights.is_remote:
            return self._source("serving", ("serving",), self.serving_values)
        here = tuple(f"{weights.source}/{name}" for name in weights.files if (self._folder / name).is_file())
        return self._source("serving", ("serving", *here), self.serving_values)

    @cached_property
    def ui(self) -> ImageSource:
        return self._source("ui", ("ui",), {})

    @cached_property
    def training(self) -> ImageSource:
        """With the embedded model, so that a tuning can start from it without a network."""
        return self._source("training", ("training", "models", "serving/requirements-cuda.lock"), {})

    @property
    def serving_values(self) -> dict[str, str]:
        """The build's substitutions: the manifest that `serving/weights.py` reads, as compact JSON."""
        weights = self.config.model.weights
        document = {"source": weights.source, "files": weights.files}
        text = json.dumps(document, separators=(",", ":"), sort_keys=True)
        if len(text) > MAX_SUBSTITUTION:
            raise SourceError(
                f"model.weights: {len(weights.files)} files make {len(text)} characters of build substitution; allowed "
                f"are {MAX_SUBSTITUTION}. List fewer files: weights, config and tokenizer are enough."
            )
        return {"_WEIGHTS": text}

    @property
    def commit(self) -> str:
        """The commit that the images are of; `unknown` for a working tree, which may differ from any."""
        return self._commit or "unknown"

    def delivery(self, source: ImageSource, *, bucket: str) -> Delivery:
        """The archive's path is relative to the stack's folder, where Terraform runs."""
        if self._commit is not None:
            return {"revision": self._commit}
        return {"source_archive": f"{ARCHIVES}/{source.archive_name}", "source_bucket": bucket}

    def hints(self) -> list[str]:
        """What will fail or surprise in a build, though it can be synthesized."""
        hints = self._weights_hints()
        if self._commit is not None and (changed := changed_files(self.root, self._rooms)):
            hints.append(
                f"{_some(changed)} differ from commit {self._commit[:12]}, which is what a build sees: commit and push"
            )
        return hints

    @property
    def _rooms(self) -> tuple[str, ...]:
        return ("serving", "ui", "training", "models") if self.config.training.enabled else ("serving", "ui")

    def _weights_hints(self) -> list[str]:
        weights, cure = self.config.model.weights, f"make pin-weights ENV={self.config.env}"
        hints = []
        if unpinned := [name for name, wanted in weights.files.items() if not wanted]:
            hints.append(f"{_some(unpinned)} of model.weights.files have no sum; the build refuses them. Run `{cure}`")
        if weights.is_remote:
            return hints
        if missing := [name for name in weights.files if not (self._folder / name).is_file()]:
            hints.append(
                f"{weights.source} has no {_some(missing)}; the build will fail. Run `make model`, then `{cure}`"
            )
        wrong = [
            name
            for name, wanted in weights.files.items()
            if wanted and name not in missing and wanted != f"sha256:{_sha256(self._folder / name)}"
        ]
        if wrong:
            hints.append(
                f"{_some(wrong)} in {weights.source} are not what is pinned; the build refuses them. "
                f"If the new files are right, run `{cure}`"
            )
        return hints

    @property
    def _folder(self) -> Path:
        return self.root / self.config.model.weights.source

    @cached_property
    def _commit(self) -> str | None:
        return revision(self.root) if self.config.source.delivery == "repository" else None

    def _source(self, name: str, paths: tuple[str, ...], values: dict[str, str]) -> ImageSource:
        if self._commit is not None:
            return ImageSource(name, files_of_commit(self.root, self._commit, paths), values)
        return ImageSource(name, files_of_tree(self.root, paths), values)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - NUM_NAMED
    return ", ".join(names[:NUM_NAMED]) + (f" and {rest} more" if rest > 0 else "")
