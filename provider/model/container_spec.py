"""The `container_spec` block of a model: its schema, its checks, and Google's `ModelContainerSpec`.

Source: google.cloud.aiplatform.v1.ModelContainerSpec.
"""

from __future__ import annotations

import re
from typing import Any

from provider.api import JsonObject
from provider.limits import doubted, number_problems, pair_problems, refused
from tfplugin.planning import Path
from tfplugin.resource import Problem
from tfplugin.schema import NUMBER, STRING, Attribute, Block, Body, list_of
from tfplugin.values import State

DEFAULT_PORT = 8080  # Vertex AI's own
MAX_PORT = 65535
MAX_DEPLOYMENT_S = 7200
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_REPOSITORY = re.compile(r"^(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/")
_VARIABLE = re.compile(r"^[A-Za-z_]\w*$")
PROBES = ("startup_probe", "health_probe", "liveness_probe")


def _optional(name: str, type_: Any, description: str) -> Attribute:
    return Attribute(name=name, type=type_, optional=True, description=description)


def _probe(name: str, description: str) -> Block:
    http_get = Body(
        description="A GET of the container; 200 is success.",
        attributes=[
            _optional("path", STRING, "Path of the request, beginning with `/`."),
            _optional("port", NUMBER, "Port of the container; default the first of `ports`."),
        ],
    )
    command = Body(
        description="A command in the container; an exit status of 0 is success.",
        attributes=[_optional("command", list_of(STRING), "The command and its arguments.")],
    )
    return Block(
        name=name,
        max_items=1,
        body=Body(
            description=description,
            attributes=[
                _optional("period_seconds", NUMBER, "Seconds between two probes; Google's default is 10."),
                _optional("timeout_seconds", NUMBER, "Seconds until a probe counts as failed; Google's default is 1."),
                _optional("failure_threshold", NUMBER, "Failures in a row that count; Google's default is 3."),
                _optional("initial_delay_seconds", NUMBER, "Seconds before the first probe."),
            ],
            blocks=[Block(name="http_get", max_items=1, body=http_get), Block(name="exec", max_items=1, body=command)],
        ),
    )


BLOCK = Block(
    name="container_spec",
    min_items=1,
    max_items=1,
    body=Body(
        description="The serving container. A change of it uploads a new version of the model.",
        attributes=[
            Attribute(
                name="image_uri",
                type=STRING,
                required=True,
                description="Image by digest (`…@sha256:…`): copied at upload, so that a tag moved later is not seen.",
            ),
            _optional("command", list_of(STRING), "Replaces the image's ENTRYPOINT."),
            _optional("args", list_of(STRING), "Replaces the image's CMD."),
            _optional(
                "ports", list_of(NUMBER), "Ports the container listens on; the first gets requests. Default 8080."
            ),
            _optional("predict_route", STRING, "Path that gets predictions, beginning with `/`."),
            _optional("health_route", STRING, "Path that is asked whether the container is ready, beginning with `/`."),
            _optional("deployment_timeout", STRING, "Seconds a deployment may take, as `7200s`; at most two hours."),
            _optional("shared_memory_size_mb", NUMBER, "Size of /dev/shm in MB."),
        ],
        blocks=[
            Block(
                name="env",
                body=Body(
                    description="An environment variable of the container.",
                    attributes=[
                        Attribute(name="name", type=STRING, required=True, description="Name; `AIP_…` is Google's."),
                        Attribute(name="value", type=STRING, required=True, description="Value."),
                    ],
                ),
            ),
            _probe("startup_probe", "Asked until the container has started; health checks wait for it."),
            _probe("health_probe", "Whether the container gets traffic."),
            _probe("liveness_probe", "Whether the container is restarted."),
        ],
    ),
)


def problems(blocks: list[State] | Any) -> list[Problem]:
    """What Google would refuse, hours later."""
    found: list[Problem] = []
    for index, spec in enumerate(blocks if isinstance(blocks, list) else ()):
        at = ("container_spec", index)
        found += _image_problems((*at, "image_uri"), spec["image_uri"])
        for route in ("predict_route", "health_route"):
            if isinstance(spec[route], str) and not spec[route].startswith("/"):
                found.append(refused((*at, route), spec[route], "a path that begins with /"))
        for number, port in enumerate(spec["ports"] if isinstance(spec["ports"], list) else ()):
            found += number_problems((*at, "ports", number), port, least=1, most=MAX_PORT)
        found += number_problems((*at, "shared_memory_size_mb"), spec["shared_memory_size_mb"], least=1)
        found += _timeout_problems((*at, "deployment_timeout"), spec["deployment_timeout"])
        found += _env_problems((*at, "env"), spec["env"])
        for probe in PROBES:
            found += _probe_problems((*at, probe), spec[probe])
    return found


def image_region_problems(blocks: list[State] | Any, location: Any) -> list[Problem]:
    """Whether the image's repository is where the model is to be: Vertex AI pulls from its own region alone."""
    found: list[Problem] = []
    for index, spec in enumerate(blocks if isinstance(blocks, list) else ()):
        image = spec["image_uri"]
        place = _REPOSITORY.match(image) if isinstance(image, str) else None
        if place is not None:
            path = ("container_spec", index, "image_uri")
            found += pair_problems(path, image, place["location"], what="the model's location says", other=location)
    return found


