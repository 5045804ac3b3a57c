# ruff: noqa: N803, N815 (shape-suffixed tensor names)
"""T5, Flan-T5 and mT5 for inference: the encoder in slices of layers, the decoder one token at a time.

Knows tensors; knows no files, no requests, no sampling, no HTTP. The products with weights are `products`' matter,
the caches' memory is the engine's.

Nothing here mixes rows: what a row computes does not depend on its neighbours, to the last bit where the products
keep that promise (`products.torch_cpu`, `products.panels`; attention runs over key lengths rounded up to
`KEY_STEP`, and what lies behind a row's own keys adds exact zeros).

Architecture: Raffel et al. 2020 (arXiv:1910.10683); the gated feed-forward: Shazeer 2020 (arXiv:2002.05202).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.nn import functional as F

from serving.products.linear import Linear, Screen

# B rows of the batch, N tokens of several prompts one after another, S source tokens, T decoder tokens so far,
# H heads, D head width, M d_model, F d_ff, V vocabulary.

KEY_STEP = 32
MASKED = -math.inf

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": functools.partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model's numbers come from.

    get: a tensor of one's own by its name in the checkpoint; `has` says whether it is there. linear: the product with
    the named weights [out, in], one under the other. dtype: what products give; cache_dtype: of keys and values.
    screen: of the output layer's weights, for `T5.best`; None where that is not to be had.
    """

    get: Callable[[str], torch.Tensor]
    has: Callable[[str], bool]
    linear: Callable[[list[str]], Linear]
    dtype: torch.dtype
    cache_dtype: torch.dtype
    screen: Callable[[torch.Tensor], Screen] | None = None


class UnsupportedModel(ValueError):
    """config.json describes something that this file does not compute."""


@dataclass(frozen=True, slots=True)
class T5Config:
    """Sizes and switches, named as in config.json. `scale_outputs` is explained in `from_json`."""

    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_layers: int
    num_decoder_layers: int
    vocab_size: int
    activation: str
    is_gated: bool
    scale_outputs: bool
    num_buckets: int = 32
    max_distance: int = 128
    epsilon: float = 1e-6
    start_id: int = 0

    @property
    def d_attention(self) -> int:
        return self.num_heads * self.d_kv

    @property
    def num_matrix_weights(self) -> int:
        """Numbers in the products with weights: all of the model but the embedding, the norms and the biases."""
        attention = 4 * self.d_model * self.d_attention
        feed_forward = (3 if self.is_gated else 2) * self.d_model * self.d_ff
        encoder = self.num_layers * (attention + feed_forward)
        decoder = self.num_decoder_layers * (2 * attention + feed_forward)
        return encoder + decoder + self.vocab_size * self.d_model

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> T5Config:
        """Raises `UnsupportedModel`.

        `tie_word_embeddings` does not say whether a T5 shares its output layer (the weights do, by holding
        `lm_head.weight` or not): it says whether the decoder's outputs are scaled by d_model**-0.5. The first T5
        scales, T5 1.1 and Flan-T5 do not, and mT5 never does. transformers 5 writes `scale_decoder_outputs` for it.
        """
        projection = str(config.get("feed_forward_proj", "relu"))
        gate, _, name = projection.rpartition("-")
        # transformers reads "gated-gelu" as the tanh approximation, for the checkpoints that say so
        activation = {"gated-gelu": "gelu_new", "gated-swish": "silu", "swish": "silu"}.get(projection, name)
        if gate not in ("", "gated") or activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise UnsupportedModel(f"feed_forward_proj is {projection!r}; known are {known}, each also as gated-…")
        ties = config.get("tie_word_embeddings") is not False
        return cls(
            d_model=int(config["d_model"]),
            d_kv=int(config["d_kv"]),
            d_ff=int(config["d_ff"]),
            num_heads=int(config["num_heads"]),
            num_layers=int(config["num_layers"]),
            num_decoder_layers=int(config.get("num_decoder_layers") or config["num_layers"]),
            vocab_size=int(config["vocab_size"]),
            activation=activation,
            is_gated=gate == "gated",
            scale_outputs=config.get("model_type") != "mt5" and bool(config.get("scale_decoder_outputs", ties)),
            num_buckets=int(config.get("relative_attention_num_buckets", 32)),
            max_distance=int(config.get("relative_attention_max_distance", 128)),
            epsilon=float(config.get("layer_norm_epsilon", 1e-6)),
            start_id=int(config.get("decoder_start_token_id") or config.get("pad_token_id") or 0),
        )


