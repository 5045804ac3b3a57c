import json
import logging
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.folder import Wanted, load
from serving.engine.continuous.t5_engine import T5Engine
from serving.engine.memory import Room
from serving.validation import Limits
from serving.warmup import generate_now, read_golden
from tests.serving.conftest import make_folder
from tests.serving.forcing import forced_log_probs

LIMITS = Limits(max_input_tokens=512, max_new_tokens=128, default_new_tokens=64)
EMBEDDED = Path(__file__).parents[3] / "models" / "dialogue-t5-mini"


@pytest.fixture
def folder(tiny, tmp_path):
    """A copy of the tiny model, to damage."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


class Progress:
    def __init__(self):
        self.phases = []
        self.num_bytes = 0

    def enter(self, phase, *, total_bytes=None):
        self.phases.append((phase, total_bytes))

    def advance(self, num_bytes):
        self.num_bytes += num_bytes


def open_folder(folder, progress=None, **options):
    room = Room(max_batch_size=4, max_source=64, max_target=64)
    wanted = Wanted(**{"room": room, "device": "cpu"} | options)
    return load(folder, wanted, progress=progress or Progress())


def engine_of(checkpoint):
    return T5Engine(checkpoint.model, eos_ids=checkpoint.eos_ids, num_slots=2, max_source=512, max_target=128)


def log_probs_differ_by(folder, model):
    """The largest difference from transformers over every token of a few prompts and answers."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    reference = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    prompts, answers = [[5, 9, 30, 1], [7, 1]], [[0, 8, 20], [0, 3, 3]]
    got = forced_log_probs(model, prompts, answers)
    with torch.inference_mode():
        wanted = [
            reference(input_ids=torch.tensor([p]), decoder_input_ids=torch.tensor([a])).logits[0].log_softmax(-1)
            for p, a in zip(prompts, answers, strict=True)
        ]
    return max((g - w).abs().max().item() for g, w in zip(got, wanted, strict=True))


