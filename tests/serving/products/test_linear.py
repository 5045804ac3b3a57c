"""What the products with weights promise: right numbers, and rows that do not feel each other."""

import math

import pytest
import torch
from torch.nn import functional as F

from serving.products.layouts import lay_out
from serving.products.linear import INT8_ROWS, INT8_WIDTHS, Int8DynamicLinear, Int8WeightLinear, PlainLinear, WideLinear
from serving.products.panels import Int8PanelLinear, PanelLinear, PanelScreen
from serving.products.torch_cpu import Int8Linear, PackedLinear, ScreenedOutput
from tests.serving.team import team
from tests.serving.test_t5 import needs_kernels

FLOAT32 = [PackedLinear, needs_kernels(PanelLinear)]
INT8 = [Int8Linear, Int8DynamicLinear, needs_kernels(Int8PanelLinear)]
SCREENS = [ScreenedOutput, needs_kernels(PanelScreen)]
SHAPES = [(512, 1152), (384, 512), (512, 2048), (1024, 512), (128, 100), (32, 24), (8, 40), (768, 3072), (2048, 768)]


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", FLOAT32 + INT8)
@pytest.mark.parametrize(("num_inputs", "num_outputs"), SHAPES)
def test_a_rows_result_is_the_same_to_the_last_bit_whatever_rows_are_beside_it(kind, num_inputs, num_outputs):
    linear = kind(random(num_outputs, num_inputs) / math.sqrt(num_inputs))
    rows = random(70, num_inputs, seed=1) * torch.logspace(-2, 2, 70)[:, None]
    alone = torch.cat([linear(row) for row in rows.split(1)])

    for count in (2, 3, 7, 16, 31, 64, 70):
        assert torch.equal(linear(rows[:count]), alone[:count])
        assert torch.equal(linear(rows[-count:]), alone[-count:])


@pytest.mark.parametrize("kind", FLOAT32)
@pytest.mark.parametrize(("num_inputs", "num_outputs"), SHAPES)
def test_float32_weights_give_the_product(kind, num_inputs, num_outputs):
    weight, rows = random(num_outputs, num_inputs), random(9, num_inputs, seed=1)

    wanted = rows.double() @ weight.double().T

    assert (kind(weight)(rows) - wanted).abs().max() < 1e-6 * num_inputs


@pytest.mark.parametrize("kind", [*INT8, Int8WeightLinear])
@pytest.mark.parametrize(("num_inputs", "num_outputs"), SHAPES)
def test_int8_weights_give_the_product_within_two_hundredths_of_its_size(kind, num_inputs, num_outputs):
    weight, rows = random(num_outputs, num_inputs), random(64, num_inputs, seed=1)

    wanted = F.linear(rows, weight)

    assert (kind(weight)(rows) - wanted).norm() < 0.02 * wanted.norm()


@pytest.mark.parametrize("kind", [PlainLinear, Int8WeightLinear, *FLOAT32, *INT8])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_not_finite_stays_alone(kind, bad):
    linear = kind(random(48, 32))
    rows = random(5, 32, seed=1)
    wanted = linear(rows)

    rows[2, 7] = bad
    got = linear(rows)

    assert torch.isnan(got[2]).any() or torch.isinf(got[2]).any()
    assert torch.equal(got[[0, 1, 3, 4]], wanted[[0, 1, 3, 4]])


@pytest.mark.parametrize("kind", INT8)
def test_a_row_of_zeros_stays_zero_in_int8(kind):
    assert torch.equal(kind(random(8, 16))(torch.zeros(2, 16)), torch.zeros(2, 8))


def test_float16_products_beyond_its_range_are_computed_in_float32():
    weight, rows = torch.full((2, 64), 100.0).half(), torch.full((1, 64), 100.0).half()

    assert WideLinear(weight)(rows).tolist() == [[640_000.0, 640_000.0]]


@pytest.mark.parametrize("kind", [Int8WeightLinear, Int8DynamicLinear])
def test_int8_weights_do_not_overflow_float16_where_the_weights_they_stand_for_do_not(kind):
    weight, rows = torch.full((2, 64), 0.01).half(), torch.full((1, 64), 300.0).half()

    wanted = F.linear(rows, weight)

    assert kind(weight)(rows).sub(wanted).abs().max() < 0.01 * wanted.max()
    assert kind(100 * weight, is_wide=True)(300 * rows).dtype == torch.float32
    assert kind(100 * weight, is_wide=True)(100 * rows).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", [Int8WeightLinear, Int8DynamicLinear])
