"""What Vertex AI's ModelService does: uploads and deletions as operations, lists, filters.

Knows the registry (`localcloud.vertex.models`), images and endpoints; knows no routes.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import RunningOperation
from localcloud.store import Document
from localcloud.vertex.endpoints import Endpoints
from localcloud.vertex.models import Models, checked_upload
from localcloud.vertex.names import checked_model_id, location_of, made_up_id, model_name
from localcloud.wire import matches, page

V1 = "google.cloud.aiplatform.v1"
FILTER_FIELDS = ("displayName", "labels", "model", "versionId")


class ModelService:
    """What the routes of both API versions call."""

    def __init__(self, cloud: LocalCloud, models: Models, endpoints: Endpoints) -> None:
        self.cloud = cloud
        self.models = models
        self.endpoints = endpoints

    def upload(self, parent: str, body: Document) -> Document:
        uploaded = body.get("model") or {}
        checked_upload(uploaded, location=location_of(parent))
        name = self._uploaded_name(parent, body)
        return self.cloud.operations.start(
            "uploadModel",
            prefix=name,
            arguments={"name": name, "model": uploaded, "is_version": bool(body.get("parentModel"))},
            metadata=metadata_of("UploadModelOperationMetadata"),
            response_type=f"type.googleapis.com/{V1}.UploadModelResponse",
        )

    def _uploaded_name(self, parent: str, body: Document) -> str:
        if body.get("parentModel"):
            name = model_name(self.cloud.projects.canonical(body["parentModel"])).name
            if location_of(name) != location_of(parent):
                raise invalid(f"The parent model {name} is not in {parent}.")
            if self.cloud.store.get(name) is None:
                raise not_found(self.cloud.projects.numbered(name))
            return name
        name = f"{parent}/models/{checked_model_id(body['modelId']) if body.get('modelId') else made_up_id()}"
        if self.cloud.store.get(name) is not None:
            raise _exists(self.cloud.projects.numbered(name))
        return name

    def run_upload(self, running: RunningOperation) -> Document:
        """Ingests the image: from here on only its digest counts, and moving its tag changes nothing."""
        name, uploaded = running.arguments["name"], running.arguments["model"]
        running.stage(name="INGESTING_IMAGE")
        digest = self.cloud.images.resolve(uploaded["containerSpec"]["imageUri"])
        with self.cloud.store.transaction():
            existing = self.cloud.store.get(name)
            mine = any(one["_operation"] == running.name for one in self.models.versions_of(name))
            if existing is not None and not running.arguments["is_version"] and not mine:
                raise _exists(self.cloud.projects.numbered(name))
            if existing is None and running.arguments["is_version"]:
                raise not_found(self.cloud.projects.numbered(name))
            version = self.models.add_version(name, uploaded, digest=digest, operation=running.name)
        return {"model": self.cloud.projects.numbered(name), "modelVersionId": version["versionId"]}

    def list_models(self, parent: str, query: Document) -> Document:
        found = [
            model
            for model in self.models.in_location(parent)
            if matches({**model, "model": model["name"].rsplit("/", 1)[1]}, query.get("filter"), fields=FILTER_FIELDS)
        ]
        return page(found, key="models", size=query.get("pageSize"), token=query.get("pageToken"))

    def list_versions(self, name: str, query: Document) -> Document:
        model, _ = self.models.find_version(name)
        versions = [self.models.shown(model, version) for version in self.models.versions_of(model["name"])]
        found = [one for one in versions if matches(one, query.get("filter"), fields=FILTER_FIELDS)]
        return page(found, key="models", size=query.get("pageSize"), token=query.get("pageToken"))

    def delete(self, text: str, *, only_version: bool) -> Document:
        model, version = self.models.find_version(text)
        if only_version:
            self.models.check_version_deletable(model["name"], version)
        self.endpoints.check_not_deployed(model["name"], version["versionId"] if only_version else None)
        target = f"{model['name']}@{version['versionId']}" if only_version else model["name"]
        return self.cloud.operations.start(
            "deleteModel",
            prefix=model["name"],
            arguments={"name": target, "version_id": version["versionId"] if only_version else None},
            metadata=metadata_of("DeleteOperationMetadata"),
        )

    def run_delete(self, running: RunningOperation) -> Document:
        name, version_id = running.arguments["name"], running.arguments["version_id"]
        running.stage(name="DELETING")
        if self.cloud.store.get(name) is None:  # begun before a restart, and done
            return {}
        with self.cloud.store.transaction():
            self.endpoints.check_not_deployed(name.partition("@")[0], version_id)
            self.models.delete(name) if version_id is None else self.models.delete_version(name)
        return {}


def metadata_of(kind: str) -> Document:
    return {"@type": f"type.googleapis.com/{V1}.{kind}", "genericMetadata": {}}


def _exists(name: str) -> ApiError:
    return ApiError("ALREADY_EXISTS", f"The Model {name} already exists; give it as parentModel to add a version.")
