import json

import pytest

from training.config.places import Places
from training.config.reading import BadConfig, read, task_names


def set_to(*changes, environment=None, task="summarize-dialogues"):
    return read(task, environment=environment or {}, changes=changes)


@pytest.mark.parametrize("name", task_names())
def test_every_task_file_describes_a_training_and_is_named_after_it(name):
    assert read(name, environment={}).task == name


def test_the_defaults_are_the_tutorials():
    config = set_to()

    assert (config.model.base, config.data.source) == ("google/flan-t5-base", "knkarthick/samsum")
    assert config.prompt.template == "summarize: {input}"
    assert (config.optimizer.epochs, config.optimizer.batch, config.optimizer.learning_rate) == (5, 8, 5e-5)
    assert (config.prompt.source_length, config.prompt.target_length) == ("longest", "longest")


def test_another_task_differs_by_settings_alone():
    config = read("biography-qa", environment={})

    assert (config.data.input, config.data.target) == ("question", "answer")
    assert config.optimizer == set_to().optimizer


def test_a_later_setting_goes_before_an_earlier_one():
    environment = {"TRAINING_CONFIG": json.dumps({"optimizer": {"epochs": 2, "batch": 4}})}

    config = set_to("optimizer.batch=2", environment=environment)

    assert (config.optimizer.epochs, config.optimizer.batch) == (2, 2)
    assert config.optimizer.learning_rate == 5e-5


def test_the_variable_names_the_task_when_the_command_does_not():
    environment = {"TRAINING_CONFIG": '{"task": "biography-qa", "optimizer": {"seed": 1}}'}

    assert read(None, environment=environment).data.input == "question"
    assert read(None, environment=environment).optimizer.seed == 1
    assert read(None, environment={"TRAINING_CONFIG": ""}).task == "generated-dialogues"


def test_a_whole_task_survives_the_variable():
    config = set_to("lora.enabled=true", "prompt.target_length='percentile:95'", "optimizer.precision=bf16")
    environment = {"TRAINING_CONFIG": config.model_dump_json()}

    assert read(None, environment=environment) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("optimizer.epoch=3", "optimizer.epoch is not known; known are epochs, max_steps,"),
        ("optimiser.epochs=3", "optimiser is not known; known are task, model, data,"),
        ("optimizer.batch=0", "optimizer.batch should be greater than 0, got 0"),
        (
            "optimizer.batch=many",
            "optimizer.batch should be a valid integer, unable to parse string as an integer, got",
        ),
        ("optimizer.precision=fp16", "optimizer.precision should be 'auto', 'fp32' or 'bf16', got 'fp16'"),
        ("prompt.template=no place", "prompt template must hold {input} exactly once, got 'no place'"),
        ("prompt.source_length=percentile:0", "should be a number from 1, `longest`, or `percentile:95`, got"),
        ("optimizer.learning_rate=nan", "optimizer.learning_rate should be a finite number, got nan"),
        ("=3", "--set takes name=value, such as optimizer.epochs=3; got '=3'"),
        ("optimizer", "--set takes name=value"),
        ("optimizer=3", "optimizer should be"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_can(change, words):
    with pytest.raises(BadConfig) as refused:
        set_to(change)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "TRAINING_CONFIG is no JSON"),
        ("[1]", "must be a JSON object"),
        ('{"task": "no-such"}', "no task 'no-such'"),
    ],
)
def test_a_variable_that_is_no_configuration_is_refused(text, words):
    with pytest.raises(BadConfig, match=words):
        read(None, environment={"TRAINING_CONFIG": text})


def test_a_task_may_be_any_file(tmp_path):
    (tmp_path / "mine.toml").write_text('task = "mine"\n[optimizer]\nepochs = 1\n')
    (tmp_path / "broken.toml").write_text("task = ")

    assert read(str(tmp_path / "mine.toml"), environment={}).task == "mine"
    with pytest.raises(BadConfig, match="is no TOML"):
        read(str(tmp_path / "broken.toml"), environment={})
    with pytest.raises(BadConfig, match="known are biography-qa, generated-dialogues,"):
        read("nothing", environment={})


def test_folders_are_vertex_ais_where_it_names_them(tmp_path):
    environment = {"AIP_MODEL_DIR": "gs://b/model/", "AIP_CHECKPOINT_DIR": "gs://b/checkpoints/"}

    places = Places.of(tmp_path, environment=environment)

    assert (places.model, places.checkpoints) == ("gs://b/model/", "gs://b/checkpoints/")
    assert (places.logs, places.own_checkpoints) == (str(tmp_path / "logs"), False)
    assert Places.of(tmp_path, environment=environment, model="here").model == "here"
    assert Places.of(tmp_path, environment={"AIP_MODEL_DIR": ""}).model == str(tmp_path / "model")
