"""Vertex AI TensorBoards: made, listed, changed, deleted.

A job that names one writes its event files to `AIP_TENSORBOARD_LOG_DIR` here as there; they stay in its bucket, where
TensorBoard itself reads them. What Vertex AI copies out of them (experiments, runs, time series) is not kept here.
Source: Vertex AI REST v1, projects.locations.tensorboards.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.errors import invalid, not_found
from localcloud.operations import RunningOperation, now, public
from localcloud.store import Document
from localcloud.vertex.model_service import metadata_of
from localcloud.vertex.models import checked_display_name
from localcloud.vertex.names import last, made_up_id
from localcloud.wire import matches, page

KIND = "tensorboard"
TYPE = "type.googleapis.com/google.cloud.aiplatform.v1.Tensorboard"
EMPTY = "type.googleapis.com/google.protobuf.Empty"
FIELDS = ("displayName", "description", "labels", "isDefault")
MADE_FIELDS = (*FIELDS, "encryptionSpec")
FILTER_FIELDS = ("displayName", "labels")


class Tensorboards:
    """What the routes of every API version call. Names are canonical; what is shown is numbered."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def create(self, parent: str, wanted: Document) -> Document:
        checked_display_name(wanted)
        name = f"{parent}/tensorboards/{made_up_id()}"
        return self._start("createTensorboard", name, "CreateTensorboardOperationMetadata", tensorboard=wanted)

    def run_create(self, running: RunningOperation) -> Document:
        running.stage(name="CREATING")
        name, wanted = running.arguments["name"], running.arguments["tensorboard"]
        document = {key: wanted[key] for key in MADE_FIELDS if wanted.get(key)}
        document |= {"name": name, "createTime": now(), "updateTime": now(), "etag": last(name)}
        document["blobStoragePathPrefix"] = f"cloud-ai-platform-{last(name)}"
        if self.cloud.store.get(name) is None:
            self.cloud.store.put(name, kind=KIND, document=document)
        return self.get(name)

    def get(self, name: str) -> Document:
        document = self.cloud.store.get(name)
        if document is None:
            raise not_found(self.cloud.projects.numbered(name))
        return public(document) | {"name": self.cloud.projects.numbered(name)}

    def list_tensorboards(self, parent: str, query: Document) -> Document:
        """Newest first."""
        known = reversed(self.cloud.store.list(KIND, under=f"{parent}/tensorboards"))
        found = [self.get(one["name"]) for one in known if matches(one, query.get("filter"), fields=FILTER_FIELDS)]
        return page(found, key="tensorboards", size=query.get("pageSize"), token=query.get("pageToken"))

    def patch(self, name: str, wanted: Document, mask: list[str]) -> Document:
        self.get(name)
        fields = mask or [field for field in FIELDS if field in wanted]
        wrong = [field for field in fields if field.split(".")[0] not in FIELDS]
        if wrong:
            raise invalid(f"The fields [{', '.join(wrong)}] cannot be updated; these can: {', '.join(FIELDS)}.")
        if "displayName" in fields:
            checked_display_name(wanted)
        changes = {field.split(".")[0]: wanted.get(field.split(".")[0]) for field in fields}
        return self._start("updateTensorboard", name, "UpdateTensorboardOperationMetadata", changes=changes)

    def run_patch(self, running: RunningOperation) -> Document:
        running.stage(name="UPDATING")
        name, changes = running.arguments["name"], running.arguments["changes"]

        def change(document: Document) -> None:
            document.update(changes, updateTime=now())
            for key in [key for key, value in changes.items() if not value]:
                del document[key]

        self.cloud.store.update(name, change)
        return self.get(name)

    def delete(self, name: str) -> Document:
        self.get(name)
        return self._start("deleteTensorboard", name, "DeleteOperationMetadata", response_type=EMPTY)

    def run_delete(self, running: RunningOperation) -> Document:
        running.stage(name="DELETING")
        self.cloud.store.delete(running.arguments["name"])
        return {}

    def _start(
        self, work: str, name: str, metadata: str, *, response_type: str = TYPE, **arguments: Document
    ) -> Document:
        return self.cloud.operations.start(
            work,
            prefix=name,
            arguments={"name": name, **arguments},
            metadata=metadata_of(metadata),
            response_type=response_type,
        )
