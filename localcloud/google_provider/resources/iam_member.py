"""google_*_iam_member: one member of one role, in the policy of a project, bucket, account or service.

A policy is read, changed and written back under its etag, and again when somebody was faster.
Source of ids and import formats: the provider's tpgiamresource/resource_iam_member.go, 6.50.0.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from localcloud.google_provider.catalog import Catalog
from localcloud.google_provider.combinations import configured_output
from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import same_last_segment
from localcloud.google_provider.resources.policies import PolicyMapping
from localcloud.google_provider.rest import Api, ApiFailure, Unreachable, quoted
from localcloud.google_provider.settings import Settings
from localcloud.google_provider.suppression import suppress
from tfplugin.resource import Context, PluginError, Problem
from tfplugin.values import UNKNOWN, State

CONFLICT_RETRIES = 10
# Terraform creates many members at once; without this they would outrun each other's etags.
_ONE_WRITER = threading.Lock()


class IamMember:
    """One member of one role. Every attribute forces a new one."""

    def __init__(self, mapping: PolicyMapping, catalog: Catalog, settings: Callable[[], Settings]) -> None:
        self.mapping = mapping
        self.type_name = mapping.type_name
        places = {"project", "location"} & set(catalog.document["resources"][mapping.type_name]["attributes"])
        replace = frozenset({mapping.parent, "role", "member", "condition", *places})
        self.schema = catalog.resource(mapping.type_name, defaults={}, replace=replace)
        self._same = {mapping.parent: same_last_segment}
        self._settings = settings

    def validate(self, config: State) -> Sequence[Problem]:
        problems = list(configured_output(self.schema.body, config))
        member = config.get("member")
        if isinstance(member, str) and member not in ("allUsers", "allAuthenticatedUsers") and ":" not in member:
            detail = (
                f"It is {member!r}; write its kind first, such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com."
            )
            problems.append(
                Problem("invalid value for member (IAM members must have a type prefix)", detail, ("member",))
            )
        return problems

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        for name, value in self._place(planned).items():
            if planned.get(name) is UNKNOWN and value:
                planned[name] = value
        return planned if prior is None else suppress(self.schema.body, self._same, prior, planned)

    def _place(self, state: State) -> dict[str, str]:
        """Project and location from the parent's full name, else from the provider."""
        parent = state.get(self.mapping.parent)
        if parent is UNKNOWN:
            return {}
        found = re.match(r"projects/([^/]+)(?:/locations/([^/]+))?/", str(parent))
        settings = self._settings()
        if found is None:
            return {"project": settings.project, "location": settings.region}
        return {"project": found.group(1), "location": found.group(2) or ""}

    def create(self, context: Context, planned: State) -> State:
        state = {**planned, **{name: one for name, one in self._place(planned).items() if planned.get(name) is UNKNOWN}}
        binding = _binding(state)

        def add(bindings: list[Json]) -> None:
            found = _find(bindings, binding)
            if found is None:
                bindings.append({**binding, "members": [state["member"]]})
            elif state["member"] not in found["members"]:
                found["members"].append(state["member"])

        policy = self._change(context, state, add)
        return {**state, "etag": policy.get("etag"), "id": self._identity(state)}

    def read(self, context: Context, state: State) -> State | None:
        try:
            policy = self._read_policy(context, state)
        except ApiFailure as failure:
            if failure.code == 404:
                return None
            raise self._explained("retrieving", state, failure) from failure
        except Unreachable as lost:
            raise self._explained("retrieving", state, lost) from lost
        found = _find(policy.get("bindings", []), _binding(state))
        if found is None or state["member"] not in found.get("members", []):
            return None
        return {**state, "etag": policy.get("etag"), "id": self._identity(state)}

    def update(self, context: Context, prior: State, planned: State) -> State:
        raise PluginError(f"{self.type_name} cannot be updated", "Each of its attributes forces a new one.")

    def delete(self, context: Context, state: State) -> None:
        binding = _binding(state)

        def remove(bindings: list[Json]) -> None:
            found = _find(bindings, binding)
            if found is not None and state["member"] in found["members"]:
                found["members"].remove(state["member"])
                if not found["members"]:
                    bindings.remove(found)

        try:
            self._change(context, state, remove)
        except PluginError as error:
            if not (isinstance(error.__cause__, ApiFailure) and error.__cause__.code == 404):
                raise

    def import_(self, context: Context, identifier: str) -> State:
        parts = identifier.split(" ", 3)
        if len(parts) < 3:
            raise PluginError(
                f"Wrong number of parts to Member id {identifier!r}",
                "Expected 'resource_name role member [condition_title]'.",
            )
        state = self.schema.body.empty() | {self.mapping.parent: parts[0], "role": parts[1], "member": parts[2]}
        for name, value in self._place(state).items():
            if name in state and name != self.mapping.parent:
                state[name] = value
        if len(parts) == 4:
            state["condition"] = [self._condition(context, state, parts[3])]
        state["id"] = self._identity(state)
        return state

    def _condition(self, context: Context, state: State, title: str) -> State:
        for one in self._read_policy(context, state).get("bindings", []):
            if one["role"] == state["role"] and one.get("condition", {}).get("title") == title:
                return {name: one["condition"].get(name) for name in ("title", "description", "expression")}
        raise PluginError(f"No binding of {state['role']} has a condition titled {title!r}")

    def _change(self, context: Context, state: State, edit: Callable[[list[Json]], None]) -> Json:
        """Reads, edits and writes the policy, again when its etag was outdated. Returns the new policy."""
        with _ONE_WRITER:
            return self._change_alone(context, state, edit)

    def _change_alone(self, context: Context, state: State, edit: Callable[[list[Json]], None]) -> Json:
        method, path = self.mapping.set
        try:
            for attempt in range(CONFLICT_RETRIES):
                policy = self._read_policy(context, state)
                bindings = policy.setdefault("bindings", [])
                edit(bindings)
                policy["version"] = 3 if any("condition" in one for one in bindings) else policy.get("version", 1)
                body = {"policy": policy} if self.mapping.is_wrapped else policy
                try:
                    return self._api().call(context, method, self._url(path, state), body)
                except ApiFailure as failure:
                    if failure.code not in (409, 412) or attempt == CONFLICT_RETRIES - 1:
                        raise
                context.wait(0.05 * (attempt + 1))
        except (ApiFailure, Unreachable) as failure:
            raise self._explained("setting", state, failure) from failure
        raise PluginError(f"Error setting IAM policy for {self._name(state)}: {CONFLICT_RETRIES} writers were faster")

    def _read_policy(self, context: Context, state: State) -> Json:
        method, path = self.mapping.get
        body = {"options": {"requestedPolicyVersion": 3}} if method == "POST" else None
        return self._api().call(context, method, self._url(path, state), body)

    def _api(self) -> Api:
        return Api.of(self._settings(), self.mapping.endpoint)

    def _url(self, template: str, state: State) -> str:
        name, _, query = template.format(name=self._name(state)).partition("?")
        return quoted(name) + ("?" + query if query else "")

    def _name(self, state: State) -> str:
        """The resource's full name; what the user wrote when that is one already."""
        parent = str(state[self.mapping.parent])
        if parent.startswith("projects/") and self.mapping.parent != "project":
            return parent
        return self.mapping.full_name.format_map({**state, "leaf": parent.rpartition("/")[2]})

    def _identity(self, state: State) -> str:
        name = self._name(state)
        if self.mapping.parent == "project":
            name = name.removeprefix("projects/")
        title = [one["title"] for one in state.get("condition") or []]
        return "/".join([name, state["role"], state["member"], *title])

    def _explained(self, verb: str, state: State, failure: Exception) -> PluginError:
        detail = f"{self.type_name} of {state['member']} in {state['role']}"
        return PluginError(f"Error {verb} IAM policy for {self._name(state)}: {failure}", detail)


def _binding(state: State) -> Json:
    """The role and condition that a policy's binding must have, without its members."""
    binding: Json = {"role": state["role"]}
    for one in state.get("condition") or []:
        binding["condition"] = {name: value for name, value in one.items() if value}
    return binding


def _find(bindings: list[Json], wanted: Json) -> Any:
    return next(
        (one for one in bindings if one["role"] == wanted["role"] and one.get("condition") == wanted.get("condition")),
        None,
    )
