import json
import logging
import pickle
import shutil
from pathlib import Path

import pytest

from serving.checkpoint import CheckpointError, check_fits, load
from serving.engine_transformers import TransformersEngine
from serving.validation import Limits
from serving.warmup import generate_now, read_golden

LIMITS = Limits(max_input_tokens=512, max_new_tokens=128, default_new_tokens=64)
EMBEDDED = Path(__file__).parents[2] / "models" / "dialogue-t5-mini"


@pytest.fixture
def folder(tiny, tmp_path):
    """A copy of the tiny model, to damage."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def open_folder(folder, **options):
    return load(folder, **{"device": "cpu", "dtype": "auto", "on_phase": lambda phase: None} | options)


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
        TransformersEngine(checkpoint.model),
        prompt,
        max_new_tokens=12,
        tokenizer=checkpoint.tokenizer,
        limits=LIMITS,
    ).text


def test_a_safetensors_folder_loads_as_float32_on_a_cpu_and_names_its_phases(folder):
    phases = []

    got = open_folder(folder, on_phase=phases.append)

    assert (got.device, got.dtype) == ("cpu", "float32")
    assert [phase.split()[1] for phase in phases] == ["PyTorch", "the", "weights,"]


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
    assert torch.equal(model.lm_head.weight, tensors["lm_head.weight"])
    assert torch.equal(model.decoder.embed_tokens.weight, tensors["shared.weight"])
    assert not model.config.scale_decoder_outputs


def test_a_first_generation_t5_shares_its_output_layer_and_scales_it(tmp_path):
    import torch

    from tests.serving.conftest import make_folder

    folder = make_folder(tmp_path / "t5")
    config = json.loads((folder / "config.json").read_text())
    del config["tie_word_embeddings"], config["scale_decoder_outputs"]
    (folder / "config.json").write_text(json.dumps(config))

    model = open_folder(folder).model
    assert torch.equal(model.lm_head.weight, model.shared.weight)
    assert model.config.scale_decoder_outputs


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_reduced_precision_answers_and_float16_keeps_wo_in_float32(folder, dtype):
    got = open_folder(folder, dtype=dtype)
    kinds = {
        name.endswith("wo.weight"): str(tensor.dtype)
        for name, tensor in got.model.named_parameters()
        if "DenseReluDense" in name
    }

    assert kinds == {False: f"torch.{dtype}", True: "torch.float32" if dtype == "float16" else "torch.bfloat16"}
    assert answer(got)


def drop(name):
    return lambda folder: (folder / name).unlink()


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


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
        (write("config.json", '{"model_type": "gpt2"}'), "of model type 'gpt2'; this server runs sequence-to-sequence"),
        (drop("tokenizer.json"), "has no tokenizer.json"),
        (write("tokenizer.json", "{}"), "the tokenizer in .* does not load"),
        (drop("model.safetensors"), "has no weights: expected model.safetensors .* found config.json"),
        (cut_weights, "the weights in .* do not load"),
        (
            lose_a_tensor,
            "1 tensors that config.json asks for are not in the weights, such as decoder.final_layer_norm.weight",
        ),
    ],
    ids=[
        "gone",
        "no config",
        "cut config",
        "decoder only",
        "no tokenizer",
        "bad tokenizer",
        "no weights",
        "cut",
        "lost",
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


def test_float32_xxl_is_refused_on_a_40_gb_gpu_and_bfloat16_is_not():
    with pytest.raises(CheckpointError, match=r"need 45\.0 GB as torch\.float32 and the GPU has 42\.1 GB free"):
        check_fits(45_000_000_000, 42_100_000_000, dtype="torch.float32")
    check_fits(22_500_000_000, 42_100_000_000, dtype="torch.bfloat16")


@pytest.mark.skipif(not (EMBEDDED / "golden.json").is_file(), reason="models/dialogue-t5-mini is not there")
def test_the_embedded_model_gives_its_golden_answers():
    checkpoint = open_folder(EMBEDDED)
    golden = read_golden(EMBEDDED)
    engine = TransformersEngine(checkpoint.model)

    got = [
        generate_now(engine, case.prompt, max_new_tokens=128, tokenizer=checkpoint.tokenizer, limits=LIMITS).text
        for case in golden
    ]
    assert golden
    assert got == [case.output for case in golden]
