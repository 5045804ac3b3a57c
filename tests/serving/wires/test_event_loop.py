"""Large bodies of every kind, as many bytes as are let in: health must answer meanwhile."""

import json
import threading
import time

import httpx
import pytest

LENGTH = "Inference-Header-Content-Length"
SIZE = 9_000_000


def tensor_of_bytes():
    told = {"name": "input_ids", "datatype": "UINT8", "shape": [1, SIZE], "parameters": {"binary_data_size": SIZE}}
    head = json.dumps({"inputs": [told]}).encode()
    return head + b"\0" * SIZE, {LENGTH: str(len(head))}


BODIES = {
    "/v2/models/fastertransformer/infer": tensor_of_bytes(),
    "/v1/completions": (b'{"model": "tiny-t5", "prompt": [' + b"1," * (SIZE // 2) + b"1]}", {}),
    "/invocations": (b"a\n" * (SIZE // 2), {"content-type": "text/csv"}),
    "/predict": (b"1\n" * (SIZE // 2), {"content-type": "application/jsonl"}),
    "/infer": (b'{"instances": [' + b'"a",' * (SIZE // 4) + b'"a"]}', {}),
}


@pytest.mark.parametrize("path", BODIES)
def test_a_huge_body_is_refused_and_does_not_hold_up_health(client, path):
    raw, headers = BODIES[path]
    replies, slowest = [], 0.0
    asking = threading.Thread(
        target=lambda: replies.append(httpx.post(str(client.base_url) + path, content=raw, headers=headers, timeout=60))
    )
    asking.start()
    while asking.is_alive():
        started = time.perf_counter()
        client.get("/health")
        slowest = max(slowest, time.perf_counter() - started)
    asking.join()

    assert 400 <= replies[0].status_code < 500
    assert len(replies[0].content) < 4000
    # parsing nine megabytes holds the loop for a part of this; looking at every element would hold it for seconds
    assert slowest < 1.0
