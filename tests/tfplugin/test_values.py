import copy

import msgpack
import pytest
from tf.gen import tfplugin_pb2 as pb

from tfplugin.values import UNKNOWN, decode, encode, is_known, known_or_null, number

VALUE = {"text": "é", "number": 1.5, "big": 2**40, "flag": False, "none": None, "list": [{"deep": UNKNOWN}], "map": {}}


def test_a_value_survives_the_wire_with_its_unknowns():
    assert decode(encode(VALUE)) == VALUE
    assert decode(encode(VALUE))["list"][0]["deep"] is UNKNOWN


def test_a_null_and_a_missing_value_are_none():
    assert decode(encode(None)) is None
    assert decode(pb.DynamicValue()) is None


def test_an_unknown_with_refinements_is_unknown():
    refined = msgpack.packb({"a": msgpack.ExtType(12, b"\x82\x01\xc2")})

    assert decode(pb.DynamicValue(msgpack=refined)) == {"a": UNKNOWN}


def test_an_extension_nobody_knows_is_refused_by_number():
    with pytest.raises(ValueError, match="msgpack extension 5"):
        decode(pb.DynamicValue(msgpack=msgpack.packb(msgpack.ExtType(5, b""))))


def test_what_is_no_terraform_value_is_refused_by_type():
    with pytest.raises(TypeError, match="set is no Terraform value"):
        encode({"a": {1, 2}})


def test_an_unknown_is_one_and_has_no_truth():
    assert copy.deepcopy(UNKNOWN) is copy.copy(UNKNOWN) is UNKNOWN
    with pytest.raises(TypeError, match="no truth"):
        bool(UNKNOWN)


def test_known_means_known_all_through():
    assert not is_known(VALUE)
    assert is_known(known_or_null(VALUE))
    assert known_or_null(VALUE)["list"] == [{"deep": None}]


def test_a_number_that_no_double_holds_is_reckoned_with_and_goes_back_as_it_came():
    sent = encode({"rate": "0.01"})

    assert number(decode(sent)["rate"]) == 0.01
    assert encode(decode(sent)) == sent
    assert [number(value) for value in (None, 3, 0.5)] == [None, 3, 0.5]
