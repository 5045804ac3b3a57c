"""What a training job wrote about its model arrives as labels: the file's rules, and one job under real Terraform."""

from __future__ import annotations

import json
import tempfile
import textwrap
from pathlib import Path

import pytest

from provider.custom_job.evaluation import labels_of
from provider.limits import label_problems

METRICS = {
    "validation": {"rouge1": 43.12341, "rougeLsum": 40.0, "gen_len": 17},
    "test": {"rouge1": 42.5},
    "task": "summarize.Dialogue",
    "base_model": "google/flan-t5-base",
    "seconds": 12.5,
    "merged": True,
}
TRAIN = textwrap.dedent("""
    import json, os
    from google.cloud import storage

    bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
    text = os.environ.get("METRICS")
    if text:
        storage.Client().bucket(bucket).blob(folder + "metrics.json").upload_from_string(text)
""")


def test_numbers_keep_four_decimals_behind_an_underscore_and_words_are_cut_to_what_a_label_may_be():
    assert labels_of(METRICS) == {
        "base_model": "google_flan-t5-base",
        "eval_gen_len": "17",
        "eval_rouge1": "43_1234",
        "eval_rougelsum": "40_0000",
        "merged": "true",
        "seconds": "12_5000",
        "task": "summarize_dialogue",
        "test_rouge1": "42_5000",
    }


def test_whatever_the_file_says_the_labels_are_ones_that_google_takes():
    odd = {"validation": {"_x": 1, "ROUGE 1!": 2.0, "n" * 100: 3}, "": 1, "9": 2, "nan": float("nan"), "list": [1]}
    many = {f"m{number}": number for number in range(200)}

    for metrics in (METRICS, odd, many, {}):
        assert label_problems(("labels",), labels_of(metrics)) == []
    assert "nan" not in labels_of(odd)


@pytest.fixture(scope="module")
def job(cloud, workspace):
    """A folder with a job that writes this text as its metrics."""
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-evaluation"})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(TRAIN)
        config = {"cmd": ["python", "train.py"], "workdir": "/"}
        body = {"uri": "europe-west4-docker.pkg.dev/flan/images/evaluated:v1", "folder": folder, "config": config}
        digest = cloud.call("POST", "/localcloud/images", body)["digest"]

    def make(name, metrics):
        container = {
            "image_uri": f"europe-west4-docker.pkg.dev/flan/images/evaluated@{digest}",
            "env": [{"name": "METRICS", "value": metrics}],
        }
        pool = {"machine_spec": [{"machine_type": "n1-standard-4"}], "container_spec": [container]}
        body = {"display_name": name, "base_output_directory": f"gs://flan-evaluation/{name}"}
        return workspace(name).write(custom_job={**body, "worker_pool_specs": [pool]})

    return make


@pytest.mark.e2e
def test_a_job_that_succeeded_tells_its_metrics_and_the_next_plan_is_empty(job):
    folder = job("evaluated", json.dumps(METRICS))
    folder.apply()

    assert folder.state()["custom_job"]["metric_labels"] == labels_of(METRICS)
    assert folder.is_unchanged()


@pytest.mark.e2e
@pytest.mark.parametrize(("text", "said"), [("", ""), ("no JSON", "cannot be read")])
def test_a_job_without_readable_metrics_has_succeeded_all_the_same(job, text, said):
    folder = job("blank" if not text else "unreadable", text)

    assert said in folder.apply()
    assert folder.state()["custom_job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert folder.state()["custom_job"]["metric_labels"] is None
