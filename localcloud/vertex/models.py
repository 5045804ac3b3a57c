"""The model registry: models, their versions, aliases and labels.

A model's own fields (display name, description, labels) are one document, each version another; a
read merges them. Knows nothing of endpoints, processes or HTTP.
Source of the rules: google-cloud-aiplatform's ModelService and Model.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import now
from localcloud.projects import Projects
from localcloud.store import Document, Store
from localcloud.vertex.names import model_name

MODEL_FIELDS = ("displayName", "description", "labels")
VERSION_FIELDS = ("versionDescription", "labels")
_ALIAS = re.compile(r"^[a-z][a-zA-Z0-9-]{0,126}[a-zA-Z0-9]$|^[a-z]$")


class Models:
    """Reads and writes within the store's transactions. Names are canonical; replies name projects by number."""

    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    def find_version(self, text: str) -> tuple[Document, Document]:
        """The model's document and that of the version, alias or default version named. Raises NOT_FOUND."""
        name = model_name(text)
        model = self._store.get(name.name)
        if model is None:
            raise not_found(self._projects.numbered(name.name))
        wanted = name.version or "default"
        for version in self.versions_of(name.name):
            if wanted == version["versionId"] or wanted in version["versionAliases"]:
                return model, version
        raise not_found(self._projects.numbered(text))

    def versions_of(self, name: str) -> list[Document]:
        return [version for version in self._store.list("model_version") if version["_model"] == name]

    def in_location(self, parent: str) -> list[Document]:
        """Every model there, as its default version shows it, newest first."""
        models = self._store.list("model", under=f"{parent}/models")
        return [self.get(model["name"]) for model in reversed(models)]

    def get(self, text: str) -> Document:
        return self.shown(*self.find_version(text))

    def shown(self, model: Document, version: Document) -> Document:
        fields = {key: value for key, value in version.items() if not key.startswith("_") and key != "labels"}
        labels = {**model.get("labels", {}), **version.get("labels", {})}
        document = {
            **fields,
            "name": self._projects.numbered(model["name"]),
            "displayName": model["displayName"],
            "createTime": model["createTime"],
            "updateTime": max(model["updateTime"], version["versionUpdateTime"]),
        }
        if model.get("description"):
            document["description"] = model["description"]
        if labels:
            document["labels"] = labels
        return document

    def add_version(self, name: str, uploaded: Document, *, digest: str, operation: str) -> Document:
        """Makes the model when it is new, and its next version. The same operation twice adds one version."""
        with self._store.transaction():
            for version in self.versions_of(name):
                if version["_operation"] == operation:
                    return version
            time = now()
            model = self._store.get(name)
            is_new = model is None
            if model is None:
                model = {"name": name, "createTime": time, "updateTime": time, "_versions": 0}
                model |= {key: uploaded[key] for key in MODEL_FIELDS if uploaded.get(key)}
            model["_versions"] += 1
            self._store.put(name, kind="model", document=model)
            version = self._new_version(model, uploaded, digest=digest, operation=operation, is_first=is_new)
            self._store.put(f"{name}@{version['versionId']}", kind="model_version", document=version)
            self._move_aliases(version, [*uploaded.get("versionAliases", []), *(["default"] if is_new else [])])
            return version

    def _new_version(
        self, model: Document, uploaded: Document, *, digest: str, operation: str, is_first: bool
    ) -> Document:
        time = now()
        kept = ("containerSpec", "artifactUri", "versionDescription", "metadata", "metadataSchemaUri")
        version: Document = {key: uploaded[key] for key in kept if uploaded.get(key)}
        if uploaded.get("labels") and not is_first:
            version["labels"] = uploaded["labels"]
        return version | {
            "versionId": str(model["_versions"]),
            "versionAliases": [],
            "versionCreateTime": time,
            "versionUpdateTime": time,
            "supportedDeploymentResourcesTypes": ["DEDICATED_RESOURCES"],
            "supportedInputStorageFormats": ["jsonl", "csv", "tf-record", "file-list"],
            "supportedOutputStorageFormats": ["jsonl"],
            "_model": model["name"],
            "_digest": digest,
            "_operation": operation,
        }

    def patch(self, text: str, changes: Document, mask: list[str]) -> Document:
        """`models/m`: the model's fields; `models/m@v`: the version's. Raises INVALID_ARGUMENT for any other."""
        allowed = VERSION_FIELDS if model_name(text).version else MODEL_FIELDS
        fields = mask or [field for field in allowed if field in changes]
        wrong = [field for field in fields if field.split(".")[0] not in allowed]
        if wrong:
            raise invalid(
                f"The fields [{', '.join(wrong)}] cannot be updated on {text}; these can: {', '.join(allowed)}. "
                "A container is changed by uploading a new version; aliases by mergeVersionAliases."
            )
        if "displayName" in fields:
            checked_display_name(changes)
        with self._store.transaction():
            model, version = self.find_version(text)
            target, time_field = (version, "versionUpdateTime") if allowed is VERSION_FIELDS else (model, "updateTime")
            for field in fields:
                key = field.split(".")[0]
                target[key] = changes.get(key, {} if key == "labels" else "")
            target[time_field] = now()
            self._save(model, version)
            return self.shown(model, version)

    def merge_aliases(self, text: str, aliases: list[str]) -> Document:
        """Adds, moves, and with a leading hyphen removes. `default` can be moved, never removed."""
        if not aliases:
            raise invalid("version_aliases must not be empty.")
        with self._store.transaction():
            model, version = self.find_version(text)
            removed = [alias[1:] for alias in aliases if alias.startswith("-")]
            if "default" in removed:
                raise invalid("The default alias cannot be removed; give it to another version instead.")
            version["versionAliases"] = [alias for alias in version["versionAliases"] if alias not in removed]
            self._save(model, version)
            self._move_aliases(version, [alias for alias in aliases if not alias.startswith("-")])
            return self.get(f"{model['name']}@{version['versionId']}")

    def delete(self, name: str) -> None:
        with self._store.transaction():
            for version in self.versions_of(name):
                self._store.delete(f"{name}@{version['versionId']}")
            self._store.delete(name)

    def delete_version(self, text: str) -> None:
        """Raises FAILED_PRECONDITION for the only version and for the default one."""
        with self._store.transaction():
            model, version = self.find_version(text)
            self.check_version_deletable(model["name"], version)
            self._store.delete(f"{model['name']}@{version['versionId']}")

    def check_version_deletable(self, name: str, version: Document) -> None:
        if len(self.versions_of(name)) == 1:
            raise ApiError(
                "FAILED_PRECONDITION", f"{name}@{version['versionId']} is the only version: delete the Model."
            )
        if "default" in version["versionAliases"]:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"{name}@{version['versionId']} is the default version: give the alias `default` to another first.",
            )

    def _save(self, model: Document, version: Document) -> None:
        self._store.put(model["name"], kind="model", document=model)
        self._store.put(f"{model['name']}@{version['versionId']}", kind="model_version", document=version)

    def _move_aliases(self, target: Document, aliases: list[str]) -> None:
        for version in self.versions_of(target["_model"]):
            kept = [alias for alias in version["versionAliases"] if alias not in aliases]
            if version["versionId"] == target["versionId"]:
                kept += dict.fromkeys(aliases)
            if kept != version["versionAliases"]:
                version |= {"versionAliases": kept, "versionUpdateTime": now()}
                self._store.put(f"{version['_model']}@{version['versionId']}", kind="model_version", document=version)


