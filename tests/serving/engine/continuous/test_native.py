"""Our own kernels against the same computation in PyTorch: encoder layers and decoder steps."""

import os
import random

import pytest
import torch

from serving.engine.continuous import native
from serving.engine.continuous.caches import Caches
from serving.engine.continuous.encoding import EncoderRun, Pace
from serving.engine.continuous.native import NativeEncoder, NativeSteps
from serving.engine.continuous.steps import EagerSteps
from serving.native.library import kernels
from serving.t5 import rounded
from tests.serving.team import team
from tests.serving.test_t5 import KINDS, make, some_tokens

pytestmark = pytest.mark.skipif(kernels() is None, reason="no kernels on this machine")
PROMPTS = [some_tokens(count, seed=count) for count in (1, 16, 17, 40, 130)]


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


def encoded(encoder, prompts):
    run = EncoderRun([], list(map(len, prompts)), encoder.embed(torch.tensor([id_ for p in prompts for id_ in p])))
    assert run.advance(encoder, Pace(), seconds=None)
    return run


def filled(model, run, *, dtype=None):
    caches = Caches(
        num_slots=len(run.lengths),
        num_layers=model.config.num_decoder_layers,
        heads=(model.config.num_heads, model.config.d_kv),
        max_source=rounded(max(run.lengths), model.config.d_kv),
        max_target=64,
        dtype=dtype or model.cache_dtype,
        device=model.device,
    )
    for slot, (begin, end) in enumerate(run.spans()):
        caches.open(slot, end - begin)
        for layer, keys_values in enumerate(run.keys_values):
            caches.fill(layer, slot, keys_values[:, begin:end])
    return caches


def states(steps, lengths, *, num_steps=50):
    """Of every step; row i joins i steps late, so rows stand at positions of their own."""
    chance, found = random.Random(3), []
    for number in range(num_steps):
        positions = [max(0, number - row) for row in range(len(lengths))]
        tokens = [chance.randrange(2, 120) for _ in lengths]
        found.append(steps.run(tokens, positions, lengths).clone())
    return torch.stack(found)


@pytest.mark.parametrize("layout", ["panels", "int8-panels"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_gives_what_pytorch_gives(kind, layout):
    _, model = make(kind, layout=layout)

    got, wanted = encoded(NativeEncoder(model), PROMPTS), encoded(model, PROMPTS)

    for mine, theirs in zip(got.keys_values, wanted.keys_values, strict=True):
        # in int8 the last bit of a float32 sum decides now and then to which whole number it is rounded
        assert (mine - theirs).norm() < (1e-5 if layout == "panels" else 3e-3) * theirs.norm()


@pytest.mark.parametrize("kind", KINDS)
def test_decoder_steps_give_what_pytorch_gives(kind):
    _, model = make(kind, layout="panels")
    run = encoded(model, PROMPTS)

    got = states(NativeSteps(model, filled(model, run)), run.lengths)

    wanted = states(EagerSteps(model, filled(model, run)), run.lengths)
    assert (got - wanted).abs().max() < 2e-5 * wanted.abs().max()


def test_keys_and_values_in_half_precision_change_little():
    _, model = make("Flan-T5", layout="panels")
    run = encoded(model, PROMPTS)

    got = states(NativeSteps(model, filled(model, run, dtype=torch.float16)), run.lengths)

    wanted = states(NativeSteps(model, filled(model, run)), run.lengths)
    assert 0 < (got - wanted).norm() < 2e-3 * wanted.norm()


@pytest.mark.parametrize("layout", ["panels", "int8-panels"])
@pytest.mark.parametrize("count", [2, 3])
def test_the_number_of_threads_changes_no_bit(layout, count):
    _, model = make("Flan-T5", layout=layout)
    encoder = NativeEncoder(model)
    alone = encoded(encoder, PROMPTS)
    wanted = states(NativeSteps(model, filled(model, alone)), alone.lengths)

    with team(count):
        shared = encoded(encoder, PROMPTS)
        got = states(NativeSteps(model, filled(model, shared)), shared.lengths)

    assert all(map(torch.equal, shared.keys_values, alone.keys_values))
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("layout", ["panels", "int8-panels"])
def test_a_prompts_encoding_does_not_depend_on_the_prompts_beside_it_to_the_last_bit(layout):
    _, model = make("Flan-T5", layout=layout)
    encoder = NativeEncoder(model)
    together = encoded(encoder, PROMPTS)

    for (begin, end), prompt in zip(together.spans(), PROMPTS, strict=True):
        alone = encoded(encoder, [prompt])
        for one, all_of_them in zip(alone.keys_values, together.keys_values, strict=True):
            assert torch.equal(one, all_of_them[:, begin:end])


def test_a_fork_computes_with_threads_of_its_own():
    _, model = make("Flan-T5", layout="panels")
    with team(2):
        encoder = NativeEncoder(model)
        wanted = encoded(encoder, PROMPTS).keys_values

        pid = os.fork()
        if pid == 0:
            is_equal = all(map(torch.equal, encoded(encoder, PROMPTS).keys_values, wanted))
            os._exit(0 if is_equal else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_model_in_another_layout_is_not_for_the_kernels():
    _, model = make("Flan-T5", layout="packed")

    assert not native.can_run(model)
    with pytest.raises(ValueError, match="PackedLinear is not laid out for the kernels"):
        NativeEncoder(model)
