"""A new version in the old one's place: proved, in steps, under load, cut short, and back again."""

from __future__ import annotations

import json
import signal
import threading

import pytest

pytestmark = [pytest.mark.e2e]


def golden(version, timeout="20s"):
    return {"instance": json.dumps("hi"), "expected": f'"version": "{version}"', "timeout": timeout}


@pytest.fixture
def serving(workspace, cloud, models, new_endpoint, deployed):
    """Makes a folder whose first version serves; `write` then asks for another."""

    def make(name, **fields):
        folder = workspace(name).write(endpoint_deployed_model=deployed(new_endpoint, models[0], **fields))
        folder.apply()
        return folder

    return make


@pytest.fixture(scope="session")
def broken(cloud, models):
    """A third version: healthy, and every prediction fails."""
    return cloud.version("echo", "3", STATUS="500")


def number_of(folder):
    return folder.state()["endpoint_deployed_model"]["deployed_model_id"]


def split_of(cloud, endpoint):
    return cloud.call("GET", f"/v1/{endpoint}")["trafficSplit"]


def deployments(cloud, endpoint):
    return cloud.requests("POST", f"{endpoint.rpartition('/')[2]}:deployModel")


def unlock(folder):
    """What a user does after a kill: Terraform's lock file has no owner any more."""
    (folder.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)


def test_a_new_version_is_proved_and_gets_the_traffic_in_the_declared_steps(
    serving, cloud, models, new_endpoint, deployed
):
    steps = [{"percent": 10}, {"percent": 50, "wait": "1s"}]
    folder = serving("rolled")
    old = number_of(folder)
    folder.write(
        endpoint_deployed_model=deployed(new_endpoint, models[1], golden=[golden("2")], traffic=steps, drain="1s")
    )
    folder.progress_file.unlink()
    folder.apply()

    order = ["TRAFFIC 10 %", "GOLDEN_PREDICTION", "GOLDEN_RIGHT", "TRAFFIC 50 %", "WATCHING 50 %", "TRAFFIC 100 %"]
    assert [phase for phase in folder.phases() if phase in order] == order
    assert folder.phases()[-3:] == [f"DRAINING {old}", f"UNDEPLOYING {old}", f"UNDEPLOYED {old}"]
    assert split_of(cloud, new_endpoint) == {number_of(folder): 100}
    assert [one["modelVersionId"] for one in cloud.deployed_to(new_endpoint)] == ["2"]
    assert folder.is_unchanged()


def test_a_wrong_golden_prediction_leaves_the_old_one_everything_and_nothing_of_the_new_one(
    serving, cloud, models, new_endpoint, deployed
):
    folder = serving("golden-wrong")
    old = number_of(folder)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], golden=[golden("9")]))

    said = folder.refused("apply", "-auto-approve")
    assert "The new deployed model must not serve" in said
    assert "expected is what matches" in said
    assert f"{old} has all the traffic again" in said
    assert [one["id"] for one in cloud.deployed_to(new_endpoint)] == [old]
    assert split_of(cloud, new_endpoint) == {old: 100}
    state = folder.state()["endpoint_deployed_model"]
    assert (state["deployed_model_id"], state["model"], state["tainted"]) == (old, models[0], False)
    assert folder.actions() == {"endpoint_deployed_model": "update"}


def test_a_first_deployment_whose_golden_prediction_is_wrong_is_undeployed(
    workspace, cloud, models, new_endpoint, deployed
):
    folder = workspace("golden-first")
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0], golden=[golden("9")]))

    assert "It was undeployed again" in folder.refused("apply", "-auto-approve")
    assert cloud.deployed_to(new_endpoint) == []
    assert folder.state() == {}


def test_a_version_that_cannot_come_up_leaves_the_old_one_serving(
    serving, cloud, models, new_endpoint, deployed, faults
):
    folder = serving("not-up")
    old = number_of(folder)
    faults({"operation": "deployModel", "stage": "ADDING_NODES"}, {"preset": "stockout"})
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1]))

    assert "Google has no free machine of this type" in folder.refused("apply", "-auto-approve")
    assert split_of(cloud, new_endpoint) == {old: 100}
    assert number_of(folder) == old
    folder.apply()
    assert [one["modelVersionId"] for one in cloud.deployed_to(new_endpoint)] == ["2"]


class Client(threading.Thread):
    """Sends predictions, one after the other, until it is stopped; counts what came back."""

    def __init__(self, cloud, url):
        super().__init__(daemon=True)
        self.cloud, self.url = type(cloud)(""), url
        self.versions, self.failures = [], []
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(0.002):
            try:
                answer = self.cloud.call("POST", self.url, {"instances": ["hi"]})
                self.versions.append(answer["predictions"][0]["version"])
            except (OSError, ValueError) as error:  # refused, cut off, or no JSON
                self.failures.append(repr(error))

    def stop(self):
        self.is_over.set()
        self.join(30)


