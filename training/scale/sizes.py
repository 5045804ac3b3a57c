"""The sizes of Flan-T5 (and of T5 1.1, which it was tuned from), and what follows from them. Knows no machine.

Source: config.json of google/flan-t5-small … -xxl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config.reading import BadConfig

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Size:
    """As many layers in the decoder as in the encoder; gated feed-forward."""

    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_layers: int
    vocab_size: int = 32128
    is_tied: bool = False
    num_buckets: int = 32

    @property
    def d_attention(self) -> int:
        return self.num_heads * self.d_kv

    @property
    def num_attention(self) -> int:
        """Weights of one attention: query, key, value, output."""
        return 4 * self.d_model * self.d_attention

    @property
    def num_feed_forward(self) -> int:
        return 3 * self.d_model * self.d_ff

    @property
    def num_encoder_layer(self) -> int:
        return self.num_attention + self.num_feed_forward + 2 * self.d_model

    @property
    def num_decoder_layer(self) -> int:
        return 2 * self.num_attention + self.num_feed_forward + 3 * self.d_model

    @property
    def num_layers_parameters(self) -> int:
        return self.num_layers * (self.num_encoder_layer + self.num_decoder_layer)

    @property
    def num_parameters(self) -> int:
        embeddings = (1 if self.is_tied else 2) * self.vocab_size * self.d_model
        biases_and_last_norms = 2 * (self.num_buckets * self.num_heads + self.d_model)
        return self.num_layers_parameters + embeddings + biases_and_last_norms

    def num_adapters(self, rank: int, num_modules: int) -> int:
        """LoRA's weights: two matrices beside each named layer of every attention."""
        num_attentions = 3 * self.num_layers
        return num_attentions * num_modules * rank * (self.d_model + self.d_attention)


SIZES: dict[str, Size] = {
    "google/flan-t5-small": Size(512, 64, 1024, 6, 8),
    "google/flan-t5-base": Size(768, 64, 2048, 12, 12),
    "google/flan-t5-large": Size(1024, 64, 2816, 16, 24),
    "google/flan-t5-xl": Size(2048, 64, 5120, 32, 24),
    "google/flan-t5-xxl": Size(4096, 64, 10240, 64, 24),
}


def size_of(base: str) -> Size:
    """By its id, or by the config.json of a folder. Raises `BadConfig`."""
    if base in SIZES:
        return SIZES[base]
    for folder in (Path(base), ROOT / base):
        if (folder / "config.json").is_file():
            found = size_in(json.loads((folder / "config.json").read_text()))
            if found is not None:
                return found
    raise BadConfig(f"the size of model.base {base!r} is not known here; known are {', '.join(SIZES)}, and folders")


def size_in(values: Mapping[str, Any]) -> Size | None:
    """values: of a config.json. None of what is no T5."""
    if values.get("model_type") != "t5":
        return None
    return Size(
        d_model=int(values["d_model"]),
        d_kv=int(values["d_kv"]),
        d_ff=int(values["d_ff"]),
        num_heads=int(values["num_heads"]),
        num_layers=int(values["num_layers"]),
        vocab_size=int(values["vocab_size"]),
        is_tied=bool(values.get("scale_decoder_outputs", values.get("tie_word_embeddings", False))),
    )
