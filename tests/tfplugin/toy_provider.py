"""A provider with one resource that does what its configuration says: waits, fails, crashes. For tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfplugin.install import Release
from tfplugin.resource import PluginError, Problem, Stopped
from tfplugin.schema import NUMBER, STRING, Attribute, Block, Body, Schema, list_of

RELEASE = Release(source="flanstack.test/tests/toy", version="0.0.1", module="toy_provider")

HINGE = Block(
    name="hinge",
    body=Body(
        attributes=[
            Attribute(name="metal", type=STRING, required=True, replace=True),
            Attribute(name="screws", type=NUMBER, optional=True, computed=True, default=4),
        ]
    ),
)
LID = Block(
    name="lid",
    max_items=1,
    body=Body(
        attributes=[
            Attribute(name="colour", type=STRING, optional=True),
            Attribute(name="weight", type=NUMBER, computed=True),
        ],
        blocks=[HINGE],
    ),
)
STICKER = Block(
    name="sticker", nesting="set", body=Body(attributes=[Attribute(name="text", type=STRING, required=True)])
)
BOX = Schema(
    body=Body(
        attributes=[
            Attribute(name="id", type=STRING, computed=True),
            Attribute(name="name", type=STRING, required=True, replace=True),
            Attribute(name="behaviour", type=STRING, optional=True),
            Attribute(name="size", type=NUMBER, optional=True, computed=True, default=1),
            Attribute(name="tags", type=list_of(STRING), optional=True),
        ],
        blocks=[LID, STICKER],
    )
)
SCALES = Schema(
    body=Body(
        attributes=[
            Attribute(name="name", type=STRING, required=True),
            Attribute(name="number", type=NUMBER, optional=True, computed=True, default=1),
            Attribute(name="grams", type=NUMBER, computed=True),
        ]
    )
)


@dataclass
class Box:
    type_name: str = "toy_box"
    schema: Schema = field(default=BOX)

    def validate(self, config):
        return []

    def plan(self, context, prior, planned, config):
        return planned

    def create(self, context, planned):
        state = planned | {"id": f"box/{planned['name']}"}
        state["lid"] = [one | {"weight": 7} for one in state["lid"]]
        if planned["behaviour"] == "half":
            raise PluginError("Half a box", "The lid is missing.", path=("name",), state=state)
        if planned["behaviour"] == "crash":
            raise ZeroDivisionError("boxes by zero")
        if planned["behaviour"] == "wait":
            try:
                context.wait(60)
            except Stopped as stopped:
                raise PluginError("Stopped half-way", state=state) from stopped
        return state

    def read(self, context, state):
        return state

    def update(self, context, prior, planned):
        return planned

    def delete(self, context, state):
        pass

    def import_(self, context, identifier):
        return {"id": identifier, "name": identifier.removeprefix("box/"), "size": 1}


@dataclass
class Scales:
    """Weighs what it is named: a letter a gram."""

    type_name: str = "toy_scales"
    schema: Schema = field(default=SCALES)

    def validate(self, config):
        return [Problem("A thing has a name", path=("name",))] if config["name"] == "" else []

    def read(self, context, config):
        if config["name"] == "ghost":
            raise PluginError("Nothing on the scales", "A ghost weighs nothing.", path=("name",))
        return config | {"grams": len(config["name"]) * config["number"]}


class ToyProvider:
    schema = Schema(body=Body(attributes=[Attribute(name="secret", type=STRING, optional=True, sensitive=True)]))

    def resources(self):
        return [Box()]

    def data_sources(self):
        return [Scales()]

    def validate(self, config):
        return []

    def configure(self, config):
        pass


if __name__ == "__main__":
    from tfplugin.runner import serve

    serve(ToyProvider())
