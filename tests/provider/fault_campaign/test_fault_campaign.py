"""Every phase of every resource meets every fault; one apply then converges, and one plan is empty.

Real Terraform, the provider as a plugin, a local cloud that may be restarted. With CAMPAIGN_TABLE set to a path, what
became of each is written there as a table. The first deployment's run with every test; the others with
`make fault-campaign`.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.provider.fault_campaign.ledger import Ledger, left_over
from tests.provider.fault_campaign.phases import ALWAYS, combinations
from tests.provider.fault_campaign.scene import Scene
from tests.provider.local_cloud import PARENT

pytestmark = [pytest.mark.e2e]


def cases():
    for phase, fault in combinations():
        marks = [] if phase.name in ALWAYS else [pytest.mark.campaign]
        yield pytest.param(phase, fault, id=f"{phase.name}-{fault}".replace(" ", "_"), marks=marks)


@pytest.fixture(scope="module")
def ledger(trigger, cloud):
    """What became of each; a page's table at the end, when somebody asked for it; and nothing may be left over."""
    ledger, before = Ledger(), left_over(cloud)  # other tests may have used the same cloud
    yield ledger
    left = {kind: [one for one in now if one not in before[kind]] for kind, now in left_over(cloud).items()}
    if os.environ.get("CAMPAIGN_TABLE") and ledger.rows:
        ledger.write(Path(os.environ["CAMPAIGN_TABLE"]), left)
    assert not any(left.values()), left


@pytest.fixture(scope="module")
def trigger(cloud):
    cloud.call("POST", f"/v1/{PARENT}/repositories?repositoryId=campaign", {"format": "DOCKER"})
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-campaign", "location": "europe-west4"})
    docker = {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", "$_IMAGE:$_TAG", "."], "id": "docker"}
    build = {"steps": [docker], "images": ["$_IMAGE:$_TAG"], "timeout": "60s"}
    made = cloud.call("POST", f"/v1/{PARENT}/triggers", {"name": "campaign", "build": build, "substitutions": {}})
    return f"{PARENT}/triggers/{made['id']}"


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
    ledger.begun += 1
    scene = Scene(workspace("campaign"), cloud, phase, new_endpoint, models, deployed, trigger)
    scene.prepare()
    if fault == "operation never ends":
        limits = ("create",) if phase.name == "build" else ("create", "delete", "update")
        limits = limits[:2] if phase.name.endswith("job") else limits
        scene.set(**dict.fromkeys(limits, "2s"))
        if phase.command == "destroy":
            scene.folder.apply()
    else:
        scene.set()
    code, said = met(scene, fault, faults)
    scene.set()
    again = scene.folder.run(phase.command, "-auto-approve", "-input=false")
    scene.check(fault)

    ledger.rows.append([phase.name, fault, "killed" if code < 0 else f"exit {code}", words(said), words(again)])
