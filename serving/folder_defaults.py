"""What a model folder asks of whoever prompts it: a template for prompts, a length for answers. Reads JSON; no tensors.

A model that was tuned on `summarize: ` and a dialogue answers a bare dialogue badly, and whoever calls the endpoint
cannot know. So the template travels with the folder, as `prompt_template` of config.json, and the server applies it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

INPUT = "{input}"


class BadTemplate(ValueError):
    """config.json asks for something that cannot be done with a prompt."""


@dataclass(frozen=True)
class PromptTemplate:
    """A text with one `{input}`, where the prompt goes."""

    text: str

    def __post_init__(self) -> None:
        if self.text.count(INPUT) != 1:
            raise BadTemplate(f"config.json: prompt_template must hold {INPUT} exactly once, got {self.text!r}")

    def applied(self, prompt: str) -> str:
        """A prompt that begins and ends as the template does has it already, and stays as it is."""
        head, _, tail = self.text.partition(INPUT)
        has_it = prompt.startswith(head) and prompt.endswith(tail) and len(prompt) >= len(head) + len(tail)
        return prompt if has_it else head + prompt + tail


@dataclass(frozen=True)
class FolderDefaults:
    """template: None where prompts go to the model as they are. max_new_tokens: None where the server decides."""

    template: PromptTemplate | None = None
    max_new_tokens: int | None = None

    @classmethod
    def of(cls, folder: Path) -> FolderDefaults:
        """Raises `BadTemplate`."""
        template = _read(folder / "config.json").get("prompt_template")
        generation = _read(folder / "generation_config.json")
        longest, beams = generation.get("max_new_tokens"), generation.get("num_beams")
        if isinstance(beams, int) and beams > 1:
            log.warning("generation_config.json asks for %d beams; here requests ask for their own (num_beams)", beams)
        return cls(
            template=None if template is None else PromptTemplate(str(template)),
            max_new_tokens=longest if isinstance(longest, int) and longest > 0 else None,
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):  # without a file there is nothing to ask; a broken one stops the loading elsewhere
        return {}
    return value if isinstance(value, dict) else {}
