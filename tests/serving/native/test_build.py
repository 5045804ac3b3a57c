"""The kernels are compiled once for each state of their sources, and a machine without them is told why."""

import os
import subprocess
import sys

import pytest
import torch

from serving.checkpoint.t5_folder import choose_layout
from serving.native import build
from serving.native.build import LEVELS, NoLibrary, find_or_build, library_name, machine_level
from serving.native.library import kernels, open_library
from serving.products import panels
from serving.products.panels import Int8PanelLinear, PanelLinear, PanelScreen
from serving.t5 import T5Config
from tests.serving.test_t5 import SIZES

needs_kernels = pytest.mark.skipif(kernels() is None, reason="no kernels on this machine")


@needs_kernels
def test_a_second_start_finds_what_the_first_has_compiled(tmp_path, monkeypatch):
    first = find_or_build(cache=tmp_path)
    monkeypatch.setenv("CXX", "/nowhere/c++")

    assert find_or_build(cache=tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [library_name(machine_level())]


@needs_kernels
def test_a_library_that_came_with_the_image_is_taken_before_any_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "BUILT", tmp_path / "built")
    (tmp_path / "built").mkdir()
    came = tmp_path / "built" / library_name(machine_level())
    came.touch()

    assert find_or_build(cache=tmp_path / "cache") == came


@needs_kernels
def test_a_changed_source_has_another_name(tmp_path, monkeypatch):
    before = library_name("x86-64-v3")
    changed = tmp_path / "src"
    changed.mkdir()
    for path in build.SOURCES.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    (changed / "rows.h").write_text("#error nothing is left\n")
    monkeypatch.setattr(build, "SOURCES", changed)

    assert library_name("x86-64-v3") != before
    with pytest.raises(NoLibrary, match="nothing is left"):
        find_or_build(cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@needs_kernels
@pytest.mark.parametrize("level", LEVELS)
def test_every_kind_of_machine_computes_the_same_to_the_last_bit(level, tmp_path, monkeypatch):
    if not LEVELS[level] <= build._cpu_flags():
        pytest.skip(f"this machine does not run {level}")
    library = open_library(build.build(tmp_path, level=level))
    generator = torch.Generator().manual_seed(0)
    weight, rows = torch.randn(500, 64, generator=generator), torch.randn(23, 64, generator=generator)
    products = [PanelLinear(weight), Int8PanelLinear(weight)]
    wanted = [linear(rows) for linear in products]
    best = PanelScreen(weight).best(rows)

    monkeypatch.setattr(panels, "kernels", lambda: library)

    assert all(torch.equal(linear(rows), one) for linear, one in zip(products, wanted, strict=True))
    assert PanelScreen(weight).best(rows) == best


def test_without_a_compiler_the_server_says_what_to_install_and_takes_pytorchs_operations(tmp_path):
    script = (
        "import logging; logging.basicConfig(format='%(message)s', level='INFO')\n"
        "from serving.native.library import kernels\n"
        "print(kernels())"
    )
    env = os.environ | {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env.pop("CXX", None)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)

    assert done.stdout == "None\n"
    assert "PyTorch's, which are slower on a CPU" in done.stderr
    assert "install g++" in done.stderr or "need a 64-bit x86 processor" in done.stderr


def test_another_processor_is_named_in_the_reason(monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")

    with pytest.raises(NoLibrary, match=r"64-bit x86 processor with avx2, f16c, fma under Linux; this is aarch64"):
        find_or_build()


@needs_kernels
def test_the_kernels_are_taken_for_float32_and_int8_on_a_cpu_unless_told_otherwise():
    def layout(config=SIZES, *, dtype=torch.float32, **options):
        config = T5Config.from_json(config)
        return choose_layout(config, device=torch.device("cpu"), dtype=dtype, **{"quantize": "none"} | options)

    assert layout() == "panels"
    assert layout(quantize="int8") == "int8-panels"
    assert layout(uses_kernels=False) == "packed"
    assert layout(quantize="int8", uses_kernels=False) == "int8"
    assert layout(dtype=torch.bfloat16) == "plain"
    assert layout(dtype=torch.bfloat16, quantize="int8") == "int8-dynamic"
    assert layout(quantize="int8-weights") == layout(dtype=torch.float16, quantize="int8-weights") == "int8-weights"
    assert layout(SIZES | {"d_ff": 50}) == "packed"


@needs_kernels
def test_the_command_prints_where_the_library_is(tmp_path):
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "serving.native"]

    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)

    assert done.stdout.strip().endswith(library_name(machine_level()))


@needs_kernels
def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def homeless(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(build.Path, "home", classmethod(homeless))

    with pytest.raises(NoLibrary, match=r"no folder to keep them in .* set XDG_CACHE_HOME"):
        find_or_build()
