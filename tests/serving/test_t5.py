"""Our T5 against transformers' own, weight for weight."""

import json
import random

import pytest
import torch
from transformers import MT5Config, MT5ForConditionalGeneration, T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from serving import t5
from serving.checkpoint.t5_folder import Lacking, build_t5
from serving.native.library import kernels
from tests.serving.forcing import forced_log_probs

SIZES = {"vocab_size": 120, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
KINDS = {
    "first generation, shared output": (T5Config, T5ForConditionalGeneration, {}),
    "Flan-T5": (
        T5Config,
        T5ForConditionalGeneration,
        {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "more decoder layers than encoder layers": (T5Config, T5ForConditionalGeneration, {"num_decoder_layers": 3}),
    "gated silu": (T5Config, T5ForConditionalGeneration, {"feed_forward_proj": "gated-silu"}),
    "mT5": (MT5Config, MT5ForConditionalGeneration, {"feed_forward_proj": "gated-gelu"}),
}


def needs_kernels(layout):
    """A parameter that is left out on a machine without the kernels."""
    return pytest.param(layout, marks=pytest.mark.skipif(kernels() is None, reason="no kernels on this machine"))


def make(kind, *, own_output=False, seed=0, layout="packed"):
    """transformers' random model, and ours over the same numbers."""
    config_class, model_class, options = KINDS[kind]
    torch.manual_seed(seed)
    config = config_class(**SIZES | options, decoder_start_token_id=0)
    reference = model_class(config).eval()
    tensors = {name: tensor for name, tensor in reference.state_dict().items() if "embed_tokens" not in name}
    if own_output:
        reference.lm_head.weight = torch.nn.Parameter(torch.randn(120, 32))
        tensors["lm_head.weight"] = reference.lm_head.weight.data
    else:
        del tensors["lm_head.weight"]
    return reference, ours(json.loads(config.to_json_string()), tensors, layout=layout)


def ours(config, tensors, *, layout="packed", device="cpu"):
    return build_t5(
        t5.T5Config.from_json(config),
        tensors.__getitem__,
        tensors.__contains__,
        dtype=torch.float32,
        device=torch.device(device),
        layout=layout,
    )


def some_tokens(count, *, seed=0):
    return random.Random(seed).choices(range(2, 120), k=count)


@pytest.mark.parametrize("layout", ["packed", needs_kernels("panels")])
@pytest.mark.parametrize("own_output", [False, True], ids=["shared output layer", "own output layer"])
@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_equal_transformers(kind, own_output, layout):
    reference, model = make(kind, own_output=own_output, layout=layout)
    prompts = [some_tokens(count, seed=count) for count in (1, 7, 40, 150)]
    answers = [[0, *some_tokens(139, seed=seed)] for seed in range(4)]

    got = forced_log_probs(model, prompts, answers)

    with torch.inference_mode():
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            scores = reference(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([answer])).logits[0]
            assert (got[row] - scores.log_softmax(-1)).abs().max() < 2e-5


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_row_computes_does_not_depend_on_its_neighbours_to_the_last_bit(kind):
    _, model = make(kind)
    prompts = [some_tokens(count, seed=count) for count in (3, 33, 64, 90, 5)]
    answers = [[0, *some_tokens(69, seed=seed)] for seed in range(5)]

    together = forced_log_probs(model, prompts, answers)

    for row in range(5):
        alone = forced_log_probs(model, prompts[row : row + 1], answers[row : row + 1])
        assert torch.equal(alone[0], together[row])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (16, 64), (32, 20)])
def test_buckets_equal_transformers_at_every_distance(bidirectional, num_buckets, max_distance):
    distances = torch.arange(-2000, 2001 if bidirectional else 1)

    got = t5.relative_position_bucket(
        distances, num_buckets=num_buckets, max_distance=max_distance, bidirectional=bidirectional
    )

    wanted = T5Attention._relative_position_bucket(distances, bidirectional, num_buckets, max_distance)
    assert torch.equal(got, wanted)


@pytest.mark.parametrize(
    ("config", "is_scaled"),
    [
        ({}, True),
        ({"tie_word_embeddings": True}, True),
        ({"tie_word_embeddings": False}, False),
        ({"tie_word_embeddings": True, "scale_decoder_outputs": False}, False),
        ({"tie_word_embeddings": False, "scale_decoder_outputs": True}, True),
        ({"model_type": "mt5"}, False),
    ],
)
def test_outputs_are_scaled_where_transformers_scales_them(config, is_scaled):
    assert t5.T5Config.from_json(SIZES | config).scale_outputs is is_scaled
    if "model_type" not in config:
        assert T5Config(**SIZES | config).scale_decoder_outputs is is_scaled


def test_an_unknown_feed_forward_is_refused_with_those_known():
    with pytest.raises(t5.UnsupportedModel, match="feed_forward_proj is 'gated-mish'; known are relu, gelu"):
        t5.T5Config.from_json(SIZES | {"feed_forward_proj": "gated-mish"})


def test_a_tensor_of_another_shape_is_refused_by_name():
    reference, _ = make("Flan-T5")
    tensors = dict(reference.state_dict())
    tensors["encoder.block.1.layer.0.SelfAttention.k.weight"] = torch.zeros(3, 32)

    with pytest.raises(
        Lacking, match=r"block\.1\..*k\.weight has shape \[3, 32\] and config\.json asks for \[32, 32\]"
    ):
        ours(json.loads(reference.config.to_json_string()), tensors)


def test_the_number_of_weights_is_known_from_the_config_alone():
    for kind in KINDS:
        reference, model = make(kind)
        matrices = sum(
            tensor.numel()
            for name, tensor in reference.state_dict().items()
            if tensor.dim() == 2 and "relative" not in name and "embed" not in name and "shared" not in name
        )
        assert model.config.num_matrix_weights == matrices
