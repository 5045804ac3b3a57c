"""google_cloudbuild_trigger, google_cloudbuildv2_connection and google_cloudbuildv2_repository.

Source of names, defaults and what forces a new one: the provider's resource_cloudbuild_trigger.go,
resource_cloudbuildv2_connection.go and resource_cloudbuildv2_repository.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping, same_last_segment
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.resource import Context
from tfplugin.values import UNKNOWN, State

_EVENTS = (
    "trigger_template", "github", "bitbucket_server_trigger_config", "pubsub_config", "webhook_config",
    "source_to_build", "repository_event_config",
)  # fmt: skip

TRIGGER = RestMapping(
    type_name="google_cloudbuild_trigger",
    noun="Trigger",
    endpoint="cloud_build_custom_endpoint",
    collection="projects/{project}/locations/{location}/triggers",
    self_link="projects/{project}/locations/{location}/triggers/{trigger_id}",
    imports=(
        "projects/{project}/locations/{location}/triggers/{trigger_id}",
        "projects/{project}/triggers/{trigger_id}",
    ),
    update="whole",
    replace=frozenset({"location", "project"}),
    defaults={
        "location": "global",
        "build.timeout": "600s",
        "approval_config.approval_required": False,
        "trigger_template.repo_name": "default",
    },
    in_url=frozenset({"location"}),
    renames={"trigger_id": "id", "build.step": "steps", "build.secret": "secrets",
             "pubsub_config.service_account_email": "service_account_email"},
    computed_blocks=frozenset({"approval_config"}),
    exactly_one_of=(("build", "filename", "git_file_source"),),
    at_least_one_of=(_EVENTS,),
)  # fmt: skip


class Trigger(RestResource):
    """Its id is the server's own."""

    def _observed(self, context: Context, state: State, reply: Json) -> State:
        state["trigger_id"] = reply.get("id") or state["trigger_id"]
        return super()._observed(context, state, reply)

    def import_(self, context: Context, identifier: str) -> State:
        state = super().import_(context, identifier)
        if "/locations/" not in identifier:
            state["location"] = "global"
            state["id"] = self._identity(state)
        return state


_CONNECTION_HOSTS = (
    "github_config", "github_enterprise_config", "gitlab_config", "bitbucket_cloud_config",
    "bitbucket_data_center_config",
)  # fmt: skip

CONNECTION = RestMapping(
    type_name="google_cloudbuildv2_connection",
    noun="Connection",
    endpoint="cloudbuildv2_custom_endpoint",
    collection="projects/{project}/locations/{location}/connections",
    self_link="projects/{project}/locations/{location}/connections/{name}",
    id_query="connectionId={name}",
    imports=(
        "projects/{project}/locations/{location}/connections/{name}",
        "{project}/{location}/{name}",
        "{location}/{name}",
    ),
    update="mask",
    replace=frozenset(
        {
            "location",
            "name",
            "project",
            "bitbucket_cloud_config.webhook_secret_secret_version",
            "bitbucket_data_center_config.webhook_secret_secret_version",
            "gitlab_config.webhook_secret_secret_version",
        }
    ),
    in_url=frozenset({"location", "name"}),
    has_annotations=True,
    conflicts=tuple(
        (one, other) for index, one in enumerate(_CONNECTION_HOSTS) for other in _CONNECTION_HOSTS[index + 1 :]
    ),
)

REPOSITORY = RestMapping(
    type_name="google_cloudbuildv2_repository",
    noun="Repository",
    endpoint="cloudbuildv2_custom_endpoint",
    collection="projects/{project}/locations/{location}/connections/{parent_connection}/repositories",
    self_link="projects/{project}/locations/{location}/connections/{parent_connection}/repositories/{name}",
    id_query="repositoryId={name}",
    imports=(
        "projects/{project}/locations/{location}/connections/{parent_connection}/repositories/{name}",
        "{project}/{location}/{parent_connection}/{name}",
        "{location}/{parent_connection}/{name}",
    ),
    replace=frozenset(
        {"annotations", "effective_annotations", "location", "name", "parent_connection", "project", "remote_uri"}
    ),
    in_url=frozenset({"location", "name", "parent_connection"}),
    same={"parent_connection": same_last_segment},
    has_annotations=True,
)


class Repository(RestResource):
    """`parent_connection` may be a connection's full name; then project and location come from it."""

    def _plan_place(self, prior: State | None, planned: State, config: State) -> None:
        parent = planned.get("parent_connection")
        parts = parent.split("/") if isinstance(parent, str) else []
        if len(parts) == 6:
            for name, value in (("project", parts[1]), ("location", parts[3])):
                if config.get(name) is None and planned[name] is UNKNOWN:
                    planned[name] = value
        elif parent is not UNKNOWN:
            super()._plan_place(prior, planned, config)

    def _url(self, template: str, state: State) -> str:
        return super()._url(template, _short(state))

    def _identity(self, state: State) -> str:
        return super()._identity(_short(state))

    def create(self, context: Context, planned: State) -> State:
        parts = planned["parent_connection"].split("/")
        place = {"project": parts[1], "location": parts[3]} if len(parts) == 6 else {}
        known = {name: value for name, value in place.items() if planned[name] is UNKNOWN}
        return super().create(context, {**planned, **known})


def _short(state: State) -> State:
    return {**state, "parent_connection": str(state["parent_connection"]).rpartition("/")[2]}
