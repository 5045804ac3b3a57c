import pytest

from training.config.reading import BadConfig, read
from training.scale.here import Here, here, require_room_here
from training.scale.memory import GIB, need
from training.scale.sizes import SIZES

XXL, BASE = SIZES["google/flan-t5-xxl"], SIZES["google/flan-t5-base"]


def task(*changes):
    return read("summarize-dialogues", environment={}, changes=changes)


def machine(gib, *, gpu_gib=None, processes=1):
    gpu = None if gpu_gib is None else int(gpu_gib * GIB)
    return Here(machine_bytes=int(gib * GIB), gpu_bytes=gpu, num_processes=processes, num_local=processes)


def test_what_does_not_fit_is_refused_with_what_it_needs_what_is_there_and_the_ways_out():
    with pytest.raises(BadConfig) as refused:
        require_room_here(task("model.base=google/flan-t5-xxl"), XXL, machine(85, gpu_gib=39))

    said = str(refused.value)
    assert said.startswith("google/flan-t5-xxl by ddp does not fit: it needs 280.1 GiB of the GPU")
    assert "has 39.0; take a larger scale.machine_type" in said
    assert said.endswith("scale.check_memory=false tries it all the same")


def test_whoever_knows_better_and_what_is_no_t5_is_let_through():
    require_room_here(task("scale.check_memory=false"), XXL, machine(1))
    require_room_here(task(), None, machine(1))


def test_without_a_gpu_every_process_takes_its_part_of_the_machines_memory_in_fp32():
    needed = need(task("optimizer.precision=fp32"), BASE, num_gpus=2).total / GIB

    require_room_here(task(), BASE, machine(2 * needed + 0.1, processes=2))
    with pytest.raises(BadConfig, match="of this machine"):
        require_room_here(task(), BASE, machine(2 * needed - 0.1, processes=2))


def test_offloaded_states_are_counted_against_the_machines_memory():
    offloading = task("scale.strategy=zero3", "scale.offload=true", "optimizer.gradient_checkpointing=true")

    require_room_here(offloading, XXL, machine(340, gpu_gib=39, processes=4))
    with pytest.raises(BadConfig, match=r"needs 1\d\d\.\d GiB of this machine, which has 160\.0"):
        require_room_here(offloading, XXL, machine(160, gpu_gib=39, processes=4))


def test_this_machine_is_measured_and_its_processes_are_those_that_the_launcher_counts(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    found = here(16, environment={"LOCAL_WORLD_SIZE": "8"})

    assert (found.num_processes, found.num_local, found.gpu_bytes) == (16, 8, None)
    assert GIB / 4 < found.machine_bytes < 2**50


def test_a_containers_share_goes_before_the_machines_memory(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    monkeypatch.setattr("training.scale.here.CGROUP_LIMIT", tmp_path / "memory.max")
    assert here(1, environment={}).machine_bytes == GIB

    (tmp_path / "memory.max").write_text("max\n")
    assert here(1, environment={}).machine_bytes != GIB
