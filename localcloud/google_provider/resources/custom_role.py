"""google_project_iam_custom_role.

Source of names, defaults and what forces a new one: the provider's
resource_google_project_iam_custom_role.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.resource import Context, PluginError
from tfplugin.values import State

CUSTOM_ROLE = RestMapping(
    type_name="google_project_iam_custom_role",
    noun="the custom project role",
    endpoint="iam_custom_endpoint",
    collection="projects/{project}/roles",
    self_link="projects/{project}/roles/{role_id}",
    imports=("projects/{project}/roles/{role_id}", "{project}/{role_id}", "{role_id}"),
    update="mask",
    replace=frozenset({"project", "role_id"}),
    defaults={"stage": "GA"},
    in_url=frozenset({"role_id"}),
    renames={"permissions": "includedPermissions"},
)


class CustomRole(RestResource):
    """A deleted role stays for a week; creating it again brings it back."""

    def _insert(self, context: Context, state: State) -> Json:
        api, path, role = self._api(), self._url(self.mapping.self_link, state), self._body(state)
        found = self._get(context, state)
        if found is None:
            body = {"roleId": state["role_id"], "role": role}
            return api.call(context, "POST", self._url(self.mapping.collection, state), body)
        if not found.get("deleted"):
            raise PluginError(f"Custom project role {path} already exists and must be imported")
        api.call(context, "POST", path + ":undelete", {})
        return api.call(context, "PATCH", f"{path}?updateMask={','.join(sorted(role))}", role)

    def _from_api(self, document: Json, prior: State) -> State:
        return {**super()._from_api(document, prior), "deleted": bool(document.get("deleted"))}

    def read(self, context: Context, state: State) -> State | None:
        """A role that was deleted outside is planned anew, which undeletes it."""
        seen = super().read(context, state)
        return None if seen is not None and seen["deleted"] else seen
