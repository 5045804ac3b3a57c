import argparse
import json
import subprocess
import sys

import pytest
from google.cloud.aiplatform_v1.types import CustomJobSpec
from google.protobuf.json_format import ParseDict

from training.config.reading import BadConfig, read
from training.scale.launch import command
from training.scale.worker_pool import scheduling, worker_pools
from training.tuning.command import add, passed_on

IMAGE = "europe-west4-docker.pkg.dev/p/r/training@sha256:" + "0" * 64


def task(*changes, name="summarize-news"):
    return read(name, environment={}, changes=changes)


def test_google_s_own_type_takes_the_specification():
    document = {"workerPoolSpecs": worker_pools(task(), image=IMAGE), "scheduling": scheduling(task())}

    spec = ParseDict(document, CustomJobSpec()._pb)

    machine = spec.worker_pool_specs[0].machine_spec
    assert (machine.machine_type, machine.accelerator_count) == ("a2-highgpu-8g", 8)
    assert spec.worker_pool_specs[0].disk_spec.boot_disk_size_gb == 600
    assert spec.scheduling.restart_job_on_worker_restart


def test_the_task_travels_whole_in_the_variable():
    (pool,) = worker_pools(task("optimizer.epochs=1"), image=IMAGE)

    environment = {one["name"]: one["value"] for one in pool["containerSpec"]["env"]}
    assert read(None, environment=environment) == task("optimizer.epochs=1")


def test_the_first_of_several_machines_is_a_pool_of_its_own():
    pools = worker_pools(task("scale.replicas=3"), image=IMAGE)

    assert [pool["replicaCount"] for pool in pools] == [1, 2]


def test_what_cannot_fit_gets_no_specification_unless_somebody_knows_better():
    with pytest.raises(BadConfig, match=r"does not fit.*scale.check_memory=false tries it all the same"):
        worker_pools(task("scale.machine_type=a2-highgpu-1g"), image=IMAGE)
    assert worker_pools(task("scale.machine_type=a2-highgpu-1g", "scale.check_memory=false"), image=IMAGE)


def test_one_process_needs_no_torchrun_and_several_machines_name_their_first():
    alone = command(["--task", "t"], processes=1, environment={}, is_alone=True)
    assert alone[1:] == ["-m", "training", "fine-tune", "--task", "t"]
    assert "--standalone" in command([], processes=1, environment={})
    assert "--standalone" in command([], processes=8, environment={})
    vertex = {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "first", "MASTER_PORT": "3333"}
    line = " ".join(command([], processes=8, environment=vertex))
    assert "--nproc-per-node 8 --nnodes 2 --node-rank 1 --master-addr first --master-port 3333 -m training" in line


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "training", *arguments], capture_output=True, text=True, timeout=60)


def test_launch_takes_what_fine_tune_takes_and_passes_it_on(tmp_path):
    refused = run("launch", "--folder", str(tmp_path), "--set", "optimizer.epoch=1")
    passed = run("launch", "--processes", "1", "--folder", str(tmp_path / "run"), "--set=data.source=/nowhere.jsonl")
    misspelt = run("launch", "--foldr", str(tmp_path))

    assert (refused.returncode, "optimizer.epoch is not known" in refused.stderr) == (2, True)
    assert (passed.returncode, "data.source '/nowhere.jsonl' does not exist" in passed.stderr) == (2, True)
    assert (tmp_path / "run").is_dir()
    assert (misspelt.returncode, "unrecognized arguments: --foldr" in misspelt.stderr) == (2, True)


def test_every_argument_of_fine_tune_is_passed_on():
    parser = argparse.ArgumentParser()
    add(parser)
    line = ["--fresh", "--task=t", "--out=gs://b/m", "--folder=f", "--threads=2", "--set=a.b=1", "--set=c.d=-x"]

    assert passed_on(parser.parse_args(line)) == line
    assert passed_on(parser.parse_args([])) == []


def test_the_command_prints_the_specification_and_refuses_with_two():
    good = run("worker-pool", "--task", "summarize-dialogues", "--image", IMAGE)
    bad = run("worker-pool", "--task", "summarize-news", "--image", IMAGE, "--set", "scale.strategy=ddp")

    assert json.loads(good.stdout)["workerPoolSpecs"][0]["machineSpec"]["machineType"] == "a2-highgpu-1g"
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "does not fit" in bad.stderr


def test_the_table_has_a_row_for_each_machine_and_a_column_for_each_size():
    said = run("memory", "--set", "optimizer.batch=4").stdout

    assert said.count("| a2-highgpu-8g |") == 4
    assert said.count("| machine | small | base | large | xl | xxl |") == 4
    assert "4 records per GPU" in said
