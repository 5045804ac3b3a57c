"""Loads the models that are not ours, with `transformers`: other sequence-to-sequence models, and decoders alone.

Knows config.json and transformers' classes; knows no T5, no engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.engine.memory import Room
from serving.traits import DOLLY_END


def class_name(config: Mapping[str, Any]) -> str | None:
    """The class of transformers that loads such a model; None when there is none for generation."""
    if config.get("is_encoder_decoder"):
        return "AutoModelForSeq2SeqLM"
    names = config.get("architectures") or []
    if any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        return "AutoModelForCausalLM"
    return None


def load_other(folder: Path, config: Mapping[str, Any], room: Room, *, dtype: Any, use_safetensors: bool) -> Any:
    """Raises ValueError for what does not fit, and whatever transformers raises."""
    import transformers

    _check_positions(config, room)
    model, report = getattr(transformers, str(class_name(config))).from_pretrained(
        folder,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        weights_only=True,
        use_safetensors=use_safetensors,
        output_loading_info=True,
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{len(missing)} tensors that config.json asks for are not in the weights, such as {missing[0]}; "
            "they would be random numbers"
        )
    _end_where_tuned(model, folder)
    return model.eval()


def _end_where_tuned(model: Any, folder: Path) -> None:
    """A dolly was tuned to end its answers with a token that its generation_config.json does not name."""
    added = json.loads((folder / "tokenizer.json").read_text()).get("added_tokens", [])
    ends = [token["id"] for token in added if token["content"] == DOLLY_END]
    if ends:
        known = model.generation_config.eos_token_id
        known = known if isinstance(known, list) else [] if known is None else [known]
        model.generation_config.eos_token_id = [*known, *ends]


def _check_positions(config: Mapping[str, Any], room: Room) -> None:
    """Refuses limits beyond a table of positions: the first long request would fail in the middle of a batch."""
    known = config.get("max_position_embeddings") or config.get("n_positions")
    longest = max(room.max_source, room.max_target)
    needed = longest if config.get("is_encoder_decoder") else room.max_source + room.max_target
    if known and needed > known:
        raise ValueError(
            f"this model has {known} positions, and MAX_INPUT_TOKENS {room.max_source} and MAX_NEW_TOKENS "
            f"{room.max_target} need {needed}; set smaller ones"
        )