def as_pickle(folder):
    """Turns the weights into the format of old checkpoints."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("owned"),))


def answer(checkpoint, prompt="Anna asks Ben"):
    return generate_now(
        engine_of(checkpoint),
        prompt,
        max_new_tokens=12,
        tokenizer=checkpoint.tokenizer,
        limits=LIMITS,
    ).text


def test_a_safetensors_folder_loads_as_float32_on_a_cpu_and_names_its_phases(folder):
    progress = Progress()

    got = open_folder(folder, progress)

    assert (got.device, got.dtype) == ("cpu", "float32")
    assert [phase.split()[1] for phase, _ in progress.phases] == ["the", "PyTorch", "weights,"]
    file_bytes = (folder / "model.safetensors").stat().st_size
    assert progress.phases[-1][1] == file_bytes
    # all of the file but its header, which names the tensors
    assert 0.9 * file_bytes < progress.num_bytes <= file_bytes


def test_a_pickled_checkpoint_loads_with_a_warning_and_answers_alike(folder, tiny, caplog):
    as_pickle(folder)
    with caplog.at_level(logging.WARNING, logger="serving"):
        got = open_folder(folder)

    assert "pytorch_model.bin is a pickle: read with weights_only=True" in caplog.text
    assert answer(got) == answer(open_folder(tiny))


def test_safetensors_are_preferred_to_pickles(folder, caplog):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))

    open_folder(folder)

    assert "pickle" not in caplog.text


def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(folder, monkeypatch):
    import torch

    monkeypatch.chdir(folder)
    (folder / "model.safetensors").unlink()
    for write in (lambda path: torch.save({"w": Evil()}, path), lambda path: path.write_bytes(pickle.dumps(Evil()))):
        write(folder / "pytorch_model.bin")
        with pytest.raises(CheckpointError, match="do not load"):
            open_folder(folder)

    assert not (folder / "owned").exists()


def test_code_in_a_folder_is_never_imported(folder):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSeq2SeqLM": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('imported')")

    assert open_folder(folder).dtype == "float32"


def test_sharded_weights_load_and_a_missing_shard_is_named(folder, reference):
    shutil.rmtree(folder)
    tokenizer, model = reference
    model.save_pretrained(folder, max_shard_size="100KB")
    tokenizer.save_pretrained(folder)
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    assert answer(open_folder(folder))

    shards[1].unlink()
    with pytest.raises(CheckpointError, match=f"missing: {shards[1].name}"):
        open_folder(folder)


def test_flan_t5s_own_output_layer_is_kept_apart_and_unscaled(folder):
    """Flan-T5 stores `lm_head` beside `shared`; transformers 5 ties the two unless the file holds different numbers."""
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    torch.manual_seed(1)
    tensors["lm_head.weight"] = torch.randn_like(tensors["shared.weight"])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["tie_word_embeddings"] = False
    del config["scale_decoder_outputs"]
    (folder / "config.json").write_text(json.dumps(config))

    model = open_folder(folder).model
    assert not model.config.scale_outputs
    assert log_probs_differ_by(folder, model) < 1e-2  # of 100; the weights are large: float32 itself errs by 1e-3


def test_a_first_generation_t5_shares_its_output_layer_and_scales_it(tmp_path):
    folder = make_folder(tmp_path / "t5")
    config = json.loads((folder / "config.json").read_text())
    del config["tie_word_embeddings"], config["scale_decoder_outputs"]
    (folder / "config.json").write_text(json.dumps(config))

    model = open_folder(folder).model
    assert model.config.scale_outputs
    assert log_probs_differ_by(folder, model) < 1e-2  # of 100; the weights are large: float32 itself errs by 1e-3


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_reduced_precision_answers(folder, dtype):
    got = open_folder(folder, dtype=dtype)

    assert got.dtype == dtype
    assert answer(got)


def drop(name):
    return lambda folder: (folder / name).unlink()


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def shrink(key):
    def shrunk(folder):
        config = json.loads((folder / "config.json").read_text())
        config[key] -= 1
        (folder / "config.json").write_text(json.dumps(config))

    return shrunk


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])


def lose_a_tensor(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["decoder.final_layer_norm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (shutil.rmtree, "is not a folder"),
        (drop("config.json"), "has no config.json"),
        (write("config.json", "{"), "config.json is not JSON"),
        (
            write("config.json", '{"model_type": "bert"}'),
            "of model type 'bert' .* this server runs T5 and mT5, and models for",
        ),
        (drop("tokenizer.json"), "has no tokenizer.json"),
        (write("tokenizer.json", "{}"), "the tokenizer in .* does not load"),
        (drop("model.safetensors"), "has no weights: expected model.safetensors .* found config.json"),
        (cut_weights, "the weights in .* do not load"),
        (lose_a_tensor, "decoder.final_layer_norm.weight, which config.json asks for, is not in the weights"),
        (
            write("config.json", '{"model_type": "t5", "d_model": 32}'),
            "config.json has no d_kv, and a T5 has one",
        ),
        (shrink("d_ff"), r"wi.weight has shape \[64, 32\] and config.json asks for \[63, 32\]"),
    ],
    ids=[
        "gone",
        "no config",
        "cut config",
        "other kind",
        "no tokenizer",
        "bad tokenizer",
        "no weights",
        "cut",
        "lost",
        "keys",
        "shape",
    ],
)
def test_a_damaged_folder_is_refused_with_what_is_wrong(folder, damage, sentence):
    damage(folder)

    with pytest.raises(CheckpointError, match=sentence):
        open_folder(folder)


def test_cuda_without_a_gpu_is_refused(folder):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(CheckpointError, match="DEVICE is cuda but PyTorch sees no GPU"):
        open_folder(folder, device="cuda")


@pytest.mark.skipif(not (EMBEDDED / "golden.json").is_file(), reason="models/dialogue-t5-mini is not there")
def test_the_embedded_model_gives_its_golden_answers():
    checkpoint = open_folder(EMBEDDED)
    golden = read_golden(EMBEDDED)
    engine = engine_of(checkpoint)

    got = [
        generate_now(engine, case.prompt, max_new_tokens=128, tokenizer=checkpoint.tokenizer, limits=LIMITS).text
        for case in golden
    ]
    assert golden
    assert got == [case.output for case in golden]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("quantize", ["int8", "int8-weights"])
def test_int8_answers_beside_numbers_of_every_precision(folder, quantize, dtype):
    assert answer(open_folder(folder, quantize=quantize, dtype=dtype))


LOAD_TWO = """
import re, sys
from pathlib import Path
from serving.checkpoint.folder import Wanted, load_model
from serving.engine.memory import Room

class Progress:
    def enter(self, phase, *, total_bytes=None): pass
    def advance(self, num_bytes): pass

def held(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

tiny, folder, quantize, dtype = sys.argv[1:]
wanted = Wanted(Room(4, 64, 16), device="cpu", dtype=dtype, quantize=quantize)
load_model(Path(tiny), wanted, progress=Progress())  # imports, and what else is taken once
before = held("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
loaded = load_model(Path(folder), wanted, progress=Progress())
print(held("VmHWM") - before, held("VmRSS") - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A T5 of 100 MB, without a tokenizer."""
    from transformers import T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("large")
    sizes = {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 2, "num_heads": 8, "vocab_size": 15_000}
    T5ForConditionalGeneration(
        T5Config(**sizes, feed_forward_proj="gated-gelu", decoder_start_token_id=0, tie_word_embeddings=False)
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("quantize", "dtype"), [("none", "float32"), ("none", "bfloat16"), ("int8", "float32")])
def test_loading_never_holds_a_second_copy_of_the_weights(tiny, large, quantize, dtype):
    done = subprocess.run(
        [sys.executable, "-c", LOAD_TWO, tiny, large, quantize, dtype],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    peak, kept = map(int, done.stdout.split())

    num_bytes = (large / "model.safetensors").stat().st_size
    # the largest tensor is in the file's memory while it is copied, and what was freed goes back in pieces
    assert peak - kept < 0.9 * num_bytes  # 0.4 to 0.65


def test_a_model_that_cannot_fit_is_refused_before_its_weights_are_read(folder):
    (folder / "model.safetensors").write_bytes(b"never read")

    with pytest.raises(CheckpointError, match=r"one sequence of 1000000000 .* are available"):
        open_folder(folder, room=Room(max_batch_size=1, max_source=10**9, max_target=64))
