import dataclasses

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from training.config.reading import BadConfig, read
from training.scale.machines import MACHINES, machine_of
from training.scale.memory import GIB, activations, flops, need, require_room, verdict
from training.scale.sizes import SIZES, Size, size_of

TINY = Size(d_model=64, d_kv=16, d_ff=160, num_heads=4, num_layers=3, vocab_size=500)


def task(*changes, name="summarize-dialogues"):
    return read(name, environment={}, changes=changes)


def as_model(size, **options):
    fields = dataclasses.asdict(size)
    is_tied = fields.pop("is_tied")
    fields["relative_attention_num_buckets"] = fields.pop("num_buckets")
    options |= {"feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0, "tie_word_embeddings": is_tied}
    return T5ForConditionalGeneration(T5Config(**fields, **options))


@pytest.mark.parametrize("base", SIZES)
def test_the_number_of_weights_is_that_of_transformers_own_model(base):
    with torch.device("meta"):
        model = as_model(SIZES[base])

    # transformers 5 unties the output layer when it loads a checkpoint that has one, as all of these have
    assert SIZES[base].num_parameters == model.num_parameters() + model.lm_head.weight.numel()
    assert dataclasses.replace(SIZES[base], is_tied=True).num_parameters == model.num_parameters()


def test_base_has_the_weights_that_the_tutorial_names_and_a_folder_tells_its_own():
    assert size_of("google/flan-t5-base").num_parameters == 247_577_856
    assert size_of("models/dialogue-t5-mini").num_parameters == 1_050_368
    with pytest.raises(BadConfig, match=r"the size of model.base 'someone/else' is not known"):
        size_of("someone/else")


def saved_bytes(model, *, source, target):
    """What PyTorch really keeps for the backward pass of one record in fp32, weights aside."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(input_ids=torch.ones(1, source).long(), labels=torch.ones(1, target).long()).loss
    assert loss.requires_grad
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize(("source", "target"), [(128, 32), (64, 64), (256, 16)])
def test_activations_are_what_pytorch_keeps_within_a_fifth(source, target):
    model = as_model(TINY, dropout_rate=0.1).train()
    computed = activations(task("optimizer.precision=fp32"), TINY, source=source, target=target)

    kept = saved_bytes(model, source=source, target=target)

    scores = target * TINY.vocab_size * 4 * 2  # counted as scores, not as activations
    assert kept - scores == pytest.approx(computed, rel=0.2)


def test_states_are_sixteen_bytes_a_weight_in_fp32_and_what_the_rest_of_the_page_says():
    size, number = TINY, TINY.num_parameters
    lora = task("lora.enabled=true", "optimizer.precision=bf16")
    adapters = size.num_adapters(16, 2)

    assert need(task("optimizer.precision=fp32"), size, num_gpus=1).states == 16 * number
    assert need(task("optimizer.precision=bf16"), size, num_gpus=4).states == 18 * number
    assert need(task("scale.strategy=zero3"), size, num_gpus=4).states == 16 * number / 4
    assert need(task("scale.strategy=fsdp"), size, num_gpus=8).states == 16 * number / 8
    assert need(lora, size, num_gpus=1).states == 2 * (number - adapters) + 18 * adapters
    offloaded = need(task("scale.strategy=zero3", "scale.offload=true"), size, num_gpus=2)
    assert (offloaded.states, offloaded.host) == (0, 8 * number)


def test_adapters_are_counted_as_peft_makes_them():
    from training.config.task import LoraConfig
    from training.tuning.adapters import num_trainable, with_adapters

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # peft asks transformers by an old name
        model = with_adapters(as_model(TINY), LoraConfig(rank=4, modules=("q", "v", "k")))

    assert num_trainable(model) == TINY.num_adapters(4, 3)


def test_operations_are_six_for_each_weight_and_token_that_meet():
    config, size = task(), TINY

    per_token = 6 * (size.num_layers * size.num_encoder_layer)
    more = flops(config, size, source=101, target=10) - flops(config, size, source=100, target=10)
    assert more == per_token + 6 * size.num_layers * size.num_attention // 2
    recomputing = task("optimizer.gradient_checkpointing=true")
    assert flops(recomputing, size, source=9, target=3) == flops(config, size, source=9, target=3) * 8 / 6


@pytest.mark.parametrize(
    ("base", "machine", "changes", "fits"),
    [
        ("google/flan-t5-base", "a2-highgpu-1g", [], True),
        ("google/flan-t5-xl", "a2-ultragpu-1g", [], False),
        ("google/flan-t5-xl", "a2-ultragpu-1g", ["optimizer.gradient_checkpointing=true"], True),
        ("google/flan-t5-xxl", "a2-highgpu-8g", ["optimizer.gradient_checkpointing=true"], False),
        ("google/flan-t5-xxl", "a2-highgpu-1g", ["lora.enabled=true", "optimizer.gradient_checkpointing=true"], True),
    ],
)
def test_what_fits_where(base, machine, changes, fits):
    found = verdict(task(*changes), base=base, machine_type=machine)

    assert (found.problem == "") == fits
    assert (found.hours is not None) == fits


def test_the_xxl_task_fits_its_machine_and_is_refused_on_a_smaller_one_with_the_ways_out():
    require_room(task(name="summarize-news"))

    with pytest.raises(BadConfig, match=r"does not fit: \d+\.\d GiB on each GPU, and a NVIDIA_TESLA_A100 has 39") as no:
        require_room(task("scale.machine_type=a2-highgpu-2g", name="summarize-news"))
    assert "lora.enabled" in str(no.value)
    with pytest.raises(BadConfig, match="of the machine's memory, and a2-highgpu-1g has 85"):
        require_room(task("scale.machine_type=a2-highgpu-1g", "scale.offload=true", name="summarize-news"))


def test_more_records_per_gpu_need_more_memory_and_more_gpus_less_time():
    small, large = (need(task(f"optimizer.batch={batch}"), TINY, num_gpus=1).total for batch in (1, 8))
    one, eight = (verdict(task(), machine_type=name).hours for name in ("a2-highgpu-1g", "a2-highgpu-8g"))

    assert large > small
    assert one == pytest.approx(8 * eight)


def test_an_unknown_machine_is_refused_with_those_that_are_known():
    with pytest.raises(BadConfig, match=r"scale.machine_type must be one of g2-standard-8, .* got 'n1-standard-4'"):
        machine_of("n1-standard-4")
    assert all(machine.gpu.memory_gib * GIB < 85e9 for machine in MACHINES.values())
