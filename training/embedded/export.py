"""Writes a trained model as a Hugging Face folder: weights, tokenizer, model card, golden answers.

Weights are kept in fp16 (they load and run in fp32); nothing goes in that inference does not need,
save the card and `golden.json`, which tests compare against.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerFast, T5ForConditionalGeneration

from training.config.task import INPUT
from training.corpus.dialogues import PREFIX, Example
from training.corpus.handwritten import DRAFTED, HANDWRITTEN
from training.embedded.card import Card
from training.embedded.evaluation import MAX_NEW_TOKENS, evaluate
from training.embedded.train import Recipe
from training.folder.metadata import write_template

MAX_WEIGHT_BYTES = 8_000_000
NUM_GOLDEN = 3


class TooLarge(Exception):
    """The weights are larger than the repository takes."""


def export(
    model: T5ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    recipe: Recipe,
    test: list[Example],
    made: str,
) -> Card:
    """Writes the folder; evaluates what was written, not what was in memory.

    made: how the model was made, for the card. Raises TooLarge above 8 MB of weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(folder)
    _compute_in_fp32(folder / "config.json")
    write_template(folder, PREFIX + INPUT)
    tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # written for the owner alone, but an image's process is somebody else
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if size > MAX_WEIGHT_BYTES:
        raise TooLarge(f"{folder} holds {size} bytes of weights; at most {MAX_WEIGHT_BYTES} go into the repository")
    written, read = load(folder)
    card = Card(
        recipe=recipe,
        num_parameters=written.num_parameters(),
        size_bytes=size,
        test=evaluate(written, read, test),
        typed=evaluate(written, read, list(HANDWRITTEN)),
        drafted=evaluate(written, read, list(DRAFTED)),
        made=made,
    )
    # One prompt at a time: that is what a test can repeat.
    prompts = [one.prompt for one in test[:NUM_GOLDEN]]
    golden = [golden_answer(written, read, prompt) for prompt in prompts]
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(card.text())
    return card


def golden_answer(model: Any, tokenizer: Any, prompt: str) -> dict[str, Any]:
    """What the server compares at its start: the text, and the tokens it is made of, end token included."""
    inputs = tokenizer(prompt, return_tensors="pt")
    tokens = model.generate(input_ids=inputs["input_ids"], max_new_tokens=MAX_NEW_TOKENS, do_sample=False)[0, 1:]
    output = tokenizer.decode(tokens, skip_special_tokens=True)
    return {"prompt": prompt, "output": output, "token_ids": tokens.tolist()}


def _compute_in_fp32(config: Path) -> None:
    """The stored type is the files' affair: whoever loads without naming one gets fp32, not fp16 on a CPU."""
    values = json.loads(config.read_text()) | {"dtype": "float32"}
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def load(folder: Path) -> tuple[Any, Any]:
    """The folder's model in fp32, and its tokenizer."""
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    return model, AutoTokenizer.from_pretrained(folder, local_files_only=True)
