"""What kind of model a folder holds, as far as wires need to know. Reads its JSON files; no tensors, no HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# Those that the server's own engine runs; every other model is on transformers' generation.
OUR_MODELS = ("t5", "mt5")
DOLLY_END = "### End"
DOLLY_TEMPLATE = """\
Below is an instruction that describes a task. Write a response that appropriately completes the request.

### Instruction:
{instruction}

### Response:
"""


@dataclass(frozen=True)
class Traits:
    """Of the model in `folder`; each is read when it is first asked for, which is after the model has loaded."""

    folder: Path

    @cached_property
    def is_causal(self) -> bool:
        """A decoder alone: its answers go on where the prompt ends, and clients expect to see both."""
        return not self._config.get("is_encoder_decoder", self._config.get("model_type") in OUR_MODELS)

    @cached_property
    def is_dolly(self) -> bool:
        """Tuned on dolly's instruction template: its tokenizer knows the template's marks as tokens of their own."""
        return self.is_causal and DOLLY_END in self._added_tokens

    @cached_property
    def chat_template(self) -> str | None:
        """The folder's own Jinja template for chats."""
        try:
            return (self.folder / "chat_template.jinja").read_text()
        except OSError:
            pass
        template = self._tokenizer.get("chat_template")
        if isinstance(template, list):  # several, by name
            template = {one.get("name"): one.get("template") for one in template}.get("default")
        return template if isinstance(template, str) else None

    @property
    def _added_tokens(self) -> set[str]:
        added = self._tokenizer.get("added_tokens_decoder", {}).values()
        named = self._tokenizer.get("extra_special_tokens") or []
        special = [*self._tokenizer.get("additional_special_tokens", []), *named]
        return {one["content"] if isinstance(one, dict) else one for one in [*added, *special]}

    @cached_property
    def _config(self) -> dict[str, Any]:
        return _read(self.folder / "config.json")

    @cached_property
    def _tokenizer(self) -> dict[str, Any]:
        return _read(self.folder / "tokenizer_config.json")


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):  # a folder that cannot be served never gets so far; without a file there is no trait
        return {}
    return value if isinstance(value, dict) else {}
