"""The first Flan-T5 demo's server, rebuilt from its description: `generate` in an `async def`, one text at a time.

As it was: one worker, no batching, the event loop stands still while the model works. `max_new_tokens` is read from
the request, which the demo did not do, so that all contenders do the same work.

    python naive.py FOLDER PORT
"""

from __future__ import annotations

import sys
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI, Request
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer


def create_app(folder: str) -> FastAPI:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        body = await request.json()
        outputs = []
        for text in body["instances"]:
            input_ids = tokenizer(text, return_tensors="pt").input_ids
            output = model.generate(input_ids, max_new_tokens=body["parameters"]["max_new_tokens"])
            outputs.append(tokenizer.decode(output[0], skip_special_tokens=True))
        return {"predictions": outputs}

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
