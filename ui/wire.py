"""Vertex AI's predict bodies: what to send, the text in an answer, the error in a refusal.

Pure functions over bodies; knows no connection, no credentials, no page.
Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/predict
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ui.errors import (
    BadAnswer,
    Busy,
    EndpointError,
    Failed,
    Forbidden,
    NoIdentity,
    NotDeployed,
    NotReady,
    Refused,
    TimedOut,
    TooLong,
    WrongAddress,
)

MAX_SENTENCE_CHARS = 400
# "the prompt has 1300 tokens; at most 1024 are allowed", and Google's own "The request size (N bytes) exceeds 1.500MB"
TOO_LONG = re.compile(r"the prompt has \d+ (tokens|characters)|request size .* exceeds|body .* too large", re.I)
# what an endpoint that scaled to zero says, with 429
COLD = re.compile(r"not yet ready for inference", re.I)


def request_body(text: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """One instance, with the parameters that apply to it."""
    return {"instances": [text], "parameters": dict(parameters)}


def prediction(raw: bytes) -> str:
    """The text of a 200 answer: `["text"]`, or as the first Flan-T5 demos nested it, `[["text"]]`."""
    body = _json(raw)
    if not isinstance(body, dict) or "predictions" not in body:
        raise BadAnswer(f"The endpoint answered, but not with a prediction: {_excerpt(raw)}")
    found = body["predictions"]
    while isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, str):
        got = f"{len(found)} predictions" if isinstance(found, list) else type(found).__name__
        raise BadAnswer(f"One text was asked for, and the endpoint answered with {got}: {_excerpt(raw)}")
    return found


def refusal(status: int, raw: bytes, headers: Mapping[str, str], *, endpoint: str) -> EndpointError:
    """The error that an answer other than 200 means."""
    said = sentence(raw)
    wait_s = retry_after(headers)
    match status:
        case 400 | 413 | 422:
            return _refused(status, said, endpoint)
        case 401:
            return NoIdentity(f"Google Cloud did not accept this page's identity (401).{_quote(said)}")
        case 403:
            return Forbidden(
                "This page's identity may not ask the endpoint (403): it lacks the permission "
                f"aiplatform.endpoints.predict on {endpoint}. Whoever runs this page has to grant it.{_quote(said)}"
            )
        case 404:
            return NotDeployed(
                f"There is no endpoint {endpoint} (404). It may have been taken down to stop its bill; "
                f"whoever runs this page can deploy it again.{_quote(said)}"
            )
        case 429 if not COLD.search(said):
            return Busy(f"The model is busy (429). {_again(wait_s)}{_quote(said)}", retry_after_s=wait_s)
        case 429 | 503:
            return NotReady(
                f"The model is not ready yet ({status}). {_again(wait_s)}{_quote(said)}", retry_after_s=wait_s
            )
        case 408 | 504:
            return TimedOut(
                f"The model did not finish in time ({status}). Ask for fewer new tokens, or try again.{_quote(said)}"
            )
    return Failed(f"The endpoint failed to answer (HTTP {status}). Try again in a while.{_quote(said)}")


def _refused(status: int, said: str, endpoint: str) -> EndpointError:
    if "traffic_split" in said:
        return NotDeployed(
            f"The endpoint {endpoint} is there, but no model takes its traffic. "
            f"Whoever runs this page has to deploy one.{_quote(said)}"
        )
    if "Dedicated Endpoint cannot be accessed" in said:
        return WrongAddress(
            "This page asks at the wrong address: the endpoint is a dedicated one, with a domain of its own. "
            f"Whoever runs this page has to put that domain in PREDICT_URL.{_quote(said)}"
        )
    if status == 413 or TOO_LONG.search(said):
        return TooLong(f"The prompt is too long. Shorten it.{_quote(said)}")
    return Refused(f"The server refused this request ({status}). Change it and try again.{_quote(said)}")


def sentence(raw: bytes) -> str:
    """What the body of an error says, as one line of plain words; empty when it says nothing a reader could use."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        text = raw.decode("utf-8", "replace").lstrip()
        # a front end's HTML page, or half a JSON body, is no sentence
        return "" if text[:1] in ("<", "{", "[") else _line(text)
    return _said(body)


def _said(body: Any) -> str:
    """The message inside Google's, the server's or FastAPI's error body, however deep."""
    while isinstance(body, list | dict):
        if isinstance(body, list):
            body = body[0] if body else None
        else:
            body = next((body[key] for key in ("error", "detail", "message", "msg") if key in body), None)
    if not isinstance(body, str):
        return ""
    # Vertex AI may put the container's whole body, JSON as it is, into its own message
    return sentence(body.encode()) or _line(body)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a Retry-After in seconds or as a date; None when there is none that can be read."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _again(wait_s: float | None) -> str:
    return "Try again in a minute." if wait_s is None else f"Try again in {max(1, round(wait_s))} s."


def _quote(said: str) -> str:
    return f" It says: {said}" if said else ""


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SENTENCE_CHARS else line[: MAX_SENTENCE_CHARS - 1] + "…"


def _excerpt(raw: bytes) -> str:
    line = _line(raw.decode("utf-8", "replace"))
    return line[:120] + "…" if len(line) > 120 else line or "an empty body"
