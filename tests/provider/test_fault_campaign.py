"""Every phase of every resource meets every fault; one apply then converges, and one plan is empty.

Real Terraform, the provider as a plugin, a local cloud that may be restarted. With CAMPAIGN_TABLE set to a path, what
became of each is written there as a table. The first deployment's run with every test; the others with
`make fault-campaign`.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
HEAD = "| phase | fault | the run that met it | what it said | the next run |\n|---|---|---|---|---|\n"
FAULTS = (
    "terraform SIGINT",
    "terraform SIGKILL",
    "provider SIGKILL",
    "local cloud restarted",
    "connection lost",
    "answer lost",
    "429",
    "503",
    "operation fails",
    "operation never ends",
)


@dataclass
class Phase:
    """Where a fault strikes. told: the progress phase that says it is reached; operation: what can be held or failed
    there; call: method and path of the request that begins it; polls: what is asked while it lasts."""

    name: str
    told: str
    call: tuple[str, str]
    polls: str
    operation: dict[str, str] = field(default_factory=dict)
    command: str = "apply"


GETTING = {"operation": "deployModel", "stage": "GETTING"}
DEPLOY_CALL = ("POST", ":deployModel")
PHASES = (
    Phase("deploy", "GETTING_CONTAINER_IMAGE", DEPLOY_CALL, "/operations/", GETTING),
    Phase("replace", "GETTING_CONTAINER_IMAGE", DEPLOY_CALL, "/operations/", GETTING),
    Phase("shift traffic", "WATCHING 20 %", ("PATCH", "/endpoints/"), "/endpoints/"),
    Phase("undeploy old", "UNDEPLOYING", ("POST", ":undeployModel"), "/operations/", {"operation": "undeployModel"}),
    Phase(
        "destroy", "UNDEPLOYING", ("POST", ":undeployModel"), "/operations/", {"operation": "undeployModel"}, "destroy"
    ),
    Phase("build", "WORKING", ("POST", "/builds"), "/builds/", {"operation": "build", "stage": "docker"}),
    Phase("upload", "UPLOADING", ("POST", "models:upload"), "/operations/", {"operation": "uploadModel"}),
    Phase("upload version", "UPLOADING", ("POST", "models:upload"), "/operations/", {"operation": "uploadModel"}),
    Phase("delete model", "DELETING", ("DELETE", "/models/"), "/operations/", {"operation": "deleteModel"}, "destroy"),
)
ALWAYS = ("deploy",)


def cases():
    for phase in PHASES:
        for fault in FAULTS:
            if fault.startswith("operation") and not phase.operation:
                continue  # moving traffic is no long-running operation
            marks = [] if phase.name in ALWAYS else [pytest.mark.campaign]
            yield pytest.param(phase, fault, id=f"{phase.name}-{fault}".replace(" ", "_"), marks=marks)


@pytest.fixture(scope="module")
def ledger():
    """What became of each case that was healed; a page's table at the end, when somebody asked for it."""
    rows = []
    yield rows
    path = os.environ.get("CAMPAIGN_TABLE")
    if path and rows:
        page = Path(path)
        prose = page.read_text().partition(HEAD)[0] if page.exists() else ""
        page.write_text(prose + HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows))


@pytest.fixture(scope="module")
def trigger(cloud):
    cloud.call("POST", f"/v1/{PARENT}/repositories?repositoryId=campaign", {"format": "DOCKER"})
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-campaign", "location": "europe-west4"})
    docker = {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", "$_IMAGE:$_TAG", "."], "id": "docker"}
    build = {"steps": [docker], "images": ["$_IMAGE:$_TAG"], "timeout": "60s"}
    made = cloud.call("POST", f"/v1/{PARENT}/triggers", {"name": "campaign", "build": build, "substitutions": {}})
    return f"{PARENT}/triggers/{made['id']}"


class Scene:
    """A folder brought to where a phase begins, and the law of what may be there at the end."""

    def __init__(self, folder, cloud, phase, endpoint, models, deployed, trigger):
        self.folder, self.cloud, self.phase, self.endpoint = folder, cloud, phase, endpoint
        self.models, self.deployed, self.trigger = models, deployed, trigger
        self.model_id = f"campaign-{hashlib.sha256(str(folder.folder).encode()).hexdigest()[:8]}"

    def set(self, **timeouts):
        """The configuration that is applied, or destroyed, in the phase."""
        limit = {"timeouts": timeouts} if timeouts else {}
        name = self.phase.name
        if name in ("deploy", "destroy"):
            self.folder.write(endpoint_deployed_model=self.deployed(self.endpoint, self.models[0], **limit))
        elif name in ("replace", "shift traffic", "undeploy old"):
            steps = {"traffic": [{"percent": 20, "wait": "3s"}]} if name == "shift traffic" else {}
            self.folder.write(endpoint_deployed_model=self.deployed(self.endpoint, self.models[1], **steps, **limit))
        elif name == "build":
            self.folder.write(image_build=self._build(**limit))
        else:
            self.folder.write(model=self._model("2" if name == "upload version" else "1", **limit))

    def prepare(self):
        """What must be there before."""
        name = self.phase.name
        if name in ("replace", "shift traffic", "undeploy old", "destroy"):
            self.folder.write(endpoint_deployed_model=self.deployed(self.endpoint, self.models[0])).apply()
        elif name in ("upload version", "delete model"):
            self.folder.write(model=self._model("1")).apply()
        self.folder.progress_file.unlink(missing_ok=True)

    def check(self, fault):
        """Nothing twice, nothing left."""
        name, failed = self.phase.name, fault == "operation fails"
        if self.phase.command == "destroy":
            assert self.folder.state() == {}
            assert self.cloud.deployed_to(self.endpoint) == []
            assert not self.cloud.exists(f"/v1/{PARENT}/models/{self.model_id}")
            return
        assert self.folder.is_unchanged()
        if name == "build":
            built = [one for one in self.cloud.call("GET", f"/v1/{PARENT}/builds")["builds"] if self._is_mine(one)]
            assert len(built) == (2 if failed else 1)
        elif name.startswith("upload"):
            versions = self.cloud.call("GET", f"/v1/{PARENT}/models/{self.model_id}:listVersions")["models"]
            assert len(versions) == (2 if name == "upload version" else 1)
        else:
            (one,) = self.cloud.deployed_to(self.endpoint)
            assert self.cloud.call("GET", f"/v1/{self.endpoint}")["trafficSplit"] == {one["id"]: 100}
            assert f"{one['model']}@{one['modelVersionId']}".endswith(
                self.models[0 if name == "deploy" else 1].partition("models/")[2]
            )
        self.folder.destroy()
        assert self.cloud.deployed_to(self.endpoint) == []

    def _is_mine(self, build):
        return build.get("substitutions", {}).get("_IMAGE", "").endswith(self.model_id)

    def _model(self, version, **fields):
        spec = {"image_uri": self.cloud.image(version), "predict_route": "/predict", "health_route": "/health"}
        return {"model_id": self.model_id, "display_name": "Campaign", "container_spec": [spec], **fields}

    def _build(self, **fields):
        content = f"greeting of {self.model_id}"
        with tarfile.open(self.folder.folder / "source.tar.gz", "w:gz") as tar:
            files = {"Dockerfile": 'FROM python:3.11-slim\nCOPY greeting .\nCMD ["python"]\n', "greeting": content}
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return {
            "image": f"europe-west4-docker.pkg.dev/flan/campaign/{self.model_id}",
            "content_hash": hashlib.sha256(content.encode()).hexdigest(),
            "trigger": self.trigger,
            "source_archive": "source.tar.gz",
            "source_bucket": "flan-campaign",
            "keep_on_destroy": False,
            **fields,
        }


def below(pid):
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for thread in threads for one in (thread / "children").read_text().split()]