def test_no_prediction_fails_while_a_version_takes_over_under_load(serving, cloud, models, new_endpoint, deployed):
    folder = serving("loaded")
    clients = [Client(cloud, folder.state()["endpoint_deployed_model"]["predict_url"]) for _ in range(4)]
    for client in clients:
        client.start()
    steps = [{"percent": 25, "wait": "1s"}]
    folder.write(
        endpoint_deployed_model=deployed(new_endpoint, models[1], golden=[golden("2")], traffic=steps, drain="1s")
    )
    folder.apply()
    for client in clients:
        client.stop()

    answered = [version for client in clients for version in client.versions]
    assert [failure for client in clients for failure in client.failures] == []
    assert len(answered) > 100
    assert answered[0] == "1"
    assert answered[-1] == "2"


def test_a_rollback_to_a_kept_predecessor_deploys_nothing(serving, cloud, models, new_endpoint, deployed):
    folder = serving("kept")
    old = number_of(folder)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], keep_previous=True))
    folder.apply()
    state = folder.state()["endpoint_deployed_model"]
    assert state["previous_deployed_model_id"] == old
    assert split_of(cloud, new_endpoint) == {state["deployed_model_id"]: 100}
    assert len(cloud.deployed_to(new_endpoint)) == 2
    assert folder.is_unchanged()

    before = deployments(cloud, new_endpoint)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0], keep_previous=True))
    folder.apply()
    assert deployments(cloud, new_endpoint) == before
    assert number_of(folder) == old
    assert split_of(cloud, new_endpoint) == {old: 100}

    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0]))
    folder.apply()
    assert [one["id"] for one in cloud.deployed_to(new_endpoint)] == [old]
    assert folder.is_unchanged()


def test_recreating_takes_the_old_one_down_first(serving, cloud, models, new_endpoint, deployed):
    folder = serving("recreated")
    old = number_of(folder)
    folder.progress_file.unlink()
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], strategy="recreate"))
    folder.apply()

    phases = folder.phases()
    assert phases.index(f"UNDEPLOYED {old}") < phases.index("REQUESTED")
    assert split_of(cloud, new_endpoint) == {number_of(folder): 100}
    assert folder.is_unchanged()


def test_a_recreation_that_fails_brings_the_old_one_back(serving, cloud, models, new_endpoint, deployed, faults):
    folder = serving("recreated-back")
    old = number_of(folder)
    faults({"operation": "deployModel", "stage": "ADDING_NODES"}, {"preset": "stockout"})
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], strategy="recreate"))

    said = folder.refused("apply", "-auto-approve")
    assert "Google has no free machine of this type" in said
    assert f"Deployed model {old} was brought back and serves again" in said
    assert split_of(cloud, new_endpoint) == {old: 100}
    assert number_of(folder) == old


def test_a_version_that_answers_with_errors_does_not_take_over(serving, cloud, broken, new_endpoint, deployed):
    folder = serving("errors")
    old = number_of(folder)
    steps = [{"percent": 50}]
    folder.write(endpoint_deployed_model=deployed(new_endpoint, broken, golden=[golden("3", "60s")], traffic=steps))

    assert "The golden prediction failed 5 times, at last with HTTP 500" in folder.refused("apply", "-auto-approve")
    assert split_of(cloud, new_endpoint) == {old: 100}
    assert [one["id"] for one in cloud.deployed_to(new_endpoint)] == [old]


def rolling(folder, phase, *, kill):
    """An apply that is interrupted, or killed, when it comes to a phase."""
    folder.progress_file.unlink(missing_ok=True)
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase(phase)
    if kill:
        process.kill()
    else:
        process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    unlock(folder)
    return output


def test_an_interrupted_replacement_goes_on_in_place(serving, cloud, models, new_endpoint, deployed):
    folder = serving("rolled-stopped")
    old = number_of(folder)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], traffic=[{"percent": 20, "wait": "30s"}]))
    output = rolling(folder, "WATCHING 20 %", kill=False)

    assert "Interrupted while deployed model" in output
    state = folder.state()["endpoint_deployed_model"]
    assert (state["status"], state["deployed_model_id"], state["tainted"]) == ("rolling", old, False)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], traffic=[{"percent": 20, "wait": "1s"}]))
    folder.apply()
    assert split_of(cloud, new_endpoint) == {number_of(folder): 100}
    assert deployments(cloud, new_endpoint) == 2
    assert folder.is_unchanged()


