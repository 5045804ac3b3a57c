"""CTranslate2 behind the same HTTP front: an asyncio batcher of up to 16 requests, gathered for 10 ms.

Its callback is used where it serves: to stream tokens, and to end each row at its own length.

    python ct2_batcher.py FOLDER PORT COMPUTE_TYPE WORKERS THREADS
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2  # type: ignore[import-not-found]
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from transformers import AutoTokenizer

MAX_BATCH_SIZE = 16
GATHER_S = 0.01


@dataclass
class Wanted:
    tokens: list[str]
    num_tokens: int
    events: asyncio.Queue[str | None] | None
    answer: asyncio.Future[str]


class Batcher:
    """As many loops as the translator has workers, all fed by one queue."""

    def __init__(self, translator: Any, workers: int) -> None:
        self._translator = translator
        self._queue: asyncio.Queue[Wanted] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._run()) for _ in range(workers)]

    async def submit(self, wanted: Wanted) -> None:
        await self._queue.put(wanted)

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            end = self._loop.time() + GATHER_S
            while len(batch) < MAX_BATCH_SIZE and (left := end - self._loop.time()) > 0:
                try:
                    batch.append(await asyncio.wait_for(self._queue.get(), left))
                except TimeoutError:
                    break
            answers = await asyncio.to_thread(self._translate, batch)
            for wanted, answer in zip(batch, answers, strict=True):
                if not wanted.answer.done():
                    wanted.answer.set_result(answer)
                if wanted.events is not None:
                    wanted.events.put_nowait(None)

    def _translate(self, batch: list[Wanted]) -> list[str]:
        lengths = [wanted.num_tokens for wanted in batch]
        is_needed = len(set(lengths)) > 1 or any(wanted.events is not None for wanted in batch)

        def on_token(step: Any) -> bool:
            wanted = batch[step.batch_id]
            if wanted.events is not None:
                self._loop.call_soon_threadsafe(wanted.events.put_nowait, step.token)
            return bool(step.step + 1 >= wanted.num_tokens)

        results = self._translator.translate_batch(
            [wanted.tokens for wanted in batch],
            beam_size=1,
            max_decoding_length=max(lengths),
            return_scores=False,
            callback=on_token if is_needed else None,
        )
        return [" ".join(result.hypotheses[0]) for result in results]


def create_app(folder: str, compute_type: str, workers: int, threads: int) -> FastAPI:
    target = Path(folder).with_name(Path(folder).name + "-ct2")
    if not target.is_dir():
        ctranslate2.converters.TransformersConverter(folder).convert(str(target))
    translator = ctranslate2.Translator(
        str(target), device="cpu", compute_type=compute_type, inter_threads=workers, intra_threads=threads
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batchers: list[Batcher] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batchers.append(Batcher(translator, workers))
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        body = await request.json()
        is_stream = bool(body.get("stream"))
        wanted = Wanted(
            tokenizer.convert_ids_to_tokens(tokenizer(body["instances"][0]).input_ids),
            body["parameters"]["max_new_tokens"],
            asyncio.Queue() if is_stream else None,
            asyncio.get_running_loop().create_future(),
        )
        await batchers[0].submit(wanted)
        if is_stream:
            return StreamingResponse(_events(wanted), media_type="text/event-stream")
        return JSONResponse({"predictions": [await wanted.answer]})

    return app


async def _events(wanted: Wanted) -> AsyncIterator[str]:
    assert wanted.events is not None  # noqa: S101
    while (token := await wanted.events.get()) is not None:
        yield f"data: {json.dumps({'index': 0, 'text': token + ' '})}\n\n"
    yield "data: [DONE]\n\n"


if __name__ == "__main__":
    folder, port, compute_type, workers, threads = sys.argv[1:]
    uvicorn.run(
        create_app(folder, compute_type, int(workers), int(threads)),
        host="127.0.0.1",
        port=int(port),
        log_level="warning",
    )
