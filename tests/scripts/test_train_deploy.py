"""`make train-deploy`: what it refuses before it touches anything, and what it tells at the end."""

import pytest

from cdk.config import load
from scripts.timeline import Timeline
from scripts.train_deploy import TrainingOff, deploy, summary


def test_a_deployment_without_training_is_told_how_to_turn_it_on():
    with pytest.raises(TrainingOff, match=r"\[training\] of deployments/local\.toml has enabled = false"):
        deploy(load("local"), Timeline())


def test_the_summary_has_the_figures_of_both_splits_and_the_verdict():
    metrics = {"eval_rouge1": "43_1234", "eval_gen_len": "17_0", "test_rouge1": "42_5000", "task": "dialogues"}
    text = summary({"metrics": metrics, "model_version": "m@2"}, {"promotion_verdict": "refused m@2 over m@1"})

    assert "eval       rouge1 43.1234\n" in text
    assert "test       rouge1 42.5000\n" in text
    assert "Verdict    refused m@2 over m@1" in text


def test_a_job_without_metrics_is_told_as_that():
    assert "eval       no metrics" in summary({"metrics": None}, {})
