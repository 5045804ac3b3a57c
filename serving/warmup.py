"""One real generation, checked, before the server calls itself healthy. Knows no HTTP, no scheduler, no tensors.

A model folder may hold `golden.json`, a list of {"prompt": …, "output": …, "token_ids": […]}: what greedy decoding in
float32 gives. The tokens may be left out: then the text alone is compared.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path

from serving.engine.protocol import Engine
from serving.errors import ServingError
from serving.request import GenerateBody
from serving.sequence import Completion, Sequence
from serving.text import Tokenizer
from serving.validation import Limits, validate

log = logging.getLogger(__name__)

PROMPT = "Summarize: Anna asks Ben to bring bread. Ben says that he will be home at six."
MAX_GOLDEN = 3


class WarmUpFailed(Exception):
    """The engine runs but cannot be trusted, or does not run."""


@dataclass(frozen=True, slots=True)
class Golden:
    """A prompt, and the answer that a healthy engine gives."""

    prompt: str
    output: str
    token_ids: tuple[int, ...] = ()


def read_golden(folder: Path) -> list[Golden]:
    """The first few golden answers of a model folder; none when it has no golden.json."""
    path = folder / "golden.json"
    if not path.is_file():
        return []
    try:
        cases = json.loads(path.read_text())
        return [Golden(case["prompt"], case["output"], tuple(case.get("token_ids", ()))) for case in cases[:MAX_GOLDEN]]
    except (ValueError, TypeError, KeyError) as error:
        raise WarmUpFailed(f'{path} must be a list of {{"prompt", "output"}}: {error!r}') from None


def warm_up(engine: Engine, *, tokenizer: Tokenizer, limits: Limits) -> None:
    """Generates a few tokens; raises `WarmUpFailed` when none come. Also the check after a failed batch."""
    generate_now(engine, PROMPT, max_new_tokens=min(8, limits.max_new_tokens), tokenizer=tokenizer, limits=limits)


def check_golden(engine: Engine, golden: list[Golden], *, tokenizer: Tokenizer, limits: Limits, is_exact: bool) -> None:
    """Compares answers. `is_exact` is float32: a difference there is an error, elsewhere rounding may explain it."""
    for case in golden:
        if len(tokenizer.encode(case.prompt)) > limits.max_input_tokens:
            log.warning("a golden prompt is longer than MAX_INPUT_TOKENS (%d): not compared", limits.max_input_tokens)
            continue
        got = generate_now(
            engine, case.prompt, max_new_tokens=limits.max_new_tokens, tokenizer=tokenizer, limits=limits
        )
        # a small MAX_NEW_TOKENS cuts the answer, and that is no fault of the engine
        is_cut = got.finish_reason == "length" and case.output.startswith(got.text)
        has_tokens = not case.token_ids or got.token_ids == case.token_ids[: len(got.token_ids)]
        if has_tokens and (got.text == case.output or is_cut):
            continue
        message = f"golden.json expects {case.output!r} and the engine gives {got.text!r}"
        if not has_tokens:
            message += f", in the tokens {list(got.token_ids)} and not {list(case.token_ids)}"
        if is_exact:
            raise WarmUpFailed(message)
        log.warning("%s (reduced precision may round differently)", message)
    if golden:
        log.info("%d golden answers compared", len(golden))


def generate_now(
    engine: Engine, prompt: str, *, max_new_tokens: int, tokenizer: Tokenizer, limits: Limits
) -> Completion:
    """Runs one greedy request on the calling thread."""
    body = GenerateBody(prompt=prompt, max_new_tokens=max_new_tokens, truncate=True)
    sequence = Sequence(
        0,
        validate(body, limits=limits, tokenizer=tokenizer),
        tokenizer=tokenizer,
        deadline=math.inf,
        listener=lambda _: None,
    )
    while not sequence.is_ended:
        num_tokens = len(sequence.output_ids)
        engine.step([sequence])
        if not sequence.is_ended and len(sequence.output_ids) == num_tokens:
            raise WarmUpFailed("the engine made no token")
    if isinstance(sequence.outcome, ServingError):
        raise WarmUpFailed(sequence.outcome.message)
    if sequence.outcome is None:
        raise WarmUpFailed("the engine gave no answer")
    return sequence.outcome
