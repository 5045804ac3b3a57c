"""What the two models of this wire read and write: texts, and the token tensors of `fastertransformer`.

Both are the one model that the server has. Translates tensors; knows no HTTP.
Source of the second: FasterTransformer's T5 backend for Triton, https://github.com/triton-inference-server/fastertransformer_backend
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.config import MOST_INSTANCES
from serving.errors import InvalidRequest
from serving.exchange.bodies import checked
from serving.request import GenerateBody, Parameters, PromptBody, TokensBody
from serving.sequence import Completion
from serving.validation import show
from serving.wires.kserve.tensors import BYTES, Tensor

TEXT_INPUT, TEXT_OUTPUT = "text_input", "text_output"
FASTERTRANSFORMER = "fastertransformer"
NAMES = {"max_tokens": "max_new_tokens", "beam_width": "num_beams"}
# Of Triton's own scheduler; nothing here waits by them.
IGNORED = ("priority", "sequence_id", "sequence_start", "sequence_end", "stream")
TIMEOUT = "timeout"  # in microseconds
INTEGERS = tuple(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
# Optional inputs, one value for each row: the parameter that each becomes.
ROW_PARAMETERS = {
    "max_output_len": "max_new_tokens",
    "runtime_top_k": "top_k",
    "runtime_top_p": "top_p",
    "temperature": "temperature",
    "repetition_penalty": "repetition_penalty",
    "random_seed": "seed",
    "beam_width": "num_beams",
    "len_penalty": "length_penalty",
}
# Optional inputs that ask for what happens anyway, with the values that do.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "beam_search_diversity_rate": (0,),
    "is_return_log_probs": (False,),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """The tensors of a model: (name, datatype, shape); -1 is any size."""

    platform: str
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...]


TEXT = Signature(
    "text",
    ((TEXT_INPUT, BYTES, (-1,)),),
    ((TEXT_OUTPUT, BYTES, (-1,)), ("num_tokens", "INT32", (-1,)), ("finish_reason", BYTES, (-1,))),
)
TOKENS = Signature(
    FASTERTRANSFORMER,
    (
        ("input_ids", "UINT32", (-1, -1)),
        ("sequence_length", "UINT32", (-1, 1)),
        ("max_output_len", "UINT32", (-1, 1)),
        ("runtime_top_k", "UINT32", (-1, 1)),
        ("runtime_top_p", "FP32", (-1, 1)),
        ("temperature", "FP32", (-1, 1)),
        ("repetition_penalty", "FP32", (-1, 1)),
        ("random_seed", "UINT64", (-1, 1)),
        ("beam_width", "UINT32", (-1, 1)),
        ("len_penalty", "FP32", (-1, 1)),
    ),
    (("output_ids", "INT32", (-1, 1, -1)), ("sequence_length", "INT32", (-1, 1))),
)


def parameters_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of a request, as the server calls them."""
    return {NAMES.get(name, name): item for name, item in told.items() if name not in (*IGNORED, TIMEOUT)}


def timeout_s(told: Mapping[str, Any]) -> float | None:
    asked = told.get(TIMEOUT)
    if asked is None or asked == 0:
        return None
    if type(asked) is not int or asked < 0:
        raise InvalidRequest(f"{TIMEOUT} should be a number of microseconds, got {show(asked)}", param=TIMEOUT)
    return asked / 1_000_000


def text_bodies(inputs: Mapping[str, Tensor], told: Mapping[str, Any]) -> list[PromptBody]:
    _refuse_unknown(inputs, (TEXT_INPUT,))
    texts = _input(inputs, TEXT_INPUT, (BYTES,))
    if len(texts.shape) not in (1, 2) or texts.shape[1:] not in ((), (1,)):
        raise InvalidRequest(f"input {TEXT_INPUT}: shape should be [n] or [n, 1], got {list(texts.shape)}")
    return [text_body(text, told) for text in texts.values]


def text_body(text: Any, told: Mapping[str, Any]) -> GenerateBody:
    return checked({"prompt": text, **parameters_of(told)}, GenerateBody, known=tuple(Parameters.model_fields))


def text_outputs(completions: Sequence[Completion]) -> list[Tensor]:
    shape = (len(completions),)
    return [
        Tensor(TEXT_OUTPUT, BYTES, shape, [completion.text for completion in completions]),
        Tensor("num_tokens", "INT32", shape, [completion.num_tokens for completion in completions]),
        Tensor("finish_reason", BYTES, shape, [completion.finish_reason for completion in completions]),
    ]


