"""google_project_service: an API that is enabled in a project.

Source of names, defaults and what forces a new one: the provider's resource_google_project_service.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.resource import Context
from tfplugin.values import State

PROJECT_SERVICE = RestMapping(
    type_name="google_project_service",
    noun="Project Service",
    endpoint="service_usage_custom_endpoint",
    collection="projects/{project}/services",
    self_link="projects/{project}/services/{service}",
    identity="{project}/{service}",
    imports=("{project}/{service}",),
    replace=frozenset({"project", "service"}),
    defaults={"disable_on_destroy": True},
    in_url=frozenset({"service"}),
    local=frozenset({"disable_dependent_services", "disable_on_destroy"}),
)


class ProjectService(RestResource):
    """Enabled is existing; destroying disables it, unless `disable_on_destroy = false`."""

    def _insert(self, context: Context, state: State) -> Json:
        api = self._api()
        reply = api.call(context, "POST", self._url(self.mapping.self_link, state) + ":enable", {})
        return api.finished(context, reply, timeout_s=self._timeout(state, "create"))

    def _get(self, context: Context, state: State) -> Json | None:
        found = super()._get(context, state)
        return found if found is not None and found.get("state") == "ENABLED" else None

    def _remove(self, context: Context, state: State) -> None:
        if state.get("disable_on_destroy") is False:
            return
        api, body = self._api(), {"disableDependentServices": bool(state.get("disable_dependent_services"))}
        reply = api.call(context, "POST", self._url(self.mapping.self_link, state) + ":disable", body)
        api.finished(context, reply, timeout_s=self._timeout(state, "delete"))

    def _patch(self, context: Context, prior: State, state: State) -> Json:
        return {}  # what can be updated is Terraform's alone
