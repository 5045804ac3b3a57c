"""google_storage_bucket.

The API nests what Terraform keeps flat: access under `iamConfiguration`, rules under `lifecycle`.
Source of names, defaults and what forces a new one: the provider's resource_storage_bucket.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping, camel, same_case
from localcloud.google_provider.rest import quoted
from localcloud.google_provider.rest_resource import RestResource, at
from tfplugin.resource import Context, PluginError
from tfplugin.values import State

_SENT_IF_ZERO = ("age", "days_since_custom_time", "days_since_noncurrent_time", "num_newer_versions")

BUCKET = RestMapping(
    type_name="google_storage_bucket",
    noun="Bucket",
    endpoint="storage_custom_endpoint",
    collection="b",
    self_link="b/{name}",
    identity="{name}",
    imports=("{project}/{name}", "{name}"),
    update="mask",
    replace=frozenset(
        {
            "custom_placement_config.data_locations",
            "enable_object_retention",
            "hierarchical_namespace",
            "location",
            "name",
            "project",
        }
    ),
    defaults={
        "force_destroy": False,
        "storage_class": "STANDARD",
        "retention_policy.is_locked": False,
        "soft_delete_policy.retention_duration_seconds": 604800,
    },
    local=frozenset(
        {
            "force_destroy",
            "url",
            "requester_pays",
            "uniform_bucket_level_access",
            "public_access_prevention",
            "enable_object_retention",
            *(f"lifecycle_rule.condition.send_{name}_if_zero" for name in _SENT_IF_ZERO),
        }
    ),
    computed_blocks=frozenset({"soft_delete_policy", "versioning", "website"}),
    same={"location": same_case},
    has_labels=True,
)

_STATES = {"LIVE": True, "ARCHIVED": False}


class Bucket(RestResource):
    """Refuses to delete objects unless `force_destroy` was applied."""

    def _body(self, state: State) -> Json:
        document = super()._body(state)
        rules = document.pop("lifecycleRule", [])
        if rules:
            written = [_rule(rule, block) for rule, block in zip(rules, state["lifecycle_rule"], strict=True)]
            document["lifecycle"] = {"rule": written}
        access: Json = {}
        if state.get("uniform_bucket_level_access") is not None:
            access["uniformBucketLevelAccess"] = {"enabled": state["uniform_bucket_level_access"]}
        if state.get("public_access_prevention") is not None:
            access["publicAccessPrevention"] = state["public_access_prevention"]
        document |= {"iamConfiguration": access} if access else {}
        if state.get("requester_pays") is not None:
            document["billing"] = {"requesterPays": state["requester_pays"]}
        return document

    def _insert(self, context: Context, state: State) -> Json:
        path = "b?" + self._url("project={project}", state)
        if state.get("enable_object_retention"):
            path += "&enableObjectRetention=true"
        return self._api().call(context, "POST", path, self._body(state))

    def _patch(self, context: Context, prior: State, state: State) -> Json:
        """Storage has no update mask: a field that is null in the body is cleared."""
        before, after = self._body(prior), self._body(state)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        if not changed:
            return {}
        body = {name: after.get(name) for name in sorted(changed)}
        if isinstance(body.get("labels"), dict):  # labels are merged, so a removed one is sent as null
            gone = dict.fromkeys(before.get("labels", {}).keys() - after["labels"].keys())
            body["labels"] = {**after["labels"], **gone}
        return self._api().call(context, "PATCH", self._url("b/{name}", state), body)

    def _from_api(self, document: Json, prior: State) -> State:
        rules = [_flat_rule(rule) for rule in at(document, "lifecycle", "rule") or []]
        state = super()._from_api({**document, "lifecycleRule": rules}, prior)
        state["url"] = f"gs://{document['name']}"
        uniform = at(document, "iamConfiguration", "uniformBucketLevelAccess", "enabled")
        state["uniform_bucket_level_access"] = bool(uniform)
        prevention = at(document, "iamConfiguration", "publicAccessPrevention")
        state["public_access_prevention"] = prevention or prior.get("public_access_prevention") or "inherited"
        if at(document, "billing", "requesterPays") is not None:
            state["requester_pays"] = document["billing"]["requesterPays"]
        return state

    def _remove(self, context: Context, state: State) -> None:
        api, bucket = self._api(), self._url("b/{name}", state)
        while items := api.call(context, "GET", f"{bucket}/o?versions=true").get("items"):
            if not state.get("force_destroy"):
                raise PluginError(
                    f"Error trying to delete bucket {state['name']} without `force_destroy` set to true",
                    f"It holds {len(items)} objects or more, such as {items[0]['name']}.",
                )
            for item in items:
                generation = f"?generation={item['generation']}" if "generation" in item else ""
                api.call(context, "DELETE", f"{bucket}/o/{quoted(item['name']).replace('/', '%2F')}{generation}")
        api.call(context, "DELETE", bucket)


def _rule(rule: Json, block: State) -> Json:
    """One rule as the API has it. A zero counts only where `send_…_if_zero` says so."""
    wrote = block["condition"][0]
    condition = {name: one for name, one in rule.get("condition", {}).items() if name != "withState"}
    for name in _SENT_IF_ZERO:
        if condition.get(camel(name)) == 0 and not wrote.get(f"send_{name}_if_zero"):
            del condition[camel(name)]
    if wrote.get("with_state") in _STATES:
        condition["isLive"] = _STATES[wrote["with_state"]]
    return {**rule, "condition": condition}


def _flat_rule(rule: Json) -> Json:
    condition = dict(rule.get("condition", {}))
    is_live = condition.pop("isLive", None)
    condition["withState"] = "ANY" if is_live is None else "LIVE" if is_live else "ARCHIVED"
    return {**rule, "condition": condition}
