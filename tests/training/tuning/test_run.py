import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from training.config.places import Places
from training.config.reading import BadConfig
from training.folder.metadata import read_template
from training.scoring.rouge import METRICS, rouge
from training.tuning.interruption import StopRequest
from training.tuning.run import fine_tune

# peft asks transformers by the old name
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def tuned(config, folder, **options):
    torch.set_num_threads(1)  # sums are added up in another order by two
    places = Places.of(folder, environment={})
    return fine_tune(config, places, stop=StopRequest(), tell=lambda text: None, **options)


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """Result and folder of a whole run."""
    folder = tmp_path_factory.mktemp("run")
    return tuned(config(), folder), folder


def test_the_metrics_file_holds_the_figures_of_both_splits_and_where_they_come_from(run):
    result, folder = run

    metrics = json.loads((folder / "model" / "metrics.json").read_text())

    assert metrics == result.metrics
    assert set(metrics) == {"validation", "test", "task", "base_model", "git_sha", "seconds", "attempts"}
    for split in ("validation", "test"):
        assert set(metrics[split]) == {*METRICS, "gen_len"}
        assert all(0 < metrics[split][metric] <= 100 for metric in METRICS)
    assert (metrics["task"], metrics["base_model"]) == ("generated-dialogues", "models/dialogue-t5-mini")


def test_the_folder_is_one_that_transformers_loads_and_its_answers_score_what_the_metrics_say(run, config):
    from training.records.record_sets import record_sets
    from training.tuning.encoding import filled

    result, folder = run
    model = AutoModelForSeq2SeqLM.from_pretrained(folder / "model", local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model", local_files_only=True)
    test = record_sets(config().data, seed=config().optimizer.seed, scratch=folder).test
    prompts = [filled(read_template(folder / "model"), text) for text in test["input"]]

    ids = model.generate(**tokenizer(prompts, padding=True, return_tensors="pt"))
    answers = tokenizer.batch_decode(ids, skip_special_tokens=True)

    wanted = {name: value for name, value in result.metrics["test"].items() if name != "gen_len"}
    assert rouge(answers, test["target"]) == wanted


def test_the_card_tells_data_settings_figures_commit_and_samples(run):
    result, folder = run

    card = (folder / "model" / "README.md").read_text()

    assert "64 records to learn from, 12 to choose the best model by, 12 for the figures" in card
    assert f"| test | {result.metrics['test']['rouge1']:.2f} |" in card
    assert "| optimizer.learning_rate | 0.002 |" in card
    assert f"code {result.metrics['git_sha']}" in card
    assert card.count("- reference: ") == 5


def test_tensorboard_itself_reads_the_logs(run):
    _, folder = run

    events = EventAccumulator(str(folder / "logs")).Reload()

    assert {"train/loss", "train/learning_rate", "eval/rouge1", "eval/rougeLsum", "eval/gen_len"} <= set(
        events.Tags()["scalars"]
    )
    assert [event.step for event in events.Scalars("eval/rouge1")] == [4, 8]


def test_checkpoints_that_nobody_asked_for_go_when_the_training_is_done(run):
    _, folder = run

    assert sorted(path.name for path in folder.iterdir()) == ["logs", "model"]


def test_the_folder_holds_the_model_its_figures_and_nothing_else(run):
    _, folder = run

    assert {path.name for path in (folder / "model").iterdir()} == {
        "README.md", "config.json", "generation_config.json", "metrics.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert json.loads((folder / "model" / "config.json").read_text())["use_cache"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(run, config, tmp_path):
    _, folder = run
    weights = load_file(folder / "model" / "model.safetensors")

    tuned(config(), tmp_path / "again")
    tuned(config("optimizer.seed=1"), tmp_path / "other")

    again = load_file(tmp_path / "again" / "model" / "model.safetensors")
    other = load_file(tmp_path / "other" / "model" / "model.safetensors")
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert not all(torch.equal(weights[name], other[name]) for name in weights)


def test_adapters_are_merged_into_a_plain_model_whose_answers_are_those_that_were_scored(config, tmp_path):
    result = tuned(config("lora.enabled=true", "optimizer.learning_rate=0.02"), tmp_path)

    base = load_file("models/dialogue-t5-mini/model.safetensors")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    changed = {name for name in weights if not torch.equal(weights[name], base[name].float())}
    assert set(weights) == set(base)
    assert changed
    assert all(name.endswith((".q.weight", ".v.weight")) for name in changed)
    assert result.metrics["test"]["rouge1"] > 0
    assert "LoRA, rank 16" in (tmp_path / "model" / "README.md").read_text()


def test_an_output_layer_of_its_own_as_flan_t5_has_stays_its_own(config, tokenizer, tiny, tmp_path):
    model = tiny.model()
    model.config.scale_decoder_outputs = False
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    weights = load_file(tmp_path / "base" / "model.safetensors")
    weights["lm_head.weight"] = weights["shared.weight"].flip(0).contiguous()
    save_file(weights, tmp_path / "base" / "model.safetensors", metadata={"format": "pt"})

    tuned(config(f"model.base={tmp_path / 'base'}", "generation.max_new_tokens=4"), tmp_path / "run")

    after = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert not torch.equal(after["lm_head.weight"], after["shared.weight"])
    assert not torch.equal(after["lm_head.weight"], weights["lm_head.weight"])


def test_gradients_may_be_accumulated_and_activations_computed_twice(config, tmp_path):
    whole = tuned(config("optimizer.max_steps=4"), tmp_path / "whole")
    thrifty = ("optimizer.max_steps=4", "optimizer.batch=4", "optimizer.accumulation=4")

    parts = tuned(config(*thrifty, "optimizer.gradient_checkpointing=true"), tmp_path / "parts")

    assert parts.metrics["validation"]["rouge1"] == pytest.approx(whole.metrics["validation"]["rouge1"], abs=2.0)


def test_frozen_weights_under_adapters_are_kept_in_bf16(config, tmp_path):
    tuned(config("optimizer.precision=bf16", "lora.enabled=true", "optimizer.max_steps=2"), tmp_path)

    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}


def test_bf16_trains_and_the_exported_weights_are_float32(config, tmp_path):
    tuned(config("optimizer.precision=bf16", "optimizer.max_steps=2"), tmp_path)

    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert all(torch.isfinite(weight).all() for weight in weights.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("model.base=/nowhere", "model.base '/nowhere' is no model folder"),
        ("optimizer.batch=1000000000", "models/dialogue-t5-mini by ddp does not fit: it needs"),
        ("lora.modules=['query']", "lora.modules ['query']: Target modules"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_training(config, tmp_path, change, words):
    with pytest.raises(BadConfig) as refused:
        tuned(config(change, "lora.enabled=true"), tmp_path)

    assert words in str(refused.value)