class Norm:
    """Root-mean-square normalisation. Takes float32, gives what the weights that follow are in."""

    def __init__(self, weights: Weights, name: str, epsilon: float) -> None:
        self.weight_M = weights.get(name)
        self._shape = self.weight_M.shape
        self._epsilon = epsilon
        self._dtype = weights.dtype
        # |x| / sqrt(M) is the root of the mean square; hypot puts epsilon under that root
        self._scaled_M = self.weight_M * math.sqrt(len(self.weight_M))
        self._floor = torch.tensor(math.sqrt(epsilon * len(self.weight_M)))

    def __call__(self, x_NM: torch.Tensor) -> torch.Tensor:
        if x_NM.is_cuda:
            return F.rms_norm(x_NM, self._shape, self.weight_M, self._epsilon).to(self._dtype)
        # four small operations where PyTorch's own takes eight on a CPU
        size_N1 = torch.linalg.vector_norm(x_NM, dim=-1, keepdim=True).hypot_(self._floor)
        normed_NM = torch.div(x_NM, size_N1).mul_(self._scaled_M)
        return normed_NM if self._dtype == torch.float32 else normed_NM.to(self._dtype)


class FeedForward:
    """norm, up (with its gate beside it), activation, down; the result is added to `x_NM` in place."""

    def __init__(self, config: T5Config, weights: Weights, name: str) -> None:
        inner = f"{name}.DenseReluDense"
        ups = ("wi_0", "wi_1") if config.is_gated else ("wi",)
        self.norm = Norm(weights, f"{name}.layer_norm.weight", config.epsilon)
        self.up = weights.linear([f"{inner}.{up}.weight" for up in ups])
        self.down = weights.linear([f"{inner}.wo.weight"])
        self._activation = ACTIVATIONS[config.activation]
        self._is_gated = config.is_gated
        self._d_ff = config.d_ff

    def __call__(self, x_NM: torch.Tensor) -> torch.Tensor:
        up = self.up(self.norm(x_NM))
        active = self._activation(up[:, : self._d_ff])
        if self._is_gated:
            active = active.mul_(up[:, self._d_ff :])
        return x_NM.add_(self.down(active))


class EncoderLayer:
    def __init__(self, config: T5Config, weights: Weights, name: str) -> None:
        self._heads = (config.num_heads, config.d_kv)
        self.norm = Norm(weights, f"{name}.layer.0.layer_norm.weight", config.epsilon)
        self.qkv = weights.linear([f"{name}.layer.0.SelfAttention.{part}.weight" for part in "qkv"])
        self.out = weights.linear([f"{name}.layer.0.SelfAttention.o.weight"])
        self.feed_forward = FeedForward(config, weights, f"{name}.layer.1")

    def __call__(self, x_NM: torch.Tensor, lengths: list[int], biases_1HSS: list[torch.Tensor]) -> torch.Tensor:
        """lengths: tokens of each prompt, N in all. biases_1HSS: one for each prompt."""
        qkv_N3HD = self.qkv(self.norm(x_NM)).view(-1, 3, *self._heads)
        seen = torch.empty_like(qkv_N3HD[:, 0])
        begin = 0
        for length, bias_1HSS in zip(lengths, biases_1HSS, strict=True):
            end = begin + length
            q_1HSD, k_1HSD, v_1HSD = qkv_N3HD[begin:end].permute(1, 2, 0, 3).unsqueeze(1).unbind()
            seen_1HSD = F.scaled_dot_product_attention(q_1HSD, k_1HSD, v_1HSD, attn_mask=bias_1HSS, scale=1.0)
            seen[begin:end] = seen_1HSD[0].transpose(0, 1)
            begin = end
        x_NM.add_(self.out(seen.flatten(1)))
        return self.feed_forward(x_NM)


