import json

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from training.corpus.dialogues import take
from training.embedded import evaluation
from training.embedded import export as exporting
from training.embedded.export import NUM_GOLDEN, TooLarge, export, load

INFERENCE = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(scope="module")
def folder(tiny, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "MAX_NEW_TOKENS", 4)  # a model that knows nothing never ends
        export(tiny.model(), tokenizer, folder, recipe=tiny, test=take("test", 6, 7), made="Made by `a command`")
    return folder


def test_the_folder_holds_what_inference_needs_the_card_and_the_golden_answers(folder):
    assert {path.name for path in folder.iterdir()} == INFERENCE | {"README.md", "golden.json"}


def test_the_folder_loads_with_auto_classes_and_generates_without_nan(folder):
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    inputs = tokenizer("summarize: Anna: Hi", return_tensors="pt")

    out = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    logits = model(**inputs, decoder_input_ids=torch.tensor([[0]])).logits

    assert out.shape[1] <= 6
    assert torch.isfinite(logits).all()


def test_a_load_that_names_no_type_computes_in_fp32(folder):
    assert AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True).dtype == torch.float32


def test_the_weights_that_are_read_are_those_that_were_trained_rounded_to_fp16(folder, tiny):
    read, _ = load(folder)

    for name, value in tiny.model().state_dict().items():
        assert torch.equal(read.state_dict()[name], value.half().float()), name


def test_the_card_states_the_metrics_the_command_the_samples_and_the_limits(folder):
    card = (folder / "README.md").read_text()

    for part in ("ROUGE-L", "every fact right", "`a command`", "## Limits", "unedited", "typed by hand"):
        assert part in card
    assert all(one.dialogue in card for one in take("test", 5, 7))


def test_golden_answers_are_those_of_the_written_model(folder):
    golden = json.loads((folder / "golden.json").read_text())

    assert len(golden) == NUM_GOLDEN
    assert [one["prompt"] for one in golden] == [one.prompt for one in take("test", NUM_GOLDEN, 7)]


def test_weights_too_large_for_the_repository_are_refused(tiny, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_WEIGHT_BYTES", 1000)

    with pytest.raises(TooLarge, match="at most 1000"):
        export(tiny.model(), tokenizer, tmp_path, recipe=tiny, test=take("test", 6, 7), made="Made by `a command`")


def test_the_prefix_is_written_where_the_server_reads_it(folder):
    assert json.loads((folder / "config.json").read_text())["prompt_template"] == "summarize: {input}"
