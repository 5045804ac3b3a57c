"""A model's state to and from Google's document. Source: google.cloud.aiplatform.v1.Model.

Knows names and fields; makes no call.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from provider.api import JsonObject
from provider.model import container_spec
from provider.model.aliases import alias_of, aliases_of
from tfplugin.values import State

# Fields of the model itself, not of a version, and what Google calls them.
PATCHED = {"display_name": "displayName", "description": "description", "labels": "labels"}


def names_of(planned: State, name: str) -> State:
    """A model's names out of its own or its operation's, with the project spelled as the configuration does.

    Nothing when the name tells no model.
    """
    model_id = name.partition("/models/")[2].partition("/")[0]
    if not model_id:
        return {}
    full = name_of(planned | {"model_id": model_id})
    return {"id": full, "name": full, "model_id": model_id}


def without_version(state: State, left: set[str]) -> State:
    """The state of a model whose newest version is gone: no container, so that a plan uploads it again."""
    version = max(left, key=int)
    return state | {
        "container_spec": [],
        "versions": sorted(left, key=int),
        "version_id": version,
        "version_name": f"{state['id']}@{version}",
    }


def patch_of(prior: State, planned: State) -> JsonObject:
    """What differs of the model itself, in Google's words; an empty value clears."""
    return {
        api: planned[name] or ({} if name == "labels" else "")
        for name, api in PATCHED.items()
        if (prior[name] or None) != (planned[name] or None)
    }


def name_of(planned: State) -> str:
    return f"projects/{planned['project']}/locations/{planned['location']}/models/{planned['model_id']}"


def derived_model_id(display_name: str) -> str:
    """An id that depends on the name alone: its letters and digits, and eight more that tell similar ones apart."""
    letters = re.sub(r"[^a-z0-9]+", "-", display_name.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(display_name.encode()).hexdigest()[:8]
    return f"m-{letters}-{digest}" if letters else f"m-{digest}"


def request_alias(planned: State, before: str | None) -> str:
    """An alias that the planned version has and no other: an apply finds by it what a killed one uploaded.

    before: the version that it follows, None for a first one; so a return to an older container is another request.
    """
    request = [container_spec.to_api(planned["container_spec"][0]), planned["artifact_uri"] or None, before]
    return alias_of(request)


def twin_of(planned: State, versions: Sequence[JsonObject], alias: str, *, known: Sequence[str]) -> JsonObject | None:
    """The planned version, if it is among these: by its request's alias.

    Without one, what was uploaded otherwise and is the same in container and artifact, as far as Google shows them.
    known: ids of versions that the state has, none of which is such a one.
    """
    for one in versions:
        if alias in one.get("versionAliases", []):
            return one
    wanted = (container_spec.to_api(planned["container_spec"][0]), planned["artifact_uri"] or None)
    twins = [
        one
        for one in versions
        if "containerSpec" in one
        and str(one["versionId"]) not in known
        and (container_spec.to_api(container_spec.from_api(one["containerSpec"])), one.get("artifactUri")) == wanted
    ]
    return max(twins, key=lambda one: int(one["versionId"]), default=None)


def to_api(planned: State, *, alias: str, is_version: bool) -> JsonObject:
    """alias: the request's. is_version: the model has its labels and description already.

    The labels of an upload are the version's then, and the model's when it is the first.
    """
    body: JsonObject = {
        "displayName": planned["display_name"],
        "containerSpec": container_spec.to_api(planned["container_spec"][0]),
        "versionAliases": [*(planned["version_aliases"] or ()), alias],
    }
    names = {
        "version_description": "versionDescription",
        "artifact_uri": "artifactUri",
    }
    names |= {"version_labels": "labels"} if is_version else {"description": "description", "labels": "labels"}
    return body | {api: planned[name] for name, api in names.items() if planned[name]}


def seen(found: JsonObject, state: State) -> State:
    """The state with what Google shows now. An absent field equals an empty one."""
    seen = dict(state)
    texts = {"display_name": "displayName", "description": "description", "version_description": "versionDescription"}
    for name, api in texts.items():
        seen[name] = found.get(api) or (state[name] if not state[name] else None)
    of_version = version_labels_of(found, state)
    of_model = {key: value for key, value in found.get("labels", {}).items() if key not in of_version}
    for name, labels in (("labels", of_model), ("version_labels", of_version)):
        seen[name] = labels or (state[name] if not state[name] else None)
    aliases = [alias for alias in aliases_of(found) if alias != "default"]
    held = state["version_aliases"] or []
    wanted = [alias for alias in held if alias in aliases or alias == "default"]
    extra = sorted(set(aliases) - set(held))
    seen["version_aliases"] = [*wanted, *extra] or (state["version_aliases"] if not held else None)
    version = str(found.get("versionId", state["version_id"]))
    seen |= {"version_id": version, "version_name": f"{state['id']}@{version}"}
    return seen | _made_anew(found, state)


def version_labels_of(found: JsonObject, state: State) -> dict[str, str]:
    """The labels of a version that the state knows as its own: Google shows them mixed with the model's."""
    return {key: value for key, value in found.get("labels", {}).items() if key in (state["version_labels"] or {})}


def _made_anew(found: JsonObject, state: State) -> State:
    """When it was made; and what it is, if that is not when the state's was: a version never changes, but its number
    may be another's, once the model was deleted and uploaded again."""
    time = found.get("versionCreateTime") or found.get("createTime") or state["create_time"]
    if state["create_time"] in (None, time):
        return {"create_time": time}
    spec = [container_spec.from_api(found["containerSpec"])] if "containerSpec" in found else []
    return {"create_time": time, "container_spec": spec, "artifact_uri": found.get("artifactUri") or None}
