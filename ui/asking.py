"""From a press of the button to the last change of the page: waits, tells the time, ends in an answer or an error.

Knows the client and the page's states; knows no gradio.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from ui.endpoint_client import EndpointClient
from ui.errors import EndpointError
from ui.generation import GenerationSettings

TICK_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows. answer: None leaves what is there."""

    kind: Literal["waiting", "done", "error"]
    status: str
    answer: str | None = None


async def ask(client: EndpointClient, prompt: str, settings: GenerationSettings) -> AsyncIterator[View]:
    """The views of one question, the last one `done` or `error`. Closing the iterator ends the request."""
    if not prompt.strip():
        yield View("error", "Write a prompt first, or take one of the examples.")
        return
    started = time.monotonic()
    doing = "Asking the model"

    def on_retry(error: EndpointError, wait_s: float) -> None:
        nonlocal doing
        # the first sentence says what; what to do about it is being done
        doing = f"{error.message.split('. ')[0]}. Trying again by itself"

    request = asyncio.create_task(client.predict(prompt, settings.parameters(), on_retry=on_retry))
    try:
        yield View("waiting", f"{doing}…", answer="")
        while not (await asyncio.wait([request], timeout=TICK_S))[0]:
            yield View("waiting", f"{doing}… {time.monotonic() - started:.0f} s")
        yield _result(request, time.monotonic() - started)
    finally:
        # cancelled by the reader, or the browser is gone: the model need not go on
        request.cancel()


def _result(request: asyncio.Task[str], elapsed_s: float) -> View:
    try:
        text = request.result()
    except EndpointError as error:
        return View("error", error.message)
    except Exception:  # the page's edge: whatever it was, the reader gets a sentence and the log the traceback
        log.exception("a question failed inside the page")
        return View("error", "Something went wrong in this page itself, not in the model. Its log has the details.")
    if not text.strip():
        return View("done", f"The model answered with nothing, after {elapsed_s:.1f} s.", answer=text)
    return View("done", f"Answered in {elapsed_s:.1f} s.", answer=text)
