"""Real plans, by real Terraform against the local cloud, and the review of each as a pull request shows it.

One system, deployed once. Golden files are in `golden/`; ids, hashes, times and ports are normalised, nothing else.
`UPDATE_GOLDEN=1 pytest tests/scripts/plan_review/test_cases.py` writes them again: look at the difference then.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cdk.config import ROOT, DeploymentConfig, load
from cdk.images import Images
from scripts import terraform_plans
from scripts.machine import terraform_environment
from scripts.plan_review import saved
from scripts.plan_review.proposal import propose
from scripts.plan_review.rendering import markdown
from scripts.plan_review.review import review
from tests.provider.local_cloud import free_port_pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

GOLDEN = Path(__file__).with_name("golden")
STACKS = ("registry", "model", "endpoint", "ui")
A100 = 4.3101678  # USD per hour in europe-west4
PAGE = 3600 * (0.000024 + 0.0000025)  # one busy instance of 1 vCPU and 1 GiB
IMAGE = (0.003 * 4 + 4 - 0.5) * 0.10 / 730  # 0.003 billion parameters of 4 bytes, and the image around them


class System:
    """The stacks of a deployment, planned and applied in a folder of their own against a local cloud of their own."""

    def __init__(self, folder, port, synthesize):
        self.folder, self.port, self._synthesize = folder, port, synthesize

    def config(self, **changes):
        base = load("local").model_dump()
        base["google"]["api_endpoint"] = f"http://127.0.0.1:{self.port}"
        for key, value in changes.items():
            table, _, last = key.rpartition("__")
            base[table][last] = value
        return DeploymentConfig(**base)

    def plan(self, config, *, destroyed=()):
        synthesized = self._synthesize(config, outdir=self.folder / "out", images=Images(config, root=self.folder))
        terraform_plans.plan_stacks(synthesized, self.folder / "plans", env=config.env, destroyed=destroyed)
        _, plans = saved.read(self.folder / "plans")
        return review(propose(plans, config))

    def apply(self, config):
        synthesized = self._synthesize(config, outdir=self.folder / "out", images=Images(config, root=self.folder))
        for stack in STACKS:
            for command in (["init"], ["apply", "-auto-approve"]):
                out = subprocess.run(
                    ["terraform", *command, "-input=false", "-no-color"],
                    cwd=synthesized / "stacks" / stack,
                    env=terraform_environment(),
                    capture_output=True,
                    text=True,
                )
                assert out.returncode == 0, f"{command} of {stack}:\n{out.stdout}{out.stderr}"

    def api(self, method, path, body=None):
        answer = httpx.request(method, f"http://127.0.0.1:{self.port}/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    if shutil.which("terraform") is None or not (ROOT / "node_modules").exists():
        pytest.skip("terraform and `make install` are needed for real plans")
    folder, port = tmp_path_factory.mktemp("reviewed"), free_port_pair()
    for name in ("serving", "ui", "models"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    mirror = folder / ".flanstack" / "plugins" / "local"
    for provider in ("provider", "localcloud.google_provider"):
        subprocess.run([sys.executable, "-m", provider, "install", "--mirror", str(mirror)], cwd=ROOT, check=True)
    serve = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), "--data", str(folder / "cloud")]
    log = (folder / "cloud.log").open("w")
    cloud = subprocess.Popen(
        [*serve, "--project", "flan-local=123456789012"], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JSII_NODE", str(ROOT / "node_modules" / ".bin" / "node"))
        patch.setenv("TF_PLUGIN_CACHE_DIR", str(folder / "plugin-cache"))
        patch.delenv("TF_CLI_CONFIG_FILE", raising=False)
        (folder / "plugin-cache").mkdir()
        import cdk.stacks.deployment
        import cdk.workspace
        from cdk.app import synthesize

        patch.setattr(cdk.stacks.deployment, "ROOT", folder)
        patch.setattr(cdk.workspace, "ROOT", folder)
        try:
            wait_for(port, cloud)
            yield System(folder, port, synthesize)
        finally:
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(f"http://127.0.0.1:{port}/localcloud/stop", timeout=30)
            with contextlib.suppress(subprocess.TimeoutExpired):
                cloud.wait(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(cloud.pid, signal.SIGKILL)
            log.close()


def wait_for(port, cloud):
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/localcloud/status", timeout=5).status_code == 200:
                return
        assert cloud.poll() is None, "the local cloud ended"
        assert time.monotonic() < deadline, "the local cloud did not start in 30 s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def deployed(system):
    """The system as deployments/local.toml has it, up and serving."""
    system.apply(system.config())
    return system


def normal(text):
    """Without what another run, or another content of serving/, would have otherwise."""
    for pattern, name in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"sha256:[0-9a-f]{10,64}", "sha256:DIGEST"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\b[0-9a-f]{32}\b", "ETAG"),
        (r"\b[0-9a-f]{16}\b", "TAG"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"operations/\d+", "operations/ID"),
        (r"\b\d{10}\b", "DEPLOYED_MODEL"),
        (r'(etag +=) "[^"]+"', r'\1 "ETAG"'),
        (r'"[A-Za-z0-9+/]{11}="', '"ETAG"'),
    ):
        text = re.sub(pattern, name, text)
    return text


def golden(name, made):
    """Compares the review with its golden file; writes it under UPDATE_GOLDEN."""
    text = normal(markdown.render(made, artefact="the artefact `plan-local`", max_characters=12_000))
    file = GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), (
        f"golden/{name}.md differs; UPDATE_GOLDEN=1 writes it again, then look at the difference"
    )


def per_hour(made):
    return made.bill.before, made.bill.after


def rules(made):
    return {finding.rule.id for finding in made.findings}


def test_first_deployment(system):
    made = system.plan(system.config())

    # Nothing before. After: 4.3101678 for the A100, 0.0005 for 4.012 GB of image, and up to 0.0954 for a busy page.
    before, after = per_hour(made)
    assert (before.low, before.high) == (0, 0)
    assert after.low == pytest.approx(A100 + IMAGE)
    assert after.high == pytest.approx(A100 + IMAGE + PAGE)
    assert made.counts.add == sum(len(plan_resources(system, stack)) for stack in STACKS)
    assert [text.stack for text in made.texts if text.waits_for] == ["model", "endpoint", "ui"]
    golden("first-deployment", made)


def plan_resources(system, stack):
    """What is declared, counted from what was synthesized rather than from the plan."""
    import json

    document = json.loads((system.folder / "out" / "stacks" / stack / "cdk.tf.json").read_text())
    return [name for named in document["resource"].values() for name in named]


def test_no_change(deployed):
    made = deployed.plan(deployed.config())

    # The same on both sides: 4.3106 an hour, 103.46 a day.
    before, after = per_hour(made)
    assert before == after
    assert after.per_day.low == pytest.approx(24 * (A100 + IMAGE))
    assert made.verdict == "no changes, the same cost"
    assert rules(made) == set()
    golden("no-change", made)
    _, plans = saved.read(deployed.folder / "plans")
    assert markdown.render(review(propose(plans, deployed.config()))) == markdown.render(made)  # the same bytes


def test_one_serving_line_changed(deployed):
    file = deployed.folder / "serving" / "__main__.py"
    text = file.read_text()
    file.write_text(f"{text}\n# one changed line\n")
    try:
        made = deployed.plan(deployed.config())
    finally:
        file.write_text(text)

    # Nothing by the hour. Once: 120 min of E2_HIGHCPU_8 at 0.016 = 1.92, and both deployed models for at most an hour.
    before, after = per_hour(made)
    assert before == after
    assert [one.usd for one in made.bill.once] == [pytest.approx(120 * 0.016), pytest.approx(A100)]
    assert rules(made) == {"serving-redeployed"}
    assert not made.needs_approval
    golden("one-serving-line", made)


def test_replicas_from_one_to_three(deployed):
    made = deployed.plan(deployed.config(endpoint__min_replicas=3, endpoint__max_replicas=3))

    # Two more: 2 x 4.3101678 = 8.6203356 an hour, 206.89 a day; 3 x 4.3101678 x 24 = 310.33 and the image is over 120.
    before, after = per_hour(made)
    assert after.low - before.low == pytest.approx(2 * A100)
    assert "+USD 8.62/h, +206.89/day; needs approval: exceeds the budget" in made.verdict
    assert rules(made) == {"budget-exceeded", "capacity-grown"}
    golden("replicas-one-to-three", made)


def test_region_change(deployed):
    made = deployed.plan(deployed.config(google__region="us-central1"))

    # 4.2244949 in us-central1 for 4.3101678 in europe-west4: 0.0856729 an hour less, 2.06 a day.
    before, after = per_hour(made)
    assert after.low - before.low == pytest.approx(4.2244949 - A100)
    assert "-USD 0.09/h, -2.06/day" in made.verdict
    assert {"serving-replaced", "endpoint-replaced", "data-destroyed"} <= rules(made)
    assert "region-mismatch" not in rules(made)  # the model goes along
    golden("region-change", made)


def test_public_page(deployed):
    made = deployed.plan(deployed.config(ui__public=True))

    # A grant costs nothing.
    assert made.verdict == "1 to add, the same cost; needs approval: opens to the public"
    assert rules(made) == {"public-access"}
    golden("public-page", made)


def test_endpoint_destroyed(deployed):
    made = deployed.plan(deployed.config(), destroyed=["endpoint"])

    # The A100 goes; what is left is the image's 0.0005 an hour, and the page when it is asked.
    before, after = per_hour(made)
    assert before.low - after.low == pytest.approx(A100)
    assert after.low == pytest.approx(IMAGE)
    assert made.verdict.startswith("2 destroyed, -USD 4.31/h, -103.44/day; needs approval: takes down what serves")
    golden("endpoint-destroyed", made)


def test_drift(deployed):
    """Last: it leaves the deployed model with other replicas than the deployment's file has."""
    endpoint = "projects/flan-local/locations/europe-west4/endpoints/4242001"
    (model,) = deployed.api("GET", endpoint)["deployedModels"]
    body = {"id": model["id"], "dedicatedResources": {"minReplicaCount": 1, "maxReplicaCount": 2}}
    mutation = {"deployedModel": body, "updateMask": "dedicatedResources.maxReplicaCount"}
    operation = deployed.api("POST", f"{endpoint}:mutateDeployedModel", mutation)
    deadline = time.monotonic() + 30
    while not deployed.api("GET", operation["name"]).get("done"):
        assert time.monotonic() < deadline
        time.sleep(0.1)

    made = deployed.plan(deployed.config())

    # Found: up to two A100s, 2 x 4.3101678 x 24 = 206.89 a day at most. The apply goes back to one.
    before, after = per_hour(made)
    assert before.high - after.high == pytest.approx(A100)
    assert before.low == after.low
    assert rules(made) == {"drift"}
    golden("drift", made)
