"""Where each kind of resource keeps its policy: the table behind the google_*_iam_member types.

Knows nothing of members.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PolicyMapping:
    """Where one kind of resource keeps its policy.

    parent: the attribute that names the resource, by its full name or by its last part.
    full_name: the name in ids and URLs, from project, location and the parent's last part.
    """

    type_name: str
    endpoint: str
    parent: str
    full_name: str
    get: tuple[str, str]
    set: tuple[str, str] = ("POST", "{name}:setIamPolicy")
    is_wrapped: bool = True


_READ_BY_GET = ("GET", "{name}:getIamPolicy?options.requestedPolicyVersion=3")
_READ_BY_POST = ("POST", "{name}:getIamPolicy")

POLICIES = (
    PolicyMapping(
        type_name="google_project_iam_member",
        endpoint="resource_manager_custom_endpoint",
        parent="project",
        full_name="projects/{leaf}",
        get=_READ_BY_POST,
    ),
    PolicyMapping(
        type_name="google_service_account_iam_member",
        endpoint="iam_custom_endpoint",
        parent="service_account_id",
        full_name="projects/-/serviceAccounts/{leaf}",
        get=_READ_BY_POST,
    ),
    PolicyMapping(
        type_name="google_artifact_registry_repository_iam_member",
        endpoint="artifact_registry_custom_endpoint",
        parent="repository",
        full_name="projects/{project}/locations/{location}/repositories/{leaf}",
        get=_READ_BY_GET,
    ),
    PolicyMapping(
        type_name="google_cloud_run_v2_service_iam_member",
        endpoint="cloud_run_v2_custom_endpoint",
        parent="name",
        full_name="projects/{project}/locations/{location}/services/{leaf}",
        get=_READ_BY_GET,
    ),
    PolicyMapping(
        type_name="google_storage_bucket_iam_member",
        endpoint="storage_custom_endpoint",
        parent="bucket",
        full_name="b/{leaf}",
        get=("GET", "{name}/iam?optionsRequestedPolicyVersion=3"),
        set=("PUT", "{name}/iam"),
        is_wrapped=False,
    ),
)
