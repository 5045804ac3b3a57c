"""A version takes over only when its labels say that it is better: real Terraform, the provider, a real local cloud."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e]

METRICS = ["eval_rouge1", "eval_rouge2", "eval_rougel"]
SCORES = {"old": "43_1000", "worse": "42_9000", "better": "44_0000"}


@pytest.fixture(scope="module")
def versions(cloud):
    """A version per score, by name; every metric is the same one."""
    found = {}
    for name, score in SCORES.items():
        found[name] = cloud.version("scored", name)
        cloud.call("PATCH", f"/v1/{found[name]}?updateMask=labels", {"labels": dict.fromkeys(METRICS, score)})
    return found


@pytest.fixture
def serving(workspace, versions, new_endpoint, deployed):
    """A folder whose old version serves, and how to ask there for another one."""
    folder = workspace("promotion")

    def ask(name, **fields):
        block = {"metrics": METRICS, **fields}
        folder.write(endpoint_deployed_model=deployed(new_endpoint, versions[name], promotion=[block]))
        return folder

    ask("old").apply()
    return ask


def serves(cloud, endpoint):
    (one,) = cloud.deployed_to(endpoint)
    return cloud.call("POST", f"/v1/{endpoint}:predict", {"instances": ["hi"]})["predictions"][0]["version"], one["id"]


def verdict(folder):
    return folder.state()["endpoint_deployed_model"]["promotion_verdict"]


def test_the_first_version_has_nothing_to_beat(serving):
    assert verdict(serving("old")) == "promoted: nothing served before"


def test_a_better_version_takes_over_and_the_plan_shows_the_metrics_of_both(serving, cloud, new_endpoint):
    change = serving("better").plan()["endpoint_deployed_model"]
    assert "eval_rouge1 43.1000 -> 44.0000" in change["after"]["promotion_verdict"]
    folder = serving("better")
    folder.apply()

    assert serves(cloud, new_endpoint)[0] == "better"
    assert verdict(folder).startswith("promoted scored@3 over scored@1 by all_greater")
    assert folder.is_unchanged()


def test_a_worse_version_is_not_deployed_and_the_old_one_stays_as_it_is(serving, cloud, new_endpoint):
    before = serves(cloud, new_endpoint)
    change = serving("worse").plan()["endpoint_deployed_model"]
    assert change["after"]["model"] == change["before"]["model"]
    assert change["after"]["deployed_model_id"] == before[1]
    assert change["after"]["promotion_verdict"].startswith("refused scored@2 over scored@1 by all_greater")
    folder = serving("worse")

    said = folder.apply()

    assert "scored@1 stays: the new version may not take over" in said
    assert serves(cloud, new_endpoint) == before
    assert folder.is_unchanged()  # the configuration asks for the other one still: a warning, and nothing to do


def test_the_rest_of_a_configuration_is_applied_when_the_version_is_refused(serving, cloud, new_endpoint):
    folder = serving("worse")
    document = (folder.folder / "main.tf.json").read_text()
    assert '"max_replica_count": 1' in document
    (folder.folder / "main.tf.json").write_text(document.replace('"max_replica_count": 1', '"max_replica_count": 2'))
    folder.apply()

    (one,) = cloud.deployed_to(new_endpoint)
    assert one["modelVersionId"] == "1"
    assert one["dedicatedResources"]["maxReplicaCount"] == 2


def test_a_persons_word_deploys_a_worse_version_and_stands_in_the_state(serving, cloud, new_endpoint):
    override = [{"model": "scored@2", "by": "anna@example.com", "reason": "smaller, and good enough"}]
    folder = serving("worse", override=override)
    folder.apply()

    assert serves(cloud, new_endpoint)[0] == "worse"
    assert "on the word of anna@example.com, who says: smaller, and good enough" in verdict(folder)
    assert folder.is_unchanged()


def test_a_refusal_that_shall_fail_ends_the_plan(serving, cloud, new_endpoint):
    said = serving("worse", on_refusal="fail").refused("plan", "-input=false")

    assert "The new version may not take over" in said
    assert "eval_rouge1 43.1000 -> 42.9000" in said
    assert serves(cloud, new_endpoint)[0] == "old"


def test_a_version_without_labels_is_refused(serving, cloud, models, deployed, new_endpoint):
    folder = serving("old")
    folder.write(
        endpoint_deployed_model=deployed(new_endpoint, models[0], promotion=[{"metrics": METRICS[:1]}], track=None)
    )

    assert "not a label of both" in folder.apply()
    assert serves(cloud, new_endpoint)[0] == "old"
