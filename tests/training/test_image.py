"""The training image's Dockerfile and its packages."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "training" / "Dockerfile").read_text()


def pins(path):
    return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (ROOT / path).read_text(), re.MULTILINE))


def test_the_image_has_what_every_strategy_of_the_tasks_needs():
    image = pins("training/requirements.lock")

    assert {"deepspeed", "accelerate", "peft", "transformers"} <= set(image)
    assert "torch" not in image
    assert "torch" in pins("serving/requirements-cuda.lock")


def test_the_images_versions_are_those_that_are_tested():
    project, image, cuda = (
        pins(path) for path in ("requirements.lock", "training/requirements.lock", "serving/requirements-cuda.lock")
    )

    assert {name: version for name, version in image.items() if project.get(name, version) != version} == {}
    assert {name: version for name, version in cuda.items() if image.get(name, version) != version} == {}


def test_every_package_is_installed_with_its_hash_and_sources_are_built_by_what_is_locked():
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]

    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)
    assert "--no-build-isolation" in installs[1]  # deepspeed and rouge-score come as source
    assert "setuptools" in pins("serving/requirements-cuda.lock")  # which is installed first
