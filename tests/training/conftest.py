"""A tokenizer and a recipe small enough that a model is trained within seconds; buckets on this machine."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import torch
from moto.server import ThreadedMotoServer

from training.corpus.dialogues import take
from training.embedded.tokenizer import train_tokenizer
from training.embedded.train import Recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _one_thread():
    """Two threads on a machine with one core free are many times slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    texts = [text for one in take("train", 1000, 1) for text in (one.prompt, one.summary)]
    return train_tokenizer(texts, vocab_size=1000)


@pytest.fixture(scope="session")
def tiny(tokenizer):
    return Recipe(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_heads=2, num_layers=1, steps=30, batch=8, pool=64,
        warmup_steps=5, validate_every=10, validation_examples=16, learning_rate=1e-2, embedding_rate=1.0,
    )  # fmt: skip


def free_port():
    """The first of two free neighbours."""
    for port in range(33000 + os.getpid() % 5000 * 2, 60000, 2):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two free neighbouring ports")


@pytest.fixture(scope="session")
def cloud_storage(tmp_path_factory):
    port = free_port()
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), "--project", "flan-test=123456789012"]
    command += ["--data", str(tmp_path_factory.mktemp("cloud"))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        make_bucket(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()


def make_bucket(url, process):
    """As soon as somebody listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.post(f"{url}/storage/v1/b?project=flan-test", json={"name": "flan-bucket"}).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the local cloud did not start")


@pytest.fixture(scope="session")
def s3():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["gs", "s3"])
def bucket(request, monkeypatch):
    """The address of an empty folder in a bucket of either cloud."""
    if request.param == "gs":
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", request.getfixturevalue("cloud_storage"))
    else:
        url = request.getfixturevalue("s3")
        for name, value in (
            ("AWS_ENDPOINT_URL_S3", url), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        httpx.put(f"{url}/flan-bucket").raise_for_status()
    return f"{request.param}://flan-bucket/{request.node.name.split('[')[0]}"
