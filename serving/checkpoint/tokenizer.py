"""A folder's own tokenizer. Knows the `tokenizers` library; knows no model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.libraries import set_libraries

BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")


def load_tokenizer(folder: Path) -> FolderTokenizer:
    """Raises `CheckpointError`."""
    set_libraries()
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer.json; make it with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
        )
    try:
        wrapper = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return FolderTokenizer(wrapper.backend_tokenizer)
    except Exception as error:
        raise CheckpointError(f"the tokenizer in {folder} does not load: {error}") from error


class FolderTokenizer:
    """The folder's own tokenizer, in Rust: transformers' wrapper around it is not thread-safe."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._backend.no_truncation()
        self._backend.no_padding()
        self.open_ids = _open_ids(self._backend)
        self.rewrites = _rewrites(self._backend)
        self.num_tokens: int = self._backend.get_vocab_size(with_added_tokens=True)

    def state(self) -> dict[str, Any]:
        """All of it, as JSON has it; `from_state` takes it back, without transformers."""
        return {"tokenizer": self._backend.to_str(), "encode_special_tokens": self._backend.encode_special_tokens}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FolderTokenizer:
        set_libraries()
        import tokenizers

        backend = tokenizers.Tokenizer.from_str(state["tokenizer"])
        backend.encode_special_tokens = state["encode_special_tokens"]
        return cls(backend)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode(text).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._backend.decode(list(ids), skip_special_tokens=True)
        return text

    def piece(self, id_: int) -> str:
        token: str | None = self._backend.id_to_token(id_)
        if token is None:  # rows of the output layer beyond the vocabulary: padding of its width
            return ""
        text: str = self._backend.decode([id_], skip_special_tokens=False)
        # a decoder drops the space in front of a text's first word, and here every token is the first
        return f" {text.lstrip()}" if token.startswith("▁") and not text.startswith(" ") else text


def _open_ids(backend: Any) -> frozenset[int]:
    """Byte tokens, as mT5 has them, and the special tokens that may stand between them."""
    pieces: dict[str, int] = backend.get_vocab()
    byte_ids = {number for piece, number in pieces.items() if BYTE_PIECE.fullmatch(piece)}
    special_ids = {number for number, token in backend.get_added_tokens_decoder().items() if token.special}
    return frozenset(byte_ids | special_ids) if byte_ids else frozenset()


def _rewrites(backend: Any) -> tuple[str, ...]:
    """What the tokenizer's decoder replaces in whole text, such as a stand-in for line breaks."""
    decoder = json.loads(backend.to_str())["decoder"] or {}
    steps = decoder.get("decoders", [decoder])
    return tuple(step["pattern"]["String"] for step in steps if "String" in step.get("pattern", {}))
