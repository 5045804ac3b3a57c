"""`transformers` behind LitServe: static batches of up to 16, gathered for 10 ms, each to its longest answer.

python litserve_static.py FOLDER PORT
"""

import sys
from typing import Any

import litserve  # type: ignore[import-not-found]
import torch
from fastapi import Request
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer


class FlanApi(litserve.LitAPI):  # type: ignore[misc]
    """One instance per request."""

    def __init__(self, folder: str) -> None:
        super().__init__(max_batch_size=16, batch_timeout=0.01, api_path="/predict")
        self._folder = folder

    def setup(self, device: str) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder)
        self._model = AutoModelForSeq2SeqLM.from_pretrained(self._folder, dtype=torch.float32).eval()

    def decode_request(self, request: Request) -> tuple[str, int]:
        body: Any = request  # LitServe reads the annotation, and hands over what the body holds
        return body["instances"][0], body["parameters"]["max_new_tokens"]

    def batch(self, inputs: list[tuple[str, int]]) -> list[tuple[str, int]]:
        return inputs

    def predict(self, inputs: list[tuple[str, int]]) -> list[str]:
        texts, wanted = zip(*inputs, strict=True)
        encoded = self._tokenizer(list(texts), return_tensors="pt", padding=True)
        with torch.inference_mode():
            rows = self._model.generate(**encoded, max_new_tokens=max(wanted))
        cut = [row[1 : 1 + length] for row, length in zip(rows, wanted, strict=True)]
        return list(self._tokenizer.batch_decode(cut, skip_special_tokens=True))

    def unbatch(self, output: list[str]) -> list[str]:
        return output

    def encode_response(self, output: str) -> dict[str, list[str]]:
        return {"predictions": [output]}


if __name__ == "__main__":
    server = litserve.LitServer(FlanApi(sys.argv[1]), accelerator="cpu", timeout=False)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
