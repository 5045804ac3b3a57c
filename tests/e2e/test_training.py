"""From dialogues to a model behind the endpoint: a worse one is kept out, a better one takes over.

With real Terraform, provider, local cloud, training and server. The tests share one system, in the order of the file.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.parse

import httpx
import pytest
import tomlkit
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cdk.config import ROOT
from scripts.local_cloud import is_alive
from scripts.plan_review import saved
from tests.e2e.conftest import System, copy_of_checkout, free_port_pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

DIALOGUE = "Anna: Can you buy milk on the way home?\nTom: Sure, I will be there at six."
SIZE = {"max_train": 8, "max_validation": 4, "max_test": 4}
SHORT = {"max_new_tokens": 24}
# A rate that destroys the model in its one update, and one that changes nothing that can be seen.
WORSE = {
    "optimizer": {"max_steps": 1, "learning_rate": 0.5, "warmup": 0.0, "log_every": 1},
    "data": SIZE,
    "generation": SHORT,
}
BETTER = {"optimizer": {"max_steps": 2, "learning_rate": 1e-7, "log_every": 1}, "data": SIZE, "generation": SHORT}
# So a server starts without measuring how many would be best, and six are started here.
ONE_WORKER = {"serving": {"env": {"NUM_WORKERS": "1", "NUM_THREADS": "1"}}}
BASE = {"eval_rouge1": 60.0, "eval_rouge2": 40.0, "eval_rougel": 50.0}


class TrainingSystem(System):
    """A system without the page, whose deployment file the tests change."""

    def set(self, **tables):
        """Values of the deployment file, by table and key."""
        path = self.folder / "deployments" / "local.toml"
        document = tomlkit.parse(path.read_text())
        for name, values in tables.items():
            document.setdefault(name, {}).update(values)
        path.write_text(tomlkit.dumps(document))
        self.run(sys.executable, "-m", "cdk")  # what `cdktf synth` runs, without its three seconds

    def apply(self, *stacks):
        text = ""
        for stack in stacks:
            self.init(stack)
            text = self.terraform(stack, "apply", "-auto-approve", "-input=false")
        return text

    def init(self, stack):
        """Once: a synthesis writes a stack's configuration anew, its providers stay."""
        if not (self.folder / f"cdktf.out/stacks/{stack}/.terraform").exists():
            self.terraform(stack, "init", "-input=false")

    def reviewed(self, stack):
        """Plans one stack, as `make plan` does all, and applies that plan. Returns what a reviewer reads, then what
        Terraform said."""
        plans = self.folder / "plans"
        plans.mkdir(exist_ok=True)
        saved.write_index(plans, "local", [saved.SavedStack(stack)])
        file = str(plans / f"{stack}.tfplan")
        (plans / f"{stack}.txt").write_text(self.terraform(stack, "plan", "-input=false", f"-out={file}"))
        (plans / f"{stack}.json").write_text(self.terraform(stack, "show", "-json", file))
        shutil.copy(self.folder / f"cdktf.out/stacks/{stack}/cdk.tf.json", plans / f"{stack}.tf.json")
        self.run(sys.executable, "-m", "scripts.plan_review", str(plans), "--format", "markdown", check=False)
        said = (plans / f"{stack}.txt").read_text()
        return (plans / "review.md").read_text(), said + self.terraform(stack, "apply", "-input=false", file)

    def terraform(self, stack, *arguments):
        """In the stack's folder, where Terraform looks for providers."""
        return self.run("env", "-C", f"cdktf.out/stacks/{stack}", "terraform", *arguments)

    def get(self, path):
        answer = httpx.get(f"{self.url}{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def deployed(self):
        (one,) = self.get(f"/v1/{self.output('endpoint', 'endpoint_name')}")["deployedModels"]
        return one

    def predict(self):
        answer = httpx.post(self.output("endpoint", "predict_url"), json={"instances": [f"summarize: {DIALOGUE}"]})
        return answer.json()["predictions"][0]

    def verdict(self):
        state = json.loads((self.folder / ".flanstack/state/local/endpoint.tfstate").read_text())
        (one,) = [item for item in state["resources"] if item["type"] == "vertex_endpoint_deployed_model"]
        return one["instances"][0]["attributes"]["promotion_verdict"]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    if shutil.which("terraform") is None or not (ROOT / "node_modules").exists():
        pytest.skip("terraform and `make install` are needed for the whole system")
    folder = tmp_path_factory.mktemp("training") / "flanstack"
    copy_of_checkout(folder)
    system = TrainingSystem(folder, free_port_pair())
    text = (folder / "deployments" / "local.toml").read_text()
    address, number = f"127.0.0.1:{system.port}", str(tomllib.loads(text)["google"]["project_number"])
    # No golden prompt: what it asks is right would keep the worse model out before its metrics could.
    text = re.sub(r"\[rollout\.golden\]\n(?:\S.*\n)+", "", text.replace("127.0.0.1:8700", address))
    (folder / "deployments" / "local.toml").write_text(text)
    system.run(sys.executable, "-m", "provider", "install", "--mirror", ".flanstack/plugins/local")
    system.run(sys.executable, "-m", "localcloud.google_provider", "install", "--mirror", ".flanstack/plugins/local")
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(system.port), "--stage-seconds", "0.01"]
    command += ["--data", ".flanstack/localcloud", "--project", f"flan-local={number}"]
    with (folder / "localcloud.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in httpx_until_up(system.url, process):
            pass
        yield system
    finally:
        process.terminate()
        process.wait(60)


def what(deployed):
    """Which deployment it is, and of what."""
    return [deployed[key] for key in ("id", "createTime", "model", "modelVersionId", "dedicatedResources")]


def httpx_until_up(url, process):
    """Yields until the local cloud answers."""
    for _ in range(300):
        try:
            httpx.get(f"{url}/localcloud/status", timeout=2)
        except httpx.TransportError:
            assert process.poll() is None
            yield
        else:
            return
    raise AssertionError("the local cloud does not answer")


def test_the_models_own_version_serves_with_its_metrics_as_labels(system):
    system.set(model={"metrics": BASE}, **ONE_WORKER)
    system.apply("registry", "model", "endpoint")

    version = system.get(f"/v1/{system.output('model', 'model_name')}")
    assert {key: version["labels"][key] for key in BASE} == {
        "eval_rouge1": "60_0000",
        "eval_rouge2": "40_0000",
        "eval_rougel": "50_0000",
    }
    assert system.verdict() is None
    assert "milk" in system.predict()


def test_a_job_runs_and_its_model_becomes_a_version_that_is_too_bad_to_serve(system):
    before, answer = what(system.deployed()), system.predict()
    system.set(training={"enabled": True, "settings": WORSE})
    system.apply("registry", "model", "training")  # the first two hand on what the third needs of them
    review, said = system.reviewed("endpoint")

    job = system.get(f"/v1/{system.output('training', 'training_job')}")
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert (
        job["jobSpec"]["tensorboard"].rpartition("/")[2]
        == system.output("training", "tensorboard_name").rpartition("/")[2]
    )
    version = system.get(f"/v1/{system.output('training', 'model_version')}")
    assert version["artifactUri"] == system.output("training", "model_folder")
    assert float(version["labels"]["eval_rouge1"].replace("_", ".")) < 60
    assert version["labels"]["task"] == "generated-dialogues"
    assert re.search(r"flan-t5@1 stays: the new version may not\s+take over", said)
    assert system.verdict().startswith("refused flan-t5-tuned@1 over flan-t5@1 by all_greater: eval_rouge1 60.0000 ->")
    assert "| label | old version | new version |" in review
    assert re.search(r"\| `eval_rouge1` \| 60\.0000 \| \d+\.\d{4} \|", review)
    assert "Rule: all_greater of eval_rouge1, eval_rouge2, eval_rougel." in review
    assert re.search(
        r"Verdict: refused flan-t5-tuned@1 over flan-t5@1 by all_greater; not greater: eval_rouge1, ", review
    )
    assert what(system.deployed()) == before
    assert system.predict() == answer


def test_tensorboard_reads_what_the_job_wrote(system, tmp_path):
    bucket, _, model = system.output("training", "model_folder").removeprefix("gs://").partition("/")
    prefix = urllib.parse.quote(model.removesuffix("model") + "logs/", safe="")
    for one in system.get(f"/storage/v1/b/{bucket}/o?prefix={prefix}")["items"]:
        name = urllib.parse.quote(one["name"], safe="")
        content = httpx.get(f"{system.url}/storage/v1/b/{bucket}/o/{name}?alt=media").content
        (tmp_path / one["name"].rpartition("/")[2]).write_bytes(content)

    events = EventAccumulator(str(tmp_path))
    events.Reload()

    assert [event.step for event in events.Scalars("train/loss")] == [1]
    assert any("rouge1" in tag for tag in events.Tags()["scalars"])


def test_the_jobs_log_is_shown(system):
    number = system.output("training", "training_job").rpartition("/")[2]
    log = httpx.get(f"{system.url}/localcloud/logs/custom_jobs/flan-local/europe-west4/{number}/workerpool0-0.log").text

    assert "generated-dialogues: 8 + 4 + 4 records" in log
    assert "rouge1" in log


def test_a_person_can_let_it_serve_and_the_state_says_who_and_why(system):
    answer = system.predict()
    word = {"version": "1", "by": "anna@example.com", "reason": "to see a bad model"}
    system.set(training={"promotion": {"override": word}})
    system.apply("endpoint")

    assert system.deployed()["model"].endswith("/flan-t5-tuned")
    assert "on the word of anna@example.com, who says: to see a bad model" in system.verdict()
    assert system.predict() != answer


def test_a_better_version_takes_over_by_its_metrics_and_answers_better(system):
    system.set(training={"settings": BETTER})  # the word for version 1 is still there, and lets no other in
    system.apply("training")
    review, _ = system.reviewed("endpoint")

    assert system.output("training", "model_version").endswith("flan-t5-tuned@2")
    assert system.verdict().startswith("promoted flan-t5-tuned@2 over flan-t5-tuned@1 by all_greater")
    assert "Verdict: promoted flan-t5-tuned@2 over flan-t5-tuned@1 by all_greater." in review
    assert re.search(r"\| `eval_rougel` \| \d+\.\d{4} \| \d+\.\d{4} \|", review)
    assert system.deployed()["modelVersionId"] == "2"
    assert "milk" in system.predict()
    for stack in ("training", "endpoint"):
        assert "No changes." in system.terraform(stack, "plan", "-input=false")


@pytest.mark.parametrize("by", ["rest", "sdk"])
def test_the_predict_client_asks_it_for_a_dialogue_it_never_saw(system, by):
    text = system.run(sys.executable, "-m", "scripts.predict", "local", "--by", by, "--seed", "5")

    assert [part for part in ("Dialogue", "Reference", "Prediction") if part in text.splitlines()] == [
        "Dialogue",
        "Reference",
        "Prediction",
    ]
    assert f"by {by.upper()}" in text
    assert "from flan-t5-tuned@2" in text


def test_a_batch_is_answered_line_by_line_and_a_second_run_asks_only_what_is_open(system):
    lines = [f"summarize: {DIALOGUE}", {"no": "prompt"}, DIALOGUE]
    (system.folder / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    command = (sys.executable, "-m", "scripts.batch_predict", "local", "--in", "in.jsonl", "--out", "out.jsonl")

    said = system.run(*command, check=False)
    again = system.run(*command, check=False)

    results = [json.loads(line) for line in (system.folder / "out.jsonl").read_text().splitlines()]
    assert [one["line"] for one in results] == [1, 2, 3]
    assert results[0]["prediction"] == results[2]["prediction"] == system.predict()
    assert "422" in results[1]["error"]
    assert "2 of 3 lines have a prediction" in said
    assert "line 2: Non-OK result 422" in said
    assert "2 of 3 predictions already" in again


def test_destroyed_it_leaves_no_process_and_no_file_of_the_bucket(system):
    pids = [one["pid"] for one in system.get("/localcloud/status")["processes"]]
    for stack in ("endpoint", "training"):
        system.terraform(stack, "destroy", "-auto-approve", "-input=false")

    status = system.get("/localcloud/status")
    assert pids
    assert [pid for pid in pids if is_alive(pid)] == []
    assert status["processes"] == []
    assert httpx.get(f"{system.url}/storage/v1/b/flan-local-flan-training").status_code == 404
    assert status["resources"].get("custom_job", 0) == 0
