"""How checks are run: all at once, none too long, none of them able to hide the others."""

import json
import threading
import time
from contextlib import closing

import pytest

from scripts.doctor.__main__ import main
from scripts.doctor.examination import Check, examine, worst
from scripts.doctor.finding import Level, ok
from scripts.doctor.rounds import checks_of
from scripts.google_api import GoogleApi, NotThere, Unreachable


def test_checks_run_at_once_and_are_told_in_their_order():
    barrier = threading.Barrier(3, timeout=5)

    def met(name):
        barrier.wait()
        return [ok(name, "met the others")]

    findings = examine([Check(name, lambda name=name: met(name)) for name in "abc"])

    assert [one.subject for one in findings] == ["a", "b", "c"]


def test_a_check_that_takes_too_long_is_a_warning_and_holds_nobody_up():
    started = time.monotonic()
    findings = examine(
        [Check("slow", lambda: time.sleep(5) or []), Check("quick", lambda: [ok("quick", "done")])], time_limit_s=0.3
    )

    assert time.monotonic() - started < 2
    assert [(one.subject, one.level) for one in findings] == [("slow", "warning"), ("quick", "ok")]
    assert "within 0.3 s" in findings[0].text


@pytest.mark.parametrize("error", [Unreachable("down"), NotThere(404, "gone"), RuntimeError("a bug")])
def test_a_check_that_could_not_find_out_is_a_warning_never_ok(error):
    def fails():
        raise error

    (finding,) = examine([Check("it", fails)])

    assert finding.level == "warning"
    assert str(error) in finding.text


def test_the_worst_finding_decides():
    assert worst([]) is Level.OK
    assert worst([ok("a", "b")]) is Level.OK


def test_every_check_of_a_deployed_system_is_ok_within_ten_seconds(deployed):
    started = time.monotonic()
    findings = examine(checks_of(deployed.config, deployed.api))

    assert time.monotonic() - started < 10
    # The providers' launchers are the machine's own business: not every machine has run `make install`.
    assert {one.level for one in findings if one.subject not in ("providers", "Node", "cdktf")} == {"ok"}


@pytest.mark.parametrize("effect", [{"preset": "unavailable"}, {"drop": "before"}])
def test_one_lost_answer_is_asked_for_again(project, faults, effect):
    faults(match={"path": "/v1/projects/"}, effect=effect)

    assert project.api.get("cloudresourcemanager", f"/v1/projects/{project.name}")["projectId"] == project.name


def test_a_service_that_stays_away_is_unreachable_not_empty(project, faults):
    faults(match={"path": "/v1/projects/"}, effect={"preset": "unavailable"}, times=None)

    with pytest.raises(Unreachable, match="answered 503"):
        list(project.api.items("aiplatform", f"/v1/{project.parent}/models", "models"))


def test_a_list_is_read_to_its_last_page(project):
    for number in range(3):
        project.bucket(f"{project.name}-page-{number}")

    found = project.api.items("storage", "/storage/v1/b", "items", project=project.name, maxResults="2")

    assert len(list(found)) == 3


@pytest.fixture
def as_local(deployed, monkeypatch):
    monkeypatch.setattr("scripts.doctor.__main__.load", lambda env: deployed.config)
    return deployed


def test_json_says_the_same_for_machines(as_local, capsys):
    main(["local", "--json"])
    said = json.loads(capsys.readouterr().out)

    assert said["env"] == "local"
    assert {"subject", "level", "text", "cure"} == set(said["findings"][0])


def test_a_failure_ends_with_1_and_brief_tells_only_that(as_local, capsys):
    body = {"project": as_local.name, "metric": "custom_model_serving_nvidia_a100_gpus", "region": "europe-west4"}
    as_local.cloud.call("PUT", "/localcloud/quotas", body | {"limit": 0})

    code = main(["local", "--brief"])
    told = capsys.readouterr().out

    assert code == 1
    assert "quota" in told
    assert "  ok " not in told


def test_an_unknown_deployment_is_told_with_those_there_are(capsys):
    assert main(["nowhere"]) == 1
    assert "local, prod" in capsys.readouterr().err


def test_a_deployment_to_google_asks_google_s_own_hosts(project):
    google = project.config.google.model_copy(update={"api_endpoint": None})
    with closing(GoogleApi(google)) as api:
        assert api.address("aiplatform", "/v1/x") == "https://europe-west4-aiplatform.googleapis.com/v1/x"
        assert api.address("storage", "/storage/v1/b") == "https://storage.googleapis.com/storage/v1/b"
