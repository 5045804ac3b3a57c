"""The training stack: off by default, least roles, one folder per run, and a model that carries its metrics."""

import json

import pytest
from pydantic import ValidationError

from cdk.config import ConfigError, DeploymentConfig, load
from cdk.training import Training, metric_label


@pytest.fixture(scope="module")
def tuned(synthesize, configured):
    """A deployment with fine-tuning on, synthesized: its stacks by name."""
    config = configured("local", training__enabled=True, training__spot=True, training__task="summarize-dialogues")
    folder = synthesize(config).folder / "stacks"
    return {path.name: json.loads((path / "cdk.tf.json").read_text()) for path in folder.iterdir()}


def only(stack, kind):
    (one,) = stack["resource"][kind].values()
    return one


def test_it_is_off_by_default_and_the_other_stacks_know_nothing_of_it(local, prod):
    for environment in (local, prod):
        assert not (environment.folder / "stacks" / "training").exists()
        assert "promotion" not in environment.only("endpoint", "vertex_endpoint_deployed_model")
        assert "training" not in json.dumps(environment.stacks["registry"]["resource"])


def test_the_job_is_told_its_task_where_to_write_and_to_go_on_after_a_spot_machine_was_taken(tuned):
    job = only(tuned["training"], "vertex_custom_job")
    (pool,) = job["worker_pool_specs"]
    environment = {one["name"]: one["value"] for one in pool["container_spec"][0]["env"]}

    assert json.loads(environment["TRAINING_CONFIG"]) == {"task": "summarize-dialogues"}
    assert job["base_output_directory"].startswith("gs://${google_storage_bucket.bucket.name}/runs/")
    assert job["scheduling"] == [{"timeout": "24h", "restart_job_on_worker_restart": True, "strategy": "SPOT"}]
    assert job["tensorboard"] == "${google_vertex_ai_tensorboard.tensorboard.id}"
    assert job["timeouts"]["create"] == f"{2 * 24 * 3600}s"
    assert pool["machine_spec"] == [
        {"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100", "accelerator_count": 1}
    ]


def test_several_gpus_are_several_processes(synthesize, configured):
    machine = {"training__machine_type": "a2-highgpu-8g", "training__accelerator_count": 8}
    folder = synthesize(configured("local", training__enabled=True, **machine)).folder
    stack = json.loads((folder / "stacks" / "training" / "cdk.tf.json").read_text())

    container = only(stack, "vertex_custom_job")["worker_pool_specs"][0]["container_spec"][0]
    assert container["command"] == ["python", "-m", "training", "launch"]


def test_the_tuned_model_takes_folder_and_labels_from_the_job_and_its_container_from_the_models_own_stack(tuned):
    model = only(tuned["training"], "vertex_model")
    base = only(tuned["model"], "vertex_model")

    assert model["model_id"] == "flan-t5-tuned"
    assert model["artifact_uri"] == "${vertex_custom_job.job.output_uri}"
    assert model["version_labels"] == "${vertex_custom_job.job.metric_labels}"
    mine, its = model["container_spec"][0], base["container_spec"][0]
    assert {**mine, "image_uri": ""} == {**its, "image_uri": ""}
    assert "vertex_image_build" in mine["image_uri"]


def test_the_endpoint_deploys_the_tuned_version_only_if_it_beats_the_one_that_serves(tuned):
    deployed = only(tuned["endpoint"], "vertex_endpoint_deployed_model")

    assert "vertex_model" in deployed["model"]
    assert deployed["promotion"] == [
        {
            "metrics": ["eval_rouge1", "eval_rouge2", "eval_rougel"],
            "rule": "all_greater",
            "on_refusal": "keep",
        }
    ]


def test_the_jobs_identity_writes_to_its_own_bucket_and_has_no_role_for_more(tuned):
    stack = tuned["training"]["resource"]
    account = "${google_service_account.identity_account_"
    on_bucket = [one for one in stack["google_storage_bucket_iam_member"].values() if account in one["member"]]
    on_project = [one for one in stack["google_project_iam_member"].values() if account in one["member"]]

    assert [one["role"] for one in on_bucket] == ["roles/storage.objectUser"]
    assert on_bucket[0]["bucket"] == "${google_storage_bucket.bucket.name}"
    roles = sorted(one["role"] for one in on_project)
    assert roles[0].startswith("${google_project_iam_custom_role.identity_tensorboard-writer")
    assert roles[1:] == ["roles/logging.logWriter"]
    (role,) = stack["google_project_iam_custom_role"].values()
    assert all(name.startswith("aiplatform.tensorboard") for name in role["permissions"])
    assert not any(name.endswith(".delete") for name in role["permissions"])


def test_another_setting_another_word_and_another_code_are_other_runs_and_another_machine_is_not():
    base = Training()
    runs = [
        base.run_id("a"),
        Training(settings={"optimizer": {"epochs": 3}}).run_id("a"),
        Training(run="again").run_id("a"),
        base.run_id("b"),
    ]

    assert len(set(runs)) == len(runs)
    assert Training(machine_type="a2-ultragpu-1g", accelerator_type="NVIDIA_A100_80GB").run_id("a") == runs[0]


def test_an_override_names_the_version_that_it_is_for():
    word = {"version": "3", "by": "anna@example.com", "reason": "because"}
    training = Training(promotion={"override": word, "min_gain": 0.5})

    assert training.promotion.block(model_id="flan-t5-tuned") == {
        "metrics": ["eval_rouge1", "eval_rouge2", "eval_rougel"],
        "rule": "all_greater",
        "on_refusal": "keep",
        "min_gain": 0.5,
        "override": [{"model": "flan-t5-tuned@3", "by": "anna@example.com", "reason": "because"}],
    }


@pytest.mark.parametrize(("value", "label"), [(43.12344, "43_1234"), (0, "0_0000"), (-1.5, "-1_5000")])
def test_a_figure_becomes_a_label_that_google_takes(value, label):
    assert metric_label(value) == label


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training__machine_type": "a9-giga"}, "training.machine_type: got 'a9-giga'; allowed are"),
        ({"training__accelerator_count": 2}, "training.accelerator_type: got NVIDIA_TESLA_A100 x2; a2-highgpu-1g has"),
        ({"google__region": "us-south1", "endpoint__machine_type": "e2-standard-4"}, "training.machine_type: got a2-"),
        ({"training__env": {"AIP_MODEL_DIR": "x"}}, "training.env: got AIP_MODEL_DIR"),
        ({"training__settings": {"task": "x"}}, 'settings: got a "task"'),
        ({"training__settings": {"a": float("nan")}}, "settings: got a value that JSON does not have"),
        ({"training__promotion": {"rule": "better"}}, "allowed is 'all_greater', 'none_less' or 'any_greater'"),
        ({"training__unknown": 1}, "unknown"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_synthesized(configured, changes, said):
    with pytest.raises(ValidationError) as refusal:
        configured("local", training__enabled=True, **changes)

    assert said.replace("allowed is ", "") in str(refusal.value).replace("Input should be ", "")


def test_what_is_off_is_not_held_to_the_machines_of_its_region(configured):
    assert isinstance(configured("local", training__machine_type="a9-giga"), DeploymentConfig)


def test_a_misspelt_key_of_the_section_is_named_with_those_allowed(tmp_path):
    text = (load.__globals__["DEPLOYMENTS"] / "local.toml").read_text()
    (tmp_path / "local.toml").write_text(text.replace('task = "generated-dialogues"', 'tusk = "generated-dialogues"'))

    with pytest.raises(ConfigError, match=r"training\.tusk: unknown key; allowed here are enabled, task"):
        load("local", folder=tmp_path)
