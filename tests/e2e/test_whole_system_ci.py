"""CI's path through the whole system: a change is planned, sealed and applied as it was planned, once.

Runs after test_whole_system.py, whose last test took everything down.
"""

import re
import sys

import pytest

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


def commit(system):
    system.run(*GIT, "add", "-A")
    system.run(*GIT, "commit", "--quiet", "-m", "a change")


def planned(system):
    """(seal, whether anything would change)."""
    text = system.run("make", "ci-plan", "ENV=local", timeout=200)
    return re.search(r"seal=(sha256:\w+)", text).group(1), re.search(r"changes=(\w+)", text).group(1) == "true"


def test_a_change_is_applied_as_it_was_planned_and_only_once(system):
    system.run(sys.executable, "-m", "scripts.up", timeout=400)
    system.run(*GIT, "init", "--quiet")
    deployment = system.folder / "deployments" / "local.toml"
    deployment.write_text(deployment.read_text().replace("max_replicas = 1", "max_replicas = 2"))
    commit(system)
    seal, changes = planned(system)
    assert changes

    text = system.run("make", "ci-apply", "ENV=local", f"SEAL={seal}", timeout=200)

    assert re.search(r"applied: endpoint$", text, flags=re.MULTILINE), text
    assert "more=true" in text
    shown = system.run("curl", "-sSf", f"{system.url}/v1/projects/flan-local/locations/europe-west4/endpoints/4242001")
    assert '"maxReplicaCount":2' in shown.replace(" ", "")
    again = system.run("make", "ci-apply", "ENV=local", f"SEAL={seal}", timeout=200, check=False)
    assert "Saved plan is stale" in again


def test_the_next_plan_changes_nothing_and_a_changed_one_is_refused(system):
    seal, changes = planned(system)
    assert not changes
    with (system.folder / ".flanstack/plans/local/endpoint.tfplan").open("ab") as plan:
        plan.write(b" ")

    text = system.run("make", "ci-apply", "ENV=local", f"SEAL={seal}", check=False)

    assert "Not as they were sealed: endpoint.tfplan" in text