def checked_display_name(document: Document) -> None:
    name = document.get("displayName") or ""
    if not 1 <= len(name) <= 128:
        raise invalid(f"display_name must have 1 to 128 characters, got {len(name)}.")


def checked_upload(uploaded: Document, *, location: str) -> None:
    """Everything about an upload that can be said without looking at the registry. Raises INVALID_ARGUMENT."""
    checked_display_name(uploaded)
    container = uploaded.get("containerSpec") or {}
    _check_image(container.get("imageUri") or "", location)
    for field in ("predictRoute", "healthRoute"):
        if container.get(field) and not container[field].startswith("/"):
            raise invalid(f"container_spec.{field} must begin with '/', got {container[field]!r}.")
    for entry in container.get("ports") or []:
        port = entry.get("containerPort")
        if not isinstance(port, int) or not 1 <= port <= 65535:
            raise invalid(f"container_spec.ports must be between 1 and 65535, got {port!r}.")
    for alias in uploaded.get("versionAliases") or []:
        if not _ALIAS.match(alias):
            raise invalid(f"Invalid version alias {alias!r}: a letter, then up to 127 letters, digits or hyphens.")
    artifact_uri = uploaded.get("artifactUri") or ""
    if artifact_uri and not artifact_uri.startswith("gs://"):
        raise invalid(f"artifact_uri must be a Cloud Storage folder, as gs://bucket/folder; got {artifact_uri!r}.")


def _check_image(image_uri: str, location: str) -> None:
    if not image_uri:
        raise invalid("container_spec.image_uri is required.")
    match = re.match(r"^([a-z0-9-]+)-docker\.pkg\.dev/[^/]+/[^/]+/.+", image_uri)
    if match is None:
        raise invalid(
            f"Invalid image_uri {image_uri!r}: it must be LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE "
            "with a tag or a digest."
        )
    if match[1] != location:
        raise invalid(
            f"The image {image_uri!r} is in {match[1]!r}; the repository must be in the same region as the Model "
            f"({location!r}), and multi-region repositories are not supported."
        )


def deployment_timeout_s(version: Document, default: float) -> float:
    """containerSpec.deploymentTimeout, no more than *default*."""
    text: Any = version.get("containerSpec", {}).get("deploymentTimeout") or ""
    return min(float(str(text).removesuffix("s")), default) if text else default
