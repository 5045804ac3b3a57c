import pytest

from tfplugin.schema import STRING, Attribute, Body, Schema, list_of, map_of, timeouts


@pytest.mark.parametrize("flags", [{}, {"required": True, "optional": True}, {"required": True, "computed": True}])
def test_an_attribute_is_either_required_or_not(flags):
    with pytest.raises(ValueError, match="attribute a must be required, or optional"):
        Attribute(name="a", type=STRING, **flags)


def test_only_what_a_user_may_leave_out_has_a_default():
    with pytest.raises(ValueError, match="attribute a has a default"):
        Attribute(name="a", type=STRING, optional=True, default="x")


def test_types_are_written_as_terraform_reads_them():
    attribute = Attribute(name="a", type=list_of(map_of(STRING)), required=True)

    assert attribute.to_pb().type == b'["list", ["map", "string"]]'


def test_the_timeouts_block_tells_its_defaults():
    block = Schema(body=Body(blocks=[timeouts(create="2h")])).to_pb().block.block_types[0]

    assert block.type_name == "timeouts"
    assert "default `2h`" in block.block.attributes[0].description