def reached(scene):
    """Waits until the phase is told and its operation runs, so that a fault strikes there and not before."""
    told = scene.phase.told
    deadline = time.monotonic() + 20
    while not any(one.startswith(told) for one in scene.folder.phases()):
        assert time.monotonic() < deadline, scene.folder.phases()
        time.sleep(0.05)


def armed(phase, fault, strike):
    """Sets what shall go wrong by itself, or holds the operation for what is done to it; the hold's id."""
    method, path = phase.call
    call = {"method": method, "path": path}
    if fault in ("429", "503"):
        strike(call, {"status": "RESOURCE_EXHAUSTED" if fault == "429" else "UNAVAILABLE"}, times=2)
    elif fault == "answer lost":
        strike(call, {"drop": "after"})
    elif fault == "operation fails":
        strike(phase.operation, {"status": "INTERNAL", "message": "Internal error encountered."})
    elif phase.operation:
        return strike(phase.operation, {"hold": True})
    return None


def struck(scene, fault, process, strike):
    """Does what no fault of the cloud's can."""
    if fault == "terraform SIGINT":
        process.send_signal(signal.SIGINT)
    elif fault == "terraform SIGKILL":
        process.kill()
    elif fault == "provider SIGKILL":
        for pid in below(process.pid):
            os.kill(pid, signal.SIGKILL)
    elif fault == "local cloud restarted":
        scene.cloud.restart()
    elif fault == "connection lost":
        strike({"path": scene.phase.polls}, {"drop": "before"}, times=3)


def met(scene, fault, strike):
    """The run that meets the fault: its exit code and its words."""
    phase, cloud = scene.phase, scene.cloud
    hold = armed(phase, fault, strike)
    process = scene.folder.start(phase.command, "-auto-approve")
    if hold or not phase.operation:
        reached(scene)
    struck(scene, fault, process, strike)
    if hold and fault not in ("terraform SIGINT", "operation never ends", "local cloud restarted"):
        cloud.call("DELETE", f"/localcloud/faults/{hold}")
    output, _ = process.communicate(timeout=60)
    cloud.call("DELETE", "/localcloud/faults")
    (scene.folder.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    return process.returncode, output


def words(output):
    """The first error or warning, or how the run ended."""
    lines = [line.strip("│╷╵ ") for line in output.splitlines()]
    told = [line for line in lines if line.startswith(("Error:", "Warning:"))]
    ended = [line for line in lines if "complete!" in line]
    return (told or ended or ["killed"])[0].replace("|", "/")[:110]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("phase", "fault"), list(cases()))
def test_a_fault_in_any_phase_is_healed_by_the_next_apply(
    phase, fault, workspace, cloud, models, new_endpoint, deployed, trigger, faults, ledger
):
    scene = Scene(workspace("campaign"), cloud, phase, new_endpoint, models, deployed, trigger)
    scene.prepare()
    if fault == "operation never ends":
        limits = ("create",) if phase.name == "build" else ("create", "delete")
        scene.set(**dict.fromkeys(limits, "2s"))
        if phase.command == "destroy":
            scene.folder.apply()
    else:
        scene.set()
    code, said = met(scene, fault, faults)
    scene.set()
    again = scene.folder.run(phase.command, "-auto-approve", "-input=false")
    scene.check(fault)

    ledger.append([phase.name, fault, "killed" if code < 0 else f"exit {code}", words(said), words(again)])
