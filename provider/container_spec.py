"""The `container_spec` block of a model: its schema, its checks, and Google's `ModelContainerSpec`.

Source: google.cloud.aiplatform.v1.ModelContainerSpec.
"""

from __future__ import annotations

from typing import Any

from provider.api import JsonObject
from tfplugin.resource import Problem
from tfplugin.schema import NUMBER, STRING, Attribute, Block, Body, list_of
from tfplugin.values import State

DEFAULT_PORT = 8080  # Vertex AI's own
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
    for spec in blocks if isinstance(blocks, list) else ():
        image = spec["image_uri"]
        if isinstance(image, str) and "@sha256:" not in image:
            found.append(_problem("image_uri", image, "an image by digest (…@sha256:…); a tag can move unseen"))
        for route in ("predict_route", "health_route"):
            if isinstance(spec[route], str) and not spec[route].startswith("/"):
                found.append(_problem(route, spec[route], "a path that begins with /"))
        for port in spec["ports"] if isinstance(spec["ports"], list) else ():
            if isinstance(port, int) and not 1 <= port <= 65535:
                found.append(_problem("ports", port, "a port from 1 to 65535"))
        for variable in spec["env"] if isinstance(spec["env"], list) else ():
            if isinstance(variable["name"], str) and variable["name"].startswith("AIP_"):
                found.append(
                    _problem("env", variable["name"], "a name that does not begin with AIP_, which Vertex AI sets")
                )
        found += _timeout_problems(spec["deployment_timeout"])
    return found


def _timeout_problems(text: Any) -> list[Problem]:
    if not isinstance(text, str):
        return []
    digits = text.removesuffix("s")
    if text.endswith("s") and digits.isdigit() and 0 < int(digits) <= 7200:
        return []
    return [_problem("deployment_timeout", text, "seconds up to two hours, as 7200s")]


def _problem(name: str, got: Any, allowed: str) -> Problem:
    return Problem(
        f"{name} is not allowed", f"container_spec.{name}: got {got!r}; allowed is {allowed}.", ("container_spec",)
    )


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