def test_int8_beside_16_bits_gives_16_bits_as_near_as_beside_float32(kind, dtype):
    weight, rows = random(48, 64).to(dtype), random(9, 64, seed=1).to(dtype)

    got = kind(weight)(rows)

    assert got.dtype == dtype
    wanted = kind(weight.float())(rows.float())
    assert (got - wanted).norm() < 4 * torch.finfo(dtype).eps * wanted.norm()


@pytest.mark.parametrize("num_rows", [1, 17, INT8_ROWS, 100])
@pytest.mark.parametrize(("num_inputs", "num_outputs"), [(512, 1152), (100, 40), (8, 3)])
def test_a_gpu_is_asked_only_for_int8_products_of_shapes_that_it_takes(monkeypatch, num_rows, num_inputs, num_outputs):
    asked = []
    product = torch._int_mm

    def note(rows, weight):
        asked.append((*rows.shape, weight.shape[1]))
        return product(rows, weight)

    monkeypatch.setattr(torch, "_int_mm", note)

    result = Int8DynamicLinear(random(num_outputs, num_inputs))(random(num_rows, num_inputs, seed=1))

    assert result.shape == (num_rows, num_outputs)
    [(rows, inputs, outputs)] = asked
    assert rows >= INT8_ROWS
    assert inputs % INT8_WIDTHS == outputs % INT8_WIDTHS == 0


def test_each_layout_says_what_it_takes():
    weight = random(64, 32)

    assert lay_out(weight, "packed").num_bytes == lay_out(weight, "plain").num_bytes == 64 * 32 * 4
    assert lay_out(weight, "int8").num_bytes == 64 * 32 + 64 * 4
    assert lay_out(weight.half(), "int8-weights").num_bytes == 64 * 32 + 64 * 2
    assert lay_out(weight.half(), "int8-dynamic").num_bytes == 64 * 32 + 64 * 4


@pytest.mark.parametrize("kind", [needs_kernels(PanelLinear), needs_kernels(Int8PanelLinear)])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_number_of_threads_changes_no_bit(kind, count):
    linear, rows = kind(random(200, 48)), random(9, 48, seed=1)
    wanted = linear(rows)

    with team(count):
        assert all(torch.equal(linear(rows), wanted) for _ in range(50))


@pytest.mark.parametrize("kind", SCREENS)
@pytest.mark.parametrize("num_outputs", [128, 100, 4096])
def test_the_screened_output_gives_the_token_that_float32_gives(kind, num_outputs):
    weight = random(num_outputs, 48) * torch.logspace(-1, 1, num_outputs)[:, None]
    rows = random(300, 48, seed=1) * torch.logspace(-6, 6, 300)[:, None]

    tokens, best = kind(weight).best(rows)

    wanted = F.linear(rows, weight).max(1)
    assert tokens == wanted.indices.tolist()
    assert torch.allclose(torch.tensor(best), wanted.values, rtol=1e-4)


@pytest.mark.parametrize("kind", SCREENS)
def test_the_screened_output_finds_the_winner_among_scores_that_int8_cannot_tell_apart(kind):
    base = random(1, 48)
    weight = base + 1e-4 * random(500, 48, seed=2)
    rows = random(200, 48, seed=1)

    tokens, _ = kind(weight).best(rows)

    scores = rows.double() @ weight.double().T
    lost = scores.max(1).values - scores[torch.arange(200), torch.tensor(tokens)]
    assert (lost < 1e-5).all()  # as near as float32 tells them apart; the scores are 48 numbers' sums of about 7


@pytest.mark.parametrize("kind", SCREENS)
def test_of_equal_scores_the_screened_output_takes_the_first(kind):
    weight = random(4, 16).repeat(50, 1)
    rows = random(20, 16, seed=1)

    tokens, _ = kind(weight).best(rows)

    assert tokens == [token % 4 for token in tokens]


@pytest.mark.parametrize("kind", SCREENS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_row_that_is_not_finite_gets_a_score_that_is_not_and_leaves_the_others(kind, bad):
    output = kind(random(200, 32))
    rows = random(5, 32, seed=1)
    wanted_tokens, wanted_best = output.best(rows)

    rows[3, 0] = bad
    tokens, best = output.best(rows)

    assert not math.isfinite(best[3])
    assert [*tokens[:3], tokens[4]] == [*wanted_tokens[:3], wanted_tokens[4]]
    assert [*best[:3], best[4]] == [*wanted_best[:3], wanted_best[4]]


@pytest.mark.parametrize("kind", SCREENS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_give_no_row_a_finite_score(kind, bad):
    weight = random(200, 32)
    weight[70, 3] = bad

    _, best = kind(weight).best(random(5, 32, seed=1))

    assert not any(map(math.isfinite, best))