def token_bodies(inputs: Mapping[str, Tensor]) -> list[PromptBody]:
    """Rows of `input_ids`, each as long as its `sequence_length` says."""
    _refuse_unknown(inputs, ("input_ids", "sequence_length", *ROW_PARAMETERS, *NEUTRAL))
    ids = _input(inputs, "input_ids", INTEGERS)
    if len(ids.shape) != 2:
        raise InvalidRequest(f"input input_ids: shape should be [n, tokens], got {list(ids.shape)}")
    num_rows, width = ids.shape
    if num_rows > MOST_INSTANCES:
        raise InvalidRequest(f"input input_ids: should have at most {MOST_INSTANCES} rows, got {num_rows}")
    lengths = _column(inputs, "sequence_length", num_rows)
    for name, neutral in NEUTRAL.items():
        if name in inputs and not all(value in neutral for value in _column(inputs, name, num_rows)):
            raise InvalidRequest(f"input {name}: should be {' or '.join(map(str, neutral))}; this server does no more")
    columns = {name: _column(inputs, name, num_rows) for name in ROW_PARAMETERS if name in inputs}
    bodies: list[PromptBody] = []
    for row, length in enumerate(lengths):
        if not 1 <= length <= width:
            allowed = f"1 to {width}, the width of input_ids"
            raise InvalidRequest(f"input sequence_length: row {row} should be {allowed}, got {length}")
        asked = {ROW_PARAMETERS[name]: values[row] for name, values in columns.items()}
        prompt = list(ids.values[row * width : row * width + length])
        body = {"prompt_ids": prompt, **_searching(asked)}
        body |= _drawing({name: value for name, value in asked.items() if name not in ("num_beams", "length_penalty")})
        bodies.append(checked(body, TokensBody, known=tuple(Parameters.model_fields)))
    return bodies


def token_outputs(completions: Sequence[Completion]) -> list[Tensor]:
    """The best beam of each alone, padded at its end; the end token is one of the output's."""
    width = max(completion.num_tokens for completion in completions)
    padded = [[*completion.token_ids, *[0] * (width - completion.num_tokens)] for completion in completions]
    num_rows = len(completions)
    return [
        Tensor("output_ids", "INT32", (num_rows, 1, width), [token for row in padded for token in row]),
        Tensor("sequence_length", "INT32", (num_rows, 1), [completion.num_tokens for completion in completions]),
    ]


def _searching(asked: dict[str, Any]) -> dict[str, Any]:
    """FasterTransformer's len_penalty is 0 where it is not sent, and does nothing without beams."""
    num_beams, length_penalty = asked.get("num_beams", 1), asked.get("length_penalty", 0)
    if num_beams == 1 and length_penalty in (0, 1):
        return {}
    return {"num_beams": num_beams, "length_penalty": length_penalty}


def _drawing(asked: dict[str, Any]) -> dict[str, Any]:
    """FasterTransformer draws where top-k is above 1, or 0 with a top-p; everything else is greedy there."""
    top_k, top_p = asked.get("top_k", 0), asked.get("top_p", 0.0)
    draws = top_k > 1 or (top_k == 0 and 0 < top_p <= 1)
    if not draws:
        return {name: item for name, item in asked.items() if name in ("max_new_tokens", "repetition_penalty")}
    seed = asked.get("seed")
    if seed is not None:
        asked["seed"] = seed & (2**63 - 1)
    if not top_p:
        asked.pop("top_p", None)
    return {"do_sample": True, **asked}


def _input(inputs: Mapping[str, Tensor], name: str, datatypes: Sequence[str]) -> Tensor:
    if name not in inputs:
        raise InvalidRequest(f"input {name} is missing", param=name)
    tensor = inputs[name]
    if tensor.datatype not in datatypes:
        raise InvalidRequest(f"input {name}: datatype should be {' or '.join(datatypes)}, got {tensor.datatype}")
    if not tensor.shape or not tensor.shape[0]:
        raise InvalidRequest(f"input {name}: should have at least 1 row, got shape {list(tensor.shape)}")
    return tensor


def _column(inputs: Mapping[str, Tensor], name: str, num_rows: int) -> Sequence[Any]:
    datatypes = (*INTEGERS, "FP16", "FP32", "FP64", "BOOL") if name != "sequence_length" else INTEGERS
    tensor = _input(inputs, name, datatypes)
    if tensor.shape not in ((num_rows,), (num_rows, 1)):
        raise InvalidRequest(f"input {name}: shape should be [{num_rows}, 1], got {list(tensor.shape)}")
    return tensor.values


def _refuse_unknown(inputs: Mapping[str, Tensor], known: Sequence[str]) -> None:
    if unknown := next((name for name in inputs if name not in known), None):
        raise InvalidRequest(f"input {unknown[:60]!r} is not known, known are {', '.join(known)}", param=unknown[:60])
