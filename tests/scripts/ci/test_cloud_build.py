"""cloudbuild.yaml, as far as it can be checked without Google: its fields, its substitutions, and the local cloud."""

import re
import tarfile
import time

import httpx
import pytest
import yaml
from google.cloud.devtools import cloudbuild_v1
from google.protobuf import json_format

from tests.provider.local_cloud import ROOT

TEXT = (ROOT / "cloudbuild.yaml").read_text()
BUILD = yaml.safe_load(TEXT)


def test_every_field_is_one_that_cloud_build_knows():
    build = json_format.ParseDict(BUILD, cloudbuild_v1.Build.pb(cloudbuild_v1.Build()))

    assert [step.id for step in build.steps] == ["terraform", "node", "job"]
    assert build.timeout.seconds == 18000


def test_a_field_that_does_not_exist_would_be_found():
    with pytest.raises(json_format.ParseError, match="bananas"):
        json_format.ParseDict({**BUILD, "bananas": 1}, cloudbuild_v1.Build.pb(cloudbuild_v1.Build()))


def test_every_substitution_is_declared_and_used():
    used = set(re.findall(r"(?<!\$)\$\{(_[A-Z_]+)\}", TEXT))

    assert used == set(BUILD["substitutions"])  # MUST_MATCH refuses the build otherwise


def test_every_job_is_a_make_target():
    known = re.findall(r"^cloud-build-(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    told = re.findall(r"^#   (\w+)\s+(?:pull|run|Cloud)", TEXT, flags=re.MULTILINE)

    assert sorted(known) == sorted(told) == ["apply", "destroy", "drift", "plan"]


def test_the_tools_are_those_of_the_workflows():
    prepare = (ROOT / ".github" / "actions" / "prepare" / "action.yml").read_text()
    (terraform,) = re.findall(r"terraform_version: (\S+)", prepare)
    (node,) = re.findall(r'node-version: "(\d+)"', prepare)
    (python,) = re.findall(r'python-version: "(\S+)"', prepare)

    images = [step["name"] for step in BUILD["steps"]]
    assert images[0] == f"hashicorp/terraform:{terraform}"
    assert images[1].startswith(f"node:{node}-")
    assert images[2].startswith(f"python:{python}-")


MAKEFILE = """
install:
\ttest "$(PYTHON)" = python && test "$${PATH%%/.tools/bin:*}" = "$$PWD"
cloud-build-destroy:
\ttest "$$ENV,$$STACK,$$SEAL,$$BUCKET" = "dev,all,,the-plans"
"""


def ended(project, body):
    """The build, once it has ended."""
    path = f"/v1/{project.parent}/builds"
    operation = project.cloud.call("POST", path, body)
    name = f"{path}/{operation['metadata']['build']['id']}"
    deadline = time.monotonic() + 60
    while (build := project.cloud.call("GET", name))["status"] in ("QUEUED", "PENDING", "WORKING"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return build


def test_the_local_cloud_takes_the_build_and_lacks_only_an_engine_for_other_images(project):
    build = ended(project, BUILD)

    assert build["status"] == "FAILURE"
    assert "no container engine to run 'hashicorp/terraform:" in str(build)


def test_the_job_s_step_hands_its_substitutions_to_make(project, tmp_path):
    """The step itself is run by the local cloud, on a source whose Makefile checks what it is given."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "Makefile", arcname="Makefile")
    bucket = f"{project.name}-sources"
    project.bucket(bucket)
    url = f"{project.cloud.url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name=source.tar.gz"
    httpx.post(url, content=(tmp_path / "source.tar.gz").read_bytes()).raise_for_status()
    given = BUILD["substitutions"] | {"_JOB": "destroy", "_ENV": "dev", "_STACK": "all", "_PLANS": "the-plans"}
    (job,) = [step for step in BUILD["steps"] if step["id"] == "job"]
    source = {"storageSource": {"bucket": bucket, "object": "source.tar.gz"}}

    build = ended(project, {**BUILD, "steps": [job], "substitutions": given, "source": source})

    assert build["status"] == "SUCCESS", build