class DecoderLayer:
    def __init__(self, config: T5Config, weights: Weights, name: str) -> None:
        self._heads = (config.num_heads, config.d_kv)
        self.self_norm = Norm(weights, f"{name}.layer.0.layer_norm.weight", config.epsilon)
        self.qkv = weights.linear([f"{name}.layer.0.SelfAttention.{part}.weight" for part in "qkv"])
        self.self_out = weights.linear([f"{name}.layer.0.SelfAttention.o.weight"])
        self.cross_norm = Norm(weights, f"{name}.layer.1.layer_norm.weight", config.epsilon)
        self.cross_q = weights.linear([f"{name}.layer.1.EncDecAttention.q.weight"])
        self._cross_kv = weights.linear([f"{name}.layer.1.EncDecAttention.{part}.weight" for part in "kv"])
        self.cross_out = weights.linear([f"{name}.layer.1.EncDecAttention.o.weight"])
        self.feed_forward = FeedForward(config, weights, f"{name}.layer.2")

    def source(self, states_NM: torch.Tensor) -> torch.Tensor:
        """What the decoder's tokens will look at in the prompt: keys and values, [2, N, H, D]."""
        return self._cross_kv(states_NM).view(-1, 2, *self._heads).transpose(0, 1)

    def __call__(self, x_BM: torch.Tensor, view: View, index: int) -> torch.Tensor:
        num_rows = x_BM.shape[0]
        qkv_B3HD = self.qkv(self.self_norm(x_BM)).view(num_rows, 3, *self._heads)
        keys_BHTD, values_BHTD = view.write(index, qkv_B3HD[:, 1:])
        seen_BHD = _attend(qkv_B3HD[:, 0], keys_BHTD, values_BHTD, view.self_bias_BH1T)
        x_BM.add_(self.self_out(seen_BHD))
        q_BHD = self.cross_q(self.cross_norm(x_BM)).view(num_rows, *self._heads)
        keys_BHSD, values_BHSD = view.source(index)
        seen_BHD = _attend(q_BHD, keys_BHSD, values_BHSD, view.source_mask_BH1S)
        x_BM.add_(self.cross_out(seen_BHD))
        return self.feed_forward(x_BM)


