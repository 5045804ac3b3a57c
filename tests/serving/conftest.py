"""A tiny random T5 folder, and a real server process over it."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]

CORPUS = [
    "Anna asks Ben to bring bread. Ben says that he will be home at six.",
    "Tom: when is the meeting? Mia: at ten, in the small room, on Monday.",
    "Translate to German: How old are you? Summarize the following text.",
    "Café, naïve, Zürich: 1234567890 !?.,;:'\"()-",
]


def make_folder(folder, *, seed=3, **overrides):
    """Saves a random T5 with a small SentencePiece-like tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        # large weights: greedy answers then vary, and differ between prompts
        initializer_factor=3.0,
        tie_word_embeddings=False,  # as Flan-T5 has it; transformers 5 reads it as "do not scale the outputs"
        **overrides,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def make_causal_folder(folder, *, kind="gpt2", marks=(), num_positions=256, seed=0):
    """A random decoder (GPT-2, or as dolly is one, GPT-NeoX) with the tiny T5's tokenizer; `marks` are added to it as
    special tokens, as dolly has them.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    make_folder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": list(marks)})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer),
        max_position_embeddings=num_positions,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=1,
        eos_token_id=1,
        initializer_range=0.3,
        **({"intermediate_size": 64} if kind == "gpt_neox" else {}),
    )
    (folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("models") / "tiny-t5")


@pytest.fixture(scope="session")
def reference(tiny):
    """transformers' own tokenizer and model over the same folder."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(tiny).eval()
    return AutoTokenizer.from_pretrained(tiny), model


class ServerProcess:
    """`python -m serving` on a free loopback port, with its log kept."""

    def __init__(self, *, start_new_session=False, **env):
        clean = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            cwd=ROOT,
            start_new_session=start_new_session,
            env=clean
            | {
                "HOST": "127.0.0.1",
                "PORT": "0",
                "NUM_THREADS": "1",
                "NUM_WORKERS": "1",
                "PYTHONUNBUFFERED": "1",
                "CUDA_VISIBLE_DEVICES": "",
            }
            | {key: str(value) for key, value in env.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines += self.process.stdout

    @property
    def log(self):
        return "".join(self.lines)

    @property
    def url(self):
        """Where it listens; waits until it says so."""
        for _ in range(1500):
            if found := re.search(r"http://127\.0\.0\.1:\d+", self.log):
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"the server did not open its port:\n{self.log}")

    def wait_healthy(self):
        for _ in range(600):
            if httpx.get(self.url + "/health").status_code == 200:
                return self
            time.sleep(0.1)
        raise AssertionError(f"the server did not become healthy:\n{self.log}")

    def end(self, timeout=40):
        """Waits for the end of the process; returns its exit status."""
        status = self.process.wait(timeout)
        self._reader.join(5)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        self.process.stdout.close()


@pytest.fixture
def start_server(tiny):
    """A factory: environment in, running server out; all are ended after the test."""
    servers = []

    def start(**env):
        servers.append(ServerProcess(**{"MODEL_DIR": tiny} | env))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class ServerThread:
    """The same server in a thread of this process: no new import of torch, so it starts in half a second."""

    def __init__(self, **settings):
        from serving.__main__ import compose
        from serving.config import ServerConfig

        self.server = compose(ServerConfig(host="127.0.0.1", port=0, **{"num_threads": 1, "num_workers": 1} | settings))
        self.status = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        self.status = self.server.run()

    @property
    def url(self):
        for _ in range(1500):
            if self.server.address:
                return self.server.address
            time.sleep(0.01)
        raise AssertionError("the server did not open its port")

    def wait_healthy(self):
        for _ in range(600):
            if httpx.get(self.url + "/health").status_code == 200:
                return self
            time.sleep(0.02)
        raise AssertionError("the server did not become healthy")

    def close(self):
        self.server.stop()
        self.thread.join(40)


@pytest.fixture
def serve(tiny):
    """A factory: settings in, healthy server in a thread out."""
    servers = []

    def start(**settings):
        servers.append(ServerThread(**{"model_dir": tiny} | settings))
        return servers[-1].wait_healthy()

    yield start
    for server in servers:
        server.close()


class FaultyEngine:
    """The server's own engine, which goes wrong when it is told to: `fault(running)` runs before each step."""

    def __init__(self, engine, fault):
        self._engine = engine
        self._fault = fault

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def step(self, running):
        self._fault(running)
        self._engine.step(running)


@pytest.fixture
def break_engine(monkeypatch):
    """A factory: the servers that start after it have engines which run `fault(running)` before each step."""
    from serving.scheduling.dispatch import Dispatcher

    start = Dispatcher.start

    def break_(fault):
        monkeypatch.setattr(Dispatcher, "start", lambda self, engine: start(self, FaultyEngine(engine, fault)))

    return break_


@pytest.fixture(scope="session")
def server(tiny):
    """One healthy server with default settings, for tests that only ask."""
    server = ServerProcess(MODEL_DIR=tiny).wait_healthy()
    yield server
    server.close()


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client
