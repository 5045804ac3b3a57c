import os

from serving.engine.threads import usable_cores


def container(tmp_path, *, cpu_max):
    (tmp_path / "cpu.max").write_text(cpu_max)
    return tmp_path


def test_a_container_of_one_and_a_half_cores_gets_one_thread(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="150000 100000")) == 1


def test_a_container_of_less_than_a_core_gets_one_thread(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="20000 100000")) == 1


def test_a_quota_beyond_the_cores_gets_the_cores(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="99900000 100000")) == len(os.sched_getaffinity(0))


def test_without_a_limit_there_is_a_thread_for_each_core(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="max 100000")) == len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path / "nothing here") == len(os.sched_getaffinity(0))


def test_the_older_kind_of_quota_is_read_too(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")

    assert usable_cores(tmp_path) == 1
