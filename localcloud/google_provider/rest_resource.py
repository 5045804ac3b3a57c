"""A resource of the provider, worked by its row of the table: plan, create, read, update, delete, import.

A resource that differs overrides the step where it does. Knows nothing of gRPC or of any one API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from localcloud.google_provider import combinations, labels
from localcloud.google_provider.catalog import Catalog
from localcloud.google_provider.document import Json, from_api, settle, to_api
from localcloud.google_provider.mapping import RestMapping
from localcloud.google_provider.rest import Api, ApiFailure, OperationFailed, OperationTimeout, Unreachable, quoted
from localcloud.google_provider.settings import Settings
from localcloud.google_provider.suppression import suppress
from tfplugin.planning import only_computed
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.values import UNKNOWN, State, is_known, known_or_null

# Output that changes with every update; its next value is not known when planning one.
VOLATILE = frozenset({
    "conditions", "etag", "generation", "last_modifier", "latest_created_revision", "latest_ready_revision",
    "observed_generation", "reconciling", "terminal_condition", "traffic_statuses", "update_time", "updated",
})  # fmt: skip


class RestResource:
    """One resource type. settings: looked up at each call, for Terraform configures the provider late."""

    def __init__(self, mapping: RestMapping, catalog: Catalog, settings: Callable[[], Settings]) -> None:
        self.mapping = mapping
        self.type_name = mapping.type_name
        self.schema = catalog.resource(mapping.type_name, defaults=mapping.defaults, replace=mapping.replace)
        self._values = catalog.values(mapping.type_name)
        self._settings = settings

    def validate(self, config: State) -> Sequence[Problem]:
        return [
            *combinations.configured_output(self.schema.body, config),
            *combinations.wrong_values(self.schema.body, config, self._values),
            *combinations.wrong_combinations(self.mapping, config),
        ]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        self._plan_place(prior, planned, config)
        if prior is not None:
            planned = suppress(self.schema.body, self.mapping.same, prior, planned)
        if self.mapping.has_labels:
            labels.plan_labels(self._settings(), prior, planned)
        if self.mapping.has_annotations:
            labels.plan_annotations(prior, planned)
        if prior is not None and planned != prior:
            for attribute in self.schema.body.attributes:
                if attribute.name in VOLATILE and only_computed(attribute):
                    planned[attribute.name] = UNKNOWN
        return planned

    def _plan_place(self, prior: State | None, planned: State, config: State) -> None:
        """Fills project and location from the provider's configuration, as a plan shows them."""
        settings = self._settings()
        for name, value in (("project", settings.project), ("location", settings.region)):
            if name in planned and config.get(name) is None and planned[name] is UNKNOWN and value:
                planned[name] = value

    def create(self, context: Context, planned: State) -> State:
        state = known_or_null(planned)
        self._require_place(state)
        with self._explained(context, "creating", planned, is_create=True):
            reply = self._insert(context, state)
            observed = self._observed(context, state, reply)
        return self._settled(planned, observed)

    def _insert(self, context: Context, state: State) -> Json:
        """Creates the resource and returns it, or what the API answers instead."""
        api, path = self._api(), self._url(self.mapping.collection, state)
        if self.mapping.id_query:
            path += "?" + self._url(self.mapping.id_query, state)
        reply = api.call(context, "POST", path, self._body(state))
        return api.finished(context, reply, timeout_s=self._timeout(state, "create"))

    def _observed(self, context: Context, state: State, reply: Json) -> State:
        """The state as the API shows it right after a create or an update."""
        state["id"] = self._identity(state)
        found = self._get(context, state)
        if found is None:
            raise ApiFailure(404, f"{state['id']} is gone right after it was written")
        return self._from_api(found, state)

    def read(self, context: Context, state: State) -> State | None:
        with self._explained(context, "reading", state):
            found = self._get(context, state)
            return None if found is None else self._from_api(found, state)

    def _get(self, context: Context, state: State) -> Json | None:
        try:
            return self._api().call(context, "GET", self._url(self.mapping.self_link, state))
        except ApiFailure as failure:
            if failure.code == 404:
                return None
            raise

    def update(self, context: Context, prior: State, planned: State) -> State:
        state = known_or_null(planned)
        with self._explained(context, "updating", prior):
            reply = self._patch(context, prior, state)
            observed = self._observed(context, state, reply)
        return self._settled(planned, observed)

    def _patch(self, context: Context, prior: State, state: State) -> Json:
        before, after = self._body(prior), self._body(state)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        if not changed:  # only attributes that no API has
            return {}
        api, path = self._api(), self._url(self.mapping.self_link, state)
        if self.mapping.update == "mask":
            after = {name: after[name] for name in changed if name in after}
            path += "?updateMask=" + ",".join(changed)
        reply = api.call(context, "PATCH", path, after)
        return api.finished(context, reply, timeout_s=self._timeout(state, "update"))

    def delete(self, context: Context, state: State) -> None:
        with self._explained(context, "deleting", state):
            try:
                self._remove(context, state)
            except ApiFailure as failure:
                if failure.code != 404:
                    raise

    def _remove(self, context: Context, state: State) -> None:
        api = self._api()
        reply = api.call(context, "DELETE", self._url(self.mapping.self_link, state))
        api.finished(context, reply, timeout_s=self._timeout(state, "delete"))

    def import_(self, context: Context, identifier: str) -> State:
        state = self.schema.body.empty()
        settings = self._settings()
        for name, value in (("project", settings.project), ("location", settings.region)):
            if name in state:
                state[name] = value or None
        formats = self.mapping.imports or (self.mapping.self_link,)
        matches = (re.fullmatch(_pattern(one), identifier) for one in formats)
        found = next((match for match in matches if match), None)
        if found is None:
            wanted = ", ".join(one.replace("{", "{{").replace("}", "}}") for one in formats)
            raise PluginError(f"Import id {identifier!r} doesn't match any of the accepted formats", wanted)
        state |= found.groupdict()
        state |= {path: value for path, value in self.mapping.defaults.items() if path in self.mapping.local}
        state["id"] = self._identity(state)
        return state

    # What a resource with an API of its own overrides.

    def _body(self, state: State) -> Json:
        document = to_api(self.mapping, self.schema.body, state)
        for name, present in (("labels", self.mapping.has_labels), ("annotations", self.mapping.has_annotations)):
            if present:
                document.pop(name, None)
                effective = state.get(f"effective_{name}")
                document |= {name: effective} if effective else {}
        return document

    def _from_api(self, document: Json, prior: State) -> State:
        state = from_api(self.mapping, self.schema.body, document, prior)
        if self.mapping.has_labels:
            labels.observe(state, prior, "labels", document.get("labels"))
        if self.mapping.has_annotations:
            labels.observe(state, prior, "annotations", document.get("annotations"))
        return state

    def _identity(self, state: State) -> str:
        return self.mapping.id_format.format_map(state)

    # What they share.

    def _api(self) -> Api:
        return Api.of(self._settings(), self.mapping.endpoint)

    def _url(self, template: str, state: State) -> str:
        return quoted(template.format_map(state))

    def _settled(self, planned: State, observed: State) -> State:
        return settle(self.schema.body, planned, observed)

    def _timeout(self, state: State, action: str) -> float:
        text = (state.get("timeouts") or {}).get(action)
        return self.mapping.timeout_s if text is None else seconds(text)

    def _require_place(self, state: State) -> None:
        for name in ("project", "location"):
            if name in state and state[name] is None and f"{{{name}}}" in self.mapping.self_link:
                provider_name = "region" if name == "location" else name
                raise PluginError(
                    f"{name}: required field is not set",
                    f"Set {name} on {self.type_name}, or {provider_name} in the provider block.",
                )

    @contextmanager
    def _explained(self, context: Context, verb: str, state: State, *, is_create: bool = False) -> Iterator[None]:
        """Turns what an API does wrong into the real provider's words, and keeps what Terraform must keep."""
        try:
            yield
        except ApiFailure as failure:
            raise PluginError(f"Error {verb} {self.mapping.noun}: {failure}", self._named(state)) from failure
        except Unreachable as lost:
            raise PluginError(f"Error {verb} {self.mapping.noun}: no answer from the API", str(lost)) from lost
        except (OperationFailed, OperationTimeout) as failure:
            kept = self._partial(state) if is_create and self._keeps(failure) else None
            summary = f"Error waiting to {verb.removesuffix('ing')}e {self.mapping.noun}"
            raise PluginError(f"{summary}: {failure}", self._named(state), state=kept) from failure
        except Stopped as stopped:
            kept = self._partial(state) if is_create else None
            raise PluginError(f"Stopped while {verb} {self.mapping.noun}", self._named(state), state=kept) from stopped

    def _keeps(self, failure: Exception) -> bool:
        return self.mapping.taint_on_failed_create or isinstance(failure, OperationTimeout)

    def _partial(self, state: State) -> State | None:
        """What is known of a resource whose create did not end well; None when not even its name is."""
        known = dict(known_or_null(state))
        try:
            known["id"] = self._identity(known)
        except KeyError:
            return None
        return None if "None" in known["id"].split("/") else known

    def _named(self, state: State) -> str:
        known = state.get("id") if is_known(state.get("id")) else None
        return f"{self.type_name} {known}" if known else self.type_name


def seconds(text: str) -> float:
    """Go's duration: `90m`, `1h30m`, `20s`. PluginError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise PluginError(f"{text!r} is no duration", 'Write hours, minutes and seconds, such as "1h30m".')
    return sum(float(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


def _pattern(template: str) -> str:
    """`projects/{project}/x/{name}` as a regular expression with those groups."""
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))


def at(document: Any, *names: str) -> Any:
    """A value deep inside a JSON document, None when a step is missing."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document
