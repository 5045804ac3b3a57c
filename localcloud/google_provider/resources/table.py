"""Every resource type that this provider stands in for. One added here needs no other change."""

from __future__ import annotations

from collections.abc import Callable

from localcloud.google_provider.catalog import Catalog
from localcloud.google_provider.mapping import RestMapping
from localcloud.google_provider.resources import (
    artifact_registry,
    cloud_build,
    cloud_run,
    custom_role,
    iam_member,
    policies,
    project_service,
    service_account,
    storage,
    vertex_endpoint,
    vertex_tensorboard,
)
from localcloud.google_provider.rest_resource import RestResource
from localcloud.google_provider.settings import Settings
from tfplugin.resource import Resource

REST: tuple[tuple[RestMapping, type[RestResource]], ...] = (
    (artifact_registry.REPOSITORY, artifact_registry.Repository),
    (cloud_build.CONNECTION, RestResource),
    (cloud_build.REPOSITORY, cloud_build.Repository),
    (cloud_build.TRIGGER, cloud_build.Trigger),
    (cloud_run.SERVICE, cloud_run.Service),
    (custom_role.CUSTOM_ROLE, custom_role.CustomRole),
    (project_service.PROJECT_SERVICE, project_service.ProjectService),
    (service_account.SERVICE_ACCOUNT, service_account.ServiceAccount),
    (storage.BUCKET, storage.Bucket),
    (vertex_endpoint.ENDPOINT, vertex_endpoint.Endpoint),
    (vertex_tensorboard.TENSORBOARD, vertex_tensorboard.Tensorboard),
)


def type_names() -> list[str]:
    return sorted([*(mapping.type_name for mapping, _ in REST), *(one.type_name for one in policies.POLICIES)])


def resources(catalog: Catalog, settings: Callable[[], Settings]) -> list[Resource]:
    return [
        *(kind(mapping, catalog, settings) for mapping, kind in REST),
        *(iam_member.IamMember(one, catalog, settings) for one in policies.POLICIES),
    ]
