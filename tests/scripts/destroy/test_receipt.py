"""The receipt: what ended, for how long and how much; what remains; and what nobody can know."""

import io
import json
import signal
from datetime import UTC, datetime, timedelta

import pytest

from provider.progress import past_durations
from scripts.cdktf_run import CdktfFailed
from scripts.destroy import __main__ as program
from scripts.destroy.billable import BUILD, DEPLOYED_MODEL, ENDPOINT, Billable, Price, free, unknown
from scripts.destroy.document import receipt_document
from scripts.destroy.receipt import receipt
from scripts.destroy.sweep import Sweep
from scripts.destroy.text import lasted, receipt_text
from scripts.destroy.way_back import RESOURCE, way_back

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def thing(kind=DEPLOYED_MODEL, name="d1", *, hours=10.0, price=None, stack="endpoint", until=None):
    return Billable(
        kind, name, f"shown {name}", stack, NOW - timedelta(hours=hours), price or Price(4.31), f"remove {name}", until
    )


def made(before, after, *, scope=None, not_seen_before=None, not_seen=None):
    return receipt(
        env="local",
        scope=scope,
        before=Sweep(tuple(before), not_seen_before or {}),
        after=Sweep(tuple(after), not_seen or {}),
        at=NOW,
    )


def test_what_was_there_before_and_is_not_now_has_ended_with_its_cost(project):
    one = made([thing(hours=10), thing(ENDPOINT, "e1", price=free("nothing"))], [])
    text = receipt_text(one, project.config)

    # 10 h x 4.31
    assert one.cost_usd == pytest.approx(43.1)
    assert "10 h 00 min        43.10" in text
    assert "Nothing remains that costs money: every service was asked." in text
    assert one.is_clean


def test_what_remains_is_told_with_the_command_that_removes_it(project):
    left = thing(name="d2")
    one = made([thing(), left], [left])
    text = receipt_text(one, project.config)

    assert not one.is_clean
    assert "REMAINS: 1, for about USD 4.31 per hour" in text
    assert "remove d2" in text
    assert "Nothing remains" not in text


def test_what_came_meanwhile_remains_too():
    assert [one.name for one in made([], [thing(name="new")]).remaining] == ["new"]


def test_nothing_there_before_and_after_is_said(project):
    text = receipt_text(made([], []), project.config)

    assert "Nothing was up that could be seen to end." in text
    assert "Nothing remains that costs money" in text


def test_a_service_that_does_not_answer_never_lets_the_receipt_say_that_nothing_remains(project):
    one = made([thing()], [], not_seen={DEPLOYED_MODEL: "answered 503"})
    text = receipt_text(one, project.config)

    assert not one.is_clean
    assert "Nothing remains" not in text
    assert "NOT KNOWN whether anything remains of:" in text
    assert "deployed model: answered 503" in text
    # It was there before, and nobody has seen that it is gone.
    assert one.ended == ()


def test_an_unknown_price_is_said_as_unknown_and_is_not_in_the_sum(project):
    one = made([thing(price=unknown("no price of x")), thing(name="d2", hours=1)], [])
    text = receipt_text(one, project.config)

    assert one.cost_usd == pytest.approx(4.31)
    assert "10 h 00 min      unknown" in text
    assert "Not in the sum, because unknown: deployed model: no price of x." in text


def test_the_builds_of_this_deployment_are_in_the_sum_and_those_of_an_earlier_one_are_not():
    def build(name, hours, minutes=6):
        until = NOW - timedelta(hours=hours) + timedelta(minutes=minutes)
        return thing(BUILD, name, hours=hours, price=Price(0.96), stack="registry", until=until)

    one = made([thing(hours=10), build("b1", 9), build("old", 100)], [])

    assert [one.name for one in one.ended] == ["d1", "b1"]
    # 10 h x 4.31 and 6 minutes of E2_HIGHCPU_8 at 0.016 a minute
    assert one.cost_usd == pytest.approx(43.1 + 0.096)


def test_a_second_receipt_does_not_count_old_builds_again():
    old = thing(BUILD, "b1", hours=9, until=NOW - timedelta(hours=8), stack="registry")

    assert made([old], [old]).ended == ()


def test_one_stack_s_receipt_is_of_that_stack_alone(project):
    one = made(
        [thing(), thing(ENDPOINT, "b", stack="registry")], [thing(ENDPOINT, "b", stack="registry")], scope="endpoint"
    )

    assert [one.name for one in one.ended] == ["d1"]
    assert one.is_clean
    assert "stack endpoint" in receipt_text(one, project.config)


@pytest.mark.parametrize(
    ("hours", "said"),
    [(None, "not known"), (0.001, "under 1 min"), (0.5, "30 min"), (26.2, "26 h 12 min"), (291, "12 days 3 h")],
)
def test_durations_are_told_as_people_do(hours, said):
    assert lasted(hours) == said


