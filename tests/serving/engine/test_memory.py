from dataclasses import replace

import pytest

from serving.engine.memory import DoesNotFit, Room, amount, available_on_cpu, plan, slot_bytes
from serving.t5 import T5Config

XXL = T5Config.from_json(
    {
        "d_model": 4096,
        "d_kv": 64,
        "d_ff": 10240,
        "num_heads": 64,
        "num_layers": 24,
        "vocab_size": 32128,
        "feed_forward_proj": "gated-gelu",
    }
)
ROOM = Room(max_batch_size=16, max_source=512, max_target=128)


def test_xxl_in_bfloat16_has_slots_beside_it_on_a_40_gb_gpu():
    got = plan(XXL, ROOM, available=41_500_000_000, weight_bytes=2, cache_bytes=2)

    assert 22.0e9 < got.weights < 22.9e9
    # 393 KB for each token: keys and values of 24 layers, self and cross apart
    assert got.slot == 640 * 393_216
    assert got.num_slots == 16


def test_xxl_in_float32_is_refused_on_a_40_gb_gpu_with_what_would_help():
    with pytest.raises(DoesNotFit, match=r"weights need 44\.\d GB.*41\.5 GB are available.*QUANTIZE=int8, DTYPE=bfl"):
        plan(XXL, ROOM, available=41_500_000_000, weight_bytes=4, cache_bytes=4)


def test_as_many_slots_as_fit_are_taken_and_the_rest_is_said_to_be_refused():
    got = plan(XXL, ROOM, available=25_500_000_000, weight_bytes=2, cache_bytes=2)

    assert 0 < got.num_slots < 16
    assert got.weights + got.workspace + got.num_slots * got.slot < 25_500_000_000
    assert "MAX_BATCH_SIZE is 16, but only" in got.lines()[1]
    assert f"{got.num_slots} slots" in got.lines()[0]


def test_int8_takes_a_quarter_of_float32():
    small = plan(XXL, ROOM, available=10**12, weight_bytes=1, cache_bytes=4).weights
    large = plan(XXL, ROOM, available=10**12, weight_bytes=4, cache_bytes=4).weights

    assert 3.5 < large / small < 4


def test_a_slot_grows_with_its_tokens():
    longer = Room(max_batch_size=16, max_source=1024, max_target=256)

    assert slot_bytes(XXL, longer, 2) == 2 * slot_bytes(XXL, ROOM, 2)


def test_this_machine_has_memory_and_not_more_than_it_can_have():
    assert 10**7 < available_on_cpu() < 10**14


def test_amounts_read_well():
    assert [amount(2_106_552), amount(22_300_000_000)] == ["2.1 MB", "22.3 GB"]


@pytest.mark.parametrize(
    ("max_beams", "num_engines", "available", "slots"),
    [(8, 1, 40e9, 16), (8, 2, 40e9, 8), (8, 4, 40e9, 8), (3, 4, 40e9, 4), (8, 16, 60e9, 8), (8, 4, 30e9, 5)],
)
def test_each_of_several_engines_has_room_for_the_widest_search_where_the_memory_has(
    max_beams, num_engines, available, slots
):
    room = replace(ROOM, max_beams=max_beams)
    got = plan(XXL, room, available=int(available), weight_bytes=2, cache_bytes=2)

    assert got.slots_each(num_engines) == slots
