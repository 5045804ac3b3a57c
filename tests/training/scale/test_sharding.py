import json

import pytest

from training.config.reading import BadConfig, read
from training.scale.sharding import fsdp, processes, sharding, zero3


def task(*changes):
    return read("summarize-news", environment={}, changes=changes)


def test_the_xxl_task_shards_weights_gradients_and_optimizer_in_bf16():
    config = task()
    settings = zero3(is_bf16=True, is_offloading=False)

    assert (config.scale.machine_type, config.scale.strategy) == ("a2-highgpu-8g", "zero3")
    assert settings["zero_optimization"]["stage"] == 3
    assert settings["bf16"] == {"enabled": True}
    assert "offload_optimizer" not in settings["zero_optimization"]
    assert settings["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"]
    json.dumps(settings)


def test_offloading_moves_optimizer_and_weights_to_the_machines_memory():
    zero = zero3(is_bf16=True, is_offloading=True)["zero_optimization"]

    assert zero["offload_optimizer"]["device"] == zero["offload_param"]["device"] == "cpu"


def test_without_sharding_the_trainer_recomputes_and_with_fsdp_fsdp_does():
    assert sharding(task("scale.strategy=ddp"), is_bf16=True) == {"activation_checkpointing": True}
    assert fsdp(is_recomputing=True)["activation_checkpointing"]
    assert fsdp(is_recomputing=True)["transformer_layer_cls_to_wrap"] == ["T5Block"]


def test_no_optimizer_is_asked_for_that_would_be_compiled_at_the_start():
    for is_offloading in (False, True):
        settings = zero3(is_bf16=True, is_offloading=is_offloading)

        assert settings["zero_force_ds_cpu_optimizer"] is False
        assert "optimizer" not in settings


def test_a_strategy_that_this_machine_cannot_follow_is_refused_and_not_quietly_left_out(monkeypatch):
    with pytest.raises(BadConfig, match="fsdp needs GPUs"):
        sharding(task("scale.strategy=fsdp"), is_bf16=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadConfig, match="zero3 needs the package deepspeed"):
        processes(task(), environment={"RANK": "0"})


def test_a_process_that_nobody_launched_is_no_part_of_zero3(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)

    with pytest.raises(BadConfig, match=r"needs processes that know each other: `python -m training launch"):
        processes(task(), environment={})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["lora.enabled=true"], "scale.strategy must be ddp where lora.enabled is true, got zero3"),
        (["scale.strategy=ddp", "scale.offload=true"], "scale.offload is of zero3 alone, got strategy ddp"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(changes, words):
    with pytest.raises(BadConfig, match=words):
        task(*changes)
