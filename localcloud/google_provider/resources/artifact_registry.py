"""google_artifact_registry_repository.

Source of names, defaults and what forces a new one: the provider's resource_artifact_registry_repository.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping, same_case, same_duration
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.values import State

REPOSITORY = RestMapping(
    type_name="google_artifact_registry_repository",
    noun="Repository",
    endpoint="artifact_registry_custom_endpoint",
    collection="projects/{project}/locations/{location}/repositories",
    self_link="projects/{project}/locations/{location}/repositories/{repository_id}",
    id_query="repositoryId={repository_id}",
    imports=(
        "projects/{project}/locations/{location}/repositories/{repository_id}",
        "{project}/{location}/{repository_id}",
        "{location}/{repository_id}",
        "{repository_id}",
    ),
    update="mask",
    replace=frozenset(
        {
            "format",
            "kms_key_name",
            "location",
            "mode",
            "project",
            "remote_repository_config",
            "repository_id",
            "maven_config.allow_snapshot_overwrites",
            "maven_config.version_policy",
        }
    ),
    defaults={
        "mode": "STANDARD_REPOSITORY",
        "cleanup_policies.condition.tag_state": "ANY",
        "maven_config.version_policy": "VERSION_POLICY_UNSPECIFIED",
        "remote_repository_config.docker_repository.public_repository": "DOCKER_HUB",
        "remote_repository_config.maven_repository.public_repository": "MAVEN_CENTRAL",
        "remote_repository_config.npm_repository.public_repository": "NPMJS",
        "remote_repository_config.python_repository.public_repository": "PYPI",
    },
    in_url=frozenset({"location", "repository_id"}),
    local=frozenset({"remote_repository_config.disable_upstream_validation"}),
    keyed={"cleanup_policies": "id"},
    computed_blocks=frozenset({"vulnerability_scanning_config"}),
    same={
        "format": same_case,
        "cleanup_policies.condition.older_than": same_duration,
        "cleanup_policies.condition.newer_than": same_duration,
    },
    has_labels=True,
    conflicts=(("remote_repository_config", "virtual_repository_config"),),
)


class Repository(RestResource):
    """`name` is the short name here, though the API's is the full one."""

    def _from_api(self, document: Json, prior: State) -> State:
        return {**super()._from_api(document, prior), "name": document["name"].rpartition("/")[2]}