def test_machines_read_the_same(project):
    document = receipt_document(made([thing(price=unknown("?"))], [thing(name="d2")], not_seen={"bucket": "403"}))

    assert json.loads(json.dumps(document)) == document
    assert document["nothing_remains"] is False
    assert document["ended"][0]["cost_usd"] is None
    assert document["remaining"][0]["remove"] == "remove d2"
    assert document["not_known"] == {"bucket": "403"}


def test_the_way_back_is_the_sum_of_the_medians_of_past_phases(project, tmp_path, monkeypatch):
    monkeypatch.setenv("FLANSTACK_STATE_DIR", str(tmp_path))
    assert "no deployment was measured on this machine" in way_back(project.config)

    past_durations.measure_at(project.config.google.api_endpoint)
    for stage, seconds in (("GETTING_CONTAINER_IMAGE", 600), ("STARTING_MODEL_SERVER", 330), ("UNDEPLOYING 1", 60)):
        key = past_durations.key_of(RESOURCE, "a2-highgpu-1g", stage)
        past_durations.add(past_durations.default_path(), key, seconds)

    assert way_back(project.config).startswith("about 15:30:")


def test_without_a_measure_google_s_typical_time_is_told_as_typical(project, tmp_path, monkeypatch):
    monkeypatch.setenv("FLANSTACK_STATE_DIR", str(tmp_path))
    google = project.config.google.model_copy(update={"api_endpoint": None})

    assert way_back(project.config.model_copy(update={"google": google})).startswith("typically 25 to 45 minutes")


# The program, with `cdktf destroy` taken by a function: what cdktf itself does is tests/e2e's.


@pytest.fixture
def run(make, monkeypatch, capsys):
    """Runs the program on the project; returns its exit status and what it printed."""
    monkeypatch.setattr(program, "load", lambda env: make.project.config)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def start(*arguments, destroys=lambda self: None):
        monkeypatch.setattr(program.CdktfRun, "run", destroys)
        code = program.main(["local", *arguments])
        return code, capsys.readouterr()

    return start


def removing(make):
    """A destroy that takes the endpoint away."""
    endpoint = make.endpoint()
    return lambda self: make.project.cloud.done("DELETE", f"/v1/{endpoint}")


def test_a_destroy_that_leaves_nothing_ends_with_0(run, make):
    code, said = run("--yes", destroys=removing(make))

    assert code == 0
    assert "Nothing remains that costs money" in said.out
    assert "endpoint" in said.out


def test_a_deployed_model_made_by_hand_with_the_label_ends_it_with_1(run, make):
    endpoint = make.endpoint()
    number = make.deployed(endpoint, make.model())

    code, said = run("--yes", destroys=removing(make))

    assert code == 1
    assert (
        f"deployed model {number} on endpoint {endpoint.rpartition('/')[2]}, 1 x a2-highgpu-1g  (USD 4.31/h)"
        in said.out
    )
    assert f"{endpoint}:undeployModel" in said.out


def test_a_second_run_says_that_nothing_is_there(run):
    code, said = run("--yes")

    assert code == 0
    assert "Nothing was up" in said.out


def test_ctrl_c_still_gets_a_receipt(run, make):
    make.endpoint()

    def interrupted(self):
        signal.raise_signal(signal.SIGINT)

    code, said = run("--yes", destroys=interrupted)

    assert code == 130
    assert "REMAINS: 1" in said.out
    assert "run the same command to go on" in said.err


def test_a_destroy_that_fails_still_gets_a_receipt(run, make):
    make.endpoint()

    def fails(self):
        raise CdktfFailed("Error: the bucket is not empty")

    code, said = run("--yes", destroys=fails)

    assert code == 1
    assert "REMAINS: 1" in said.out
    assert "the bucket is not empty" in said.err


def test_without_a_terminal_and_without_yes_nothing_is_destroyed(run, make):
    make.endpoint()

    def never(self):
        raise AssertionError("destroyed")

    code, said = run(destroys=never)

    assert code == 1
    assert "Nothing was destroyed" in said.err


def test_looking_destroys_nothing_and_tells_what_is_up(run, make):
    make.endpoint()

    def never(self):
        raise AssertionError("destroyed")

    code, said = run("--look", destroys=never)

    assert code == 1
    assert "REMAINS: 1" in said.out


def test_a_cloud_that_is_gone_is_never_called_empty(run, faults):
    faults(match={"method": "GET", "path": "/endpoints$"}, effect={"preset": "unavailable"}, times=None)

    code, said = run("--yes")

    assert code == 1
    assert "Nothing remains" not in said.out
    assert "NOT KNOWN" in said.out


def test_the_endpoint_alone_is_stopped_and_the_way_back_is_told(run, make):
    make.model()  # of another stack: it stays, and is no leftover

    code, said = run("--stack", "endpoint", "--yes", destroys=removing(make))

    assert code == 0
    assert "The way back, `make deploy ENV=local`:" in said.out
