"""google_service_account.

Source of names, defaults and what forces a new one: the provider's resource_google_service_account.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping
from localcloud.google_provider.rest import ApiFailure
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.resource import Context, PluginError
from tfplugin.values import UNKNOWN, State

SERVICE_ACCOUNT = RestMapping(
    type_name="google_service_account",
    noun="service account",
    endpoint="iam_custom_endpoint",
    collection="projects/{project}/serviceAccounts",
    self_link="projects/{project}/serviceAccounts/{email}",
    imports=("projects/{project}/serviceAccounts/{email}", "{project}/{email}", "{email}"),
    update="mask",
    replace=frozenset({"account_id", "project"}),
    defaults={"disabled": False},
    in_url=frozenset({"account_id"}),
    local=frozenset({"create_ignore_already_exists"}),
)


class ServiceAccount(RestResource):
    """Its e-mail address follows from its id, so plans show it before it exists."""

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        planned = super().plan(context, prior, planned, config)
        account, project = planned["account_id"], planned["project"]
        if planned["email"] is UNKNOWN and isinstance(account, str) and isinstance(project, str):
            planned["email"] = _email(account, project)
            planned["member"] = f"serviceAccount:{planned['email']}"
        return planned

    def _insert(self, context: Context, state: State) -> Json:
        state["email"] = _email(state["account_id"], state["project"])
        account = self._body(state)
        is_disabled = account.pop("disabled", False)
        api, body = self._api(), {"accountId": state["account_id"], "serviceAccount": account}
        try:
            api.call(context, "POST", self._url(self.mapping.collection, state), body)
        except ApiFailure as failure:
            if failure.code != 409 or not state.get("create_ignore_already_exists"):
                raise
        if is_disabled:
            api.call(context, "POST", self._url(self.mapping.self_link, state) + ":disable", {})
        return {}

    def _patch(self, context: Context, prior: State, state: State) -> Json:
        """Disabling is a call of its own; the rest is a patch whose body names its mask."""
        api, path = self._api(), self._url(self.mapping.self_link, state)
        if prior.get("disabled") != state.get("disabled"):
            api.call(context, "POST", f"{path}:{'disable' if state['disabled'] else 'enable'}", {})
        changed = [name for name in ("description", "display_name") if prior.get(name) != state.get(name)]
        if changed:
            account = {self.mapping.api_name(name): state.get(name) or "" for name in changed}
            api.call(context, "PATCH", path, {"serviceAccount": account, "updateMask": ",".join(changed)})
        return {}

    def _from_api(self, document: Json, prior: State) -> State:
        state = super()._from_api(document, prior)
        state["account_id"] = document["email"].partition("@")[0]
        state["project"] = document.get("projectId") or prior["project"]
        state["member"] = f"serviceAccount:{document['email']}"
        return state

    def import_(self, context: Context, identifier: str) -> State:
        email = identifier.rpartition("/")[2]
        if "@" not in email:
            raise PluginError(
                f"Import id {identifier!r} names no service account",
                "Give its e-mail address, such as projects/P/serviceAccounts/NAME@P.iam.gserviceaccount.com.",
            )
        return super().import_(context, identifier)


def _email(account_id: str, project: str) -> str:
    """A domain-scoped project `example.com:id` writes its address the other way round."""
    domain, _, name = project.rpartition(":")
    return f"{account_id}@{name}.{domain + '.' if domain else ''}iam.gserviceaccount.com"