def test_a_replacement_that_was_killed_while_deploying_is_joined(
    serving, cloud, models, new_endpoint, deployed, faults
):
    folder = serving("rolled-killed")
    faults({"operation": "deployModel", "stage": "GETTING"}, {"hold": True})
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1]))
    rolling(folder, "GETTING_CONTAINER_IMAGE", kill=True)

    assert folder.state()["endpoint_deployed_model"]["status"] == "ready"
    assert "that this state does not know" in folder.run("plan")
    again = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("JOINED")
    cloud.call("DELETE", "/localcloud/faults")
    output, _ = again.communicate(timeout=30)
    assert again.returncode == 0, output
    assert len(cloud.deployed_to(new_endpoint)) == 1
    assert folder.is_unchanged()


def test_what_a_killed_replacement_left_is_shown_and_taken_down_when_it_is_wanted_no_more(
    serving, cloud, models, new_endpoint, deployed
):
    folder = serving("rolled-reverted")
    old = number_of(folder)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], traffic=[{"percent": 20, "wait": "30s"}]))
    rolling(folder, "WATCHING 20 %", kill=True)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0]))

    change = folder.plan()["endpoint_deployed_model"]
    assert change["actions"] == ["update"]
    assert len(change["before"]["leftover_deployed_model_ids"]) == 1
    folder.run("apply", "plan")
    assert [one["id"] for one in cloud.deployed_to(new_endpoint)] == [old]
    assert split_of(cloud, new_endpoint) == {old: 100}
    assert folder.is_unchanged()


def test_a_relative_that_the_state_does_not_know_is_refused_with_the_cure(
    serving, workspace, cloud, models, new_endpoint, deployed
):
    left = serving("relative")
    folder = workspace("relative-unknown").write(endpoint_deployed_model=deployed(new_endpoint, models[1], drain="10s"))

    said = folder.refused("apply", "-auto-approve")
    assert "has a deployed model of this resource that the state does not know" in said
    name = left.state()["endpoint_deployed_model"]["id"]
    assert f"terraform import vertex_endpoint_deployed_model.NAME {name}" in said
    folder.run("import", "vertex_endpoint_deployed_model.this", name)
    folder.apply()
    assert [one["modelVersionId"] for one in cloud.deployed_to(new_endpoint)] == ["2"]
    assert left.actions() == {"endpoint_deployed_model": "update"}


def test_an_id_that_the_user_changes_is_a_replacement(serving, cloud, models, new_endpoint, deployed):
    folder = serving("other-id", deployed_model_id="77")
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], deployed_model_id="12345678901"))
    assert "allowed is 1 to 10 digits for a new deployment" in folder.refused("plan")
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], deployed_model_id="78"))
    folder.apply()

    assert [one["id"] for one in cloud.deployed_to(new_endpoint)] == ["78"]
    assert folder.is_unchanged()


def test_a_fixed_id_cannot_have_a_second_deployment_beside_it(serving, models, new_endpoint, deployed):
    folder = serving("fixed-id", deployed_model_id="77")
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], deployed_model_id="77"))

    assert "A new deployment needs an id of its own" in folder.refused("plan")
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], deployed_model_id="77", strategy="recreate"))
    folder.apply()
    assert folder.is_unchanged()


@pytest.fixture(scope="session")
def slow(cloud, models):
    """A version whose predictions are right and take a quarter of a second."""
    return cloud.version("echo", "4", DELAY_S="0.25")


@pytest.mark.parametrize(
    ("which", "limit", "said"),
    [
        ("broken", {"max_error_rate": 0.1}, "of its predictions failed; allowed are 10.00% (max_error_rate)"),
        ("slow", {"max_p95_ms": 100}, "allowed are 100 ms (max_p95_ms)"),
    ],
)
def test_a_step_whose_figures_are_too_bad_gives_everything_back(
    request, serving, cloud, new_endpoint, deployed, which, limit, said
):
    folder = serving(f"gate-{which}")
    state = folder.state()["endpoint_deployed_model"]
    client = Client(cloud, state["predict_url"])
    client.start()
    step = {"percent": 50, "wait": "2s", **limit}
    version = request.getfixturevalue(which)
    folder.write(endpoint_deployed_model=deployed(new_endpoint, version, traffic=[step]))
    text = folder.refused("apply", "-auto-approve")
    client.stop()

    assert said in text
    assert "With 50 % of the traffic" in text
    assert split_of(cloud, new_endpoint) == {state["deployed_model_id"]: 100}
    assert len(cloud.deployed_to(new_endpoint)) == 1


def test_a_step_whose_figures_are_good_goes_on(serving, cloud, models, new_endpoint, deployed):
    folder = serving("gate-good")
    client = Client(cloud, folder.state()["endpoint_deployed_model"]["predict_url"])
    client.start()
    step = {"percent": 50, "wait": "2s", "max_error_rate": 0.01, "max_p95_ms": 5000}
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[1], traffic=[step]))
    folder.apply()
    client.stop()

    assert "FIT AT 50 %" in folder.phases()
    assert [one["modelVersionId"] for one in cloud.deployed_to(new_endpoint)] == [models[1].partition("@")[2]]