def _image_problems(path: Path, image: Any) -> list[Problem]:
    if not isinstance(image, str) or _DIGEST.search(image):
        return []
    cure = "The image is copied at upload, so a tag that is moved later changes nothing, and no plan shows it."
    return [doubted(path, image, "an image by digest (…@sha256:…) for a deployment that is what it says", cure)]


def _timeout_problems(path: Path, text: Any) -> list[Problem]:
    if not isinstance(text, str):
        return []
    digits = text.removesuffix("s")
    if text.endswith("s") and digits.isdigit() and 0 < int(digits) <= MAX_DEPLOYMENT_S:
        return []
    return [refused(path, text, f"seconds up to two hours, as {MAX_DEPLOYMENT_S}s")]


def _env_problems(path: Path, variables: Any) -> list[Problem]:
    found: list[Problem] = []
    seen: set[str] = set()
    for index, variable in enumerate(variables if isinstance(variables, list) else ()):
        name, at = variable["name"], (*path, index, "name")
        if not isinstance(name, str):
            continue
        if name.startswith("AIP_"):
            found.append(refused(at, name, "a name that does not begin with AIP_, which Vertex AI sets"))
        elif not _VARIABLE.match(name):
            found.append(refused(at, name, "a name of letters, digits and _, not beginning with a digit"))
        elif name in seen:
            found.append(refused(at, name, "each name once", "The last one would win, or the first."))
        seen.add(name)
    return found


def _probe_problems(path: Path, blocks: Any) -> list[Problem]:
    found: list[Problem] = []
    for index, probe in enumerate(blocks if isinstance(blocks, list) else ()):
        at = (*path, index)
        for name in ("period_seconds", "timeout_seconds", "failure_threshold"):
            found += number_problems((*at, name), probe[name], least=1)
        found += number_problems((*at, "initial_delay_seconds"), probe["initial_delay_seconds"], least=0)
        kinds = [kind for kind in ("http_get", "exec") if isinstance(probe[kind], list) and probe[kind]]
        if len(kinds) > 1:
            found.append(refused(at, " and ".join(kinds), "one of http_get and exec"))
        for request in probe["http_get"] if isinstance(probe["http_get"], list) else ():
            where = (*at, "http_get", 0)
            if isinstance(request["path"], str) and not request["path"].startswith("/"):
                found.append(refused((*where, "path"), request["path"], "a path that begins with /"))
            found += number_problems((*where, "port"), request["port"], least=1, most=MAX_PORT)
    return found


def to_api(spec: State) -> JsonObject:
    """Google's ModelContainerSpec; what is not set is left out."""
    body: JsonObject = {"imageUri": spec["image_uri"]}
    names = {"command": "command", "args": "args", "predict_route": "predictRoute", "health_route": "healthRoute"}
    body |= {api: spec[name] for name, api in names.items() if spec[name]}
    if spec["ports"]:
        body["ports"] = [{"containerPort": int(port)} for port in spec["ports"]]
    if spec["env"]:
        body["env"] = [{"name": one["name"], "value": one["value"]} for one in spec["env"]]
    if spec["deployment_timeout"]:
        body["deploymentTimeout"] = spec["deployment_timeout"]
    if spec["shared_memory_size_mb"]:
        body["sharedMemorySizeMb"] = str(int(spec["shared_memory_size_mb"]))
    for probe in PROBES:
        for one in spec[probe] or ():
            body[_camel(probe)] = _probe_to_api(one, spec)
    return body


def _probe_to_api(probe: State, spec: State) -> JsonObject:
    fields = ("period_seconds", "timeout_seconds", "failure_threshold", "initial_delay_seconds")
    body: JsonObject = {_camel(name): int(probe[name]) for name in fields if probe[name] is not None}
    for request in probe["http_get"] or ():
        port = request["port"] or (spec["ports"] or [DEFAULT_PORT])[0]
        body["httpGet"] = {"path": request["path"] or "/", "port": int(port)}
    for command in probe["exec"] or ():
        body["exec"] = {"command": command["command"] or []}
    return body


def from_api(body: JsonObject) -> State:
    """The block's value for a model that was made elsewhere, for an import."""
    state = BLOCK.body.empty()
    state |= {"image_uri": body["imageUri"], "command": body.get("command"), "args": body.get("args")}
    state |= {"predict_route": body.get("predictRoute"), "health_route": body.get("healthRoute")}
    state["ports"] = [int(port["containerPort"]) for port in body.get("ports", [])] or None
    state["env"] = [{"name": one["name"], "value": one.get("value", "")} for one in body.get("env", [])]
    state["deployment_timeout"] = body.get("deploymentTimeout")
    size = body.get("sharedMemorySizeMb")
    state["shared_memory_size_mb"] = int(size) if size else None
    for probe in PROBES:
        if _camel(probe) in body:
            state[probe] = [_probe_from_api(probe, body[_camel(probe)], state["ports"])]
    return state


def _probe_from_api(name: str, body: JsonObject, ports: list[int] | None) -> State:
    block = next(one for one in BLOCK.body.blocks if one.name == name)
    state = block.body.empty()
    for field in ("period_seconds", "timeout_seconds", "failure_threshold", "initial_delay_seconds"):
        state[field] = int(body[_camel(field)]) if _camel(field) in body else None
    if "httpGet" in body:
        port = int(body["httpGet"].get("port", 0)) or None
        default = (ports or [DEFAULT_PORT])[0]
        state["http_get"] = [{"path": body["httpGet"].get("path"), "port": None if port == default else port}]
    if "exec" in body:
        state["exec"] = [{"command": body["exec"].get("command")}]
    return state


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