class View(Protocol):
    """What one step reads and writes of the caches: rows 0 to B-1, with their keys up to the longest of them.

    Made by the engine, who owns the caches. Biases and masks are added to attention's scores.
    """

    self_bias_BH1T: torch.Tensor
    source_mask_BH1S: torch.Tensor

    def write(self, index: int, kv_B2HD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores the new token's key and value in layer `index`; returns all keys and values so far, [B, H, T, D]."""

    def source(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the prompts in layer `index`, [B, H, S, D]."""


class T5:
    """One loaded model. Between layers the numbers are float32, whatever the weights are."""

    def __init__(self, config: T5Config, weights: Weights) -> None:
        self.config = config
        self.dtype = weights.dtype
        self.cache_dtype = weights.cache_dtype
        shared = "shared.weight" if weights.has("shared.weight") else "encoder.embed_tokens.weight"
        self.embedding_VM = weights.get(shared)
        self.device = self.embedding_VM.device
        self.encoder = [EncoderLayer(config, weights, f"encoder.block.{i}") for i in range(config.num_layers)]
        self.encoder_norm = Norm(weights, "encoder.final_layer_norm.weight", config.epsilon)
        self.decoder = [DecoderLayer(config, weights, f"decoder.block.{i}") for i in range(config.num_decoder_layers)]
        self.decoder_norm = Norm(weights, "decoder.final_layer_norm.weight", config.epsilon)
        output = "lm_head.weight" if weights.has("lm_head.weight") else shared
        self._output = weights.linear([output])
        self._screen: Screen | None = None
        if weights.screen is not None:
            self._screen = weights.screen(self.embedding_VM if output == shared else weights.get(output))
        bias = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        self._encoder_bias_WH = weights.get(f"encoder.{bias}")
        self._decoder_bias_WH = weights.get(f"decoder.{bias}")
        self._encoder_bias_1HSS = torch.empty(1, config.num_heads, 0, 0)

    @property
    def num_layers(self) -> int:
        """Of the encoder."""
        return len(self.encoder)

    @property
    def num_slices(self) -> int:
        """Encoder layers, then one slice for each decoder layer's keys and values."""
        return len(self.encoder) + len(self.decoder)

    def embed(self, ids_N: torch.Tensor) -> torch.Tensor:
        return F.embedding(ids_N, self.embedding_VM).float()

    def encode_slice(self, index: int, x_NM: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Slice `index` of the encoder over whole prompts; its result is the input of the next.

        The last `num_decoder_layers` slices return keys and values, [2, N, H, D], of what slice num_layers-1 gave.
        """
        if index >= len(self.encoder):
            return self.decoder[index - len(self.encoder)].source(x_NM)
        bias_1HSS = self.encoder_bias(max(lengths))
        biases = [bias_1HSS[:, :, :length, :length] for length in lengths]
        x_NM = self.encoder[index](x_NM, lengths, biases)
        return self.encoder_norm(x_NM) if index == len(self.encoder) - 1 else x_NM

    def decode(self, tokens_B: torch.Tensor, view: View) -> torch.Tensor:
        """The states [B, M] from which `scores` or `best` give each row's next token."""
        x_BM = self.embed(tokens_B)
        for index, layer in enumerate(self.decoder):
            x_BM = layer(x_BM, view, index)
        x_BM = self.decoder_norm(x_BM)
        return x_BM * self.config.d_model**-0.5 if self.config.scale_outputs else x_BM

    def scores(self, x_BM: torch.Tensor) -> torch.Tensor:
        """The scores of all tokens, float32 [B, V]."""
        return self._output(x_BM).float()

    @property
    def has_best(self) -> bool:
        return self._screen is not None

    def best(self, x_BM: torch.Tensor) -> tuple[list[int], list[float]]:
        """Each row's likeliest token and its score, without the scores of all others."""
        if self._screen is None:
            raise RuntimeError("best() is for models with a screened output layer; has_best says so")
        return self._screen.best(x_BM)

    def decoder_bias(self, max_length: int) -> torch.Tensor:
        """[H, 2 * max_length]: column max_length - 1 - p + j is the bias of key j for a query at position p."""
        distances = torch.arange(-(max_length - 1), 1, device=self.device)
        buckets = relative_position_bucket(
            distances, num_buckets=self.config.num_buckets, max_distance=self.config.max_distance, bidirectional=False
        )
        ahead = self._decoder_bias_WH.new_full((self.config.num_heads, max_length), MASKED)
        return torch.cat([self._decoder_bias_WH[buckets].T, ahead], dim=1).to(self.dtype)

    def encoder_bias(self, longest: int) -> torch.Tensor:
        """[1, H, S, S], of a key for a query by their places, for S at least `longest`; kept for the next prompts."""
        if longest <= self._encoder_bias_1HSS.shape[-1]:
            return self._encoder_bias_1HSS
        length = 1 << (longest - 1).bit_length()
        positions = torch.arange(length, device=self.device)
        distances = positions[None, :] - positions[:, None]
        buckets = relative_position_bucket(
            distances, num_buckets=self.config.num_buckets, max_distance=self.config.max_distance, bidirectional=True
        )
        bias_HSS = self._encoder_bias_WH[buckets].permute(2, 0, 1)
        self._encoder_bias_1HSS = bias_HSS.unsqueeze(0).to(self.dtype).contiguous()
        return self._encoder_bias_1HSS


def relative_position_bucket(
    distance: torch.Tensor, *, num_buckets: int, max_distance: int, bidirectional: bool
) -> torch.Tensor:
    """Maps key-minus-query distances to bias buckets.

    Half of the buckets are exact, the rest grow logarithmically up to `max_distance`, beyond which all distances
    share the last one. The encoder is bidirectional: keys ahead have buckets of their own; the decoder has no keys
    ahead.

    distance: int64, in tokens. Returns int64 in [0, num_buckets).
    """
    first = torch.zeros_like(distance)
    if bidirectional:
        num_buckets //= 2
        first = (distance > 0).long() * num_buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    num_exact = num_buckets // 2
    growth = torch.log(distance.clamp(min=1).float() / num_exact) / math.log(max_distance / num_exact)
    far = (num_exact + (growth * (num_buckets - num_exact)).long()).clamp(max=num_buckets - 1)
    return first + torch.where(distance < num_exact, distance, far)


def rounded(length: int, d_kv: int) -> int:
    """The number of keys that a step over `length` of them reads.

    PyTorch multiplies matrices below 400 products in another order than larger ones: no step reads so few keys.
    """
    step = KEY_STEP if d_kv >= 16 else 2 * KEY_STEP
    return -(-length // step) * step


def _attend(q_BHD: torch.Tensor, k_BHTD: torch.Tensor, v_BHTD: torch.Tensor, bias_BH1T: torch.Tensor) -> torch.Tensor:
    """One query per row over its keys; T5 does not scale by the square root of D. Returns [B, H * D]."""
    if q_BHD.is_cuda:
        seen = F.scaled_dot_product_attention(q_BHD.unsqueeze(2), k_BHTD, v_BHTD, attn_mask=bias_BH1T, scale=1.0)
        return seen.flatten(1)
    # On a CPU the fused kernel is slower for one query, and its last bit depends on the thread that computes it.
    queries = q_BHD.flatten(0, 1).unsqueeze(1)
    keys, values = k_BHTD.flatten(0, 1), v_BHTD.flatten(0, 1)
    weights = torch.baddbmm(bias_BH1T.flatten(0, 1), queries, keys.transpose(1, 2)).softmax(-1)
    return torch.bmm(weights, values).view(q_BHD.shape[0], -1)
