"""What answers: taken down, replaced, redeployed, or moved to another address."""

import pytest

from provider.deployed_model.document import IMMUTABLE
from scripts.plan_review.plan import redeployment
from scripts.plan_review.rules import serving
from scripts.plan_review.rules.rule import Severity

KIND = "vertex_endpoint_deployed_model"
ENDPOINT = "google_vertex_ai_endpoint"
ADDRESS = {"name": "4242001", "location": "europe-west4", "dedicated_endpoint_enabled": True, "display_name": "Flan"}


def test_a_deployed_model_that_is_destroyed_is_found(plans):
    gone = plans.stack(plans.resource(KIND, plans.deployed(), None))

    (hit,) = plans.found(serving.DESTROYED, gone)

    assert hit.address == f"{KIND}.it"
    assert hit.verdict == "takes down what serves"


def test_a_deployed_model_that_changes_its_replicas_is_not_taken_down_replaced_or_redeployed(plans):
    grown = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed(high=3)))

    for rule in (serving.DESTROYED, serving.REPLACED, serving.REDEPLOYED, serving.ENDPOINT):
        assert plans.found(rule, grown) == []


def test_a_replaced_deployed_model_is_found(plans):
    new = plans.deployed() | {"endpoint": None}
    moved = plans.stack(plans.resource(KIND, plans.deployed(), new, action="replace"))

    (hit,) = plans.found(serving.REPLACED, moved)

    assert hit.what == "Replaced, because location cannot change in place."
    assert hit.verdict == "replaces a serving deployment"
    assert plans.found(serving.REDEPLOYED, moved) == []


def test_another_model_version_is_a_redeployment_and_no_replacement(plans):
    new = plans.deployed(model=f"{plans.MODELS}@2")
    rolled = plans.stack(plans.resource(KIND, plans.deployed(), new))

    (hit,) = plans.found(serving.REDEPLOYED, rolled)

    assert hit.what == "Deployed anew beside the one that serves, because of model."
    assert serving.REDEPLOYED.severity is Severity.LOW
    assert plans.found(serving.REPLACED, rolled) == []


def test_recreate_takes_down_what_serves_and_is_a_replacement(plans):
    new = plans.deployed(model=f"{plans.MODELS}@2") | {"strategy": "recreate"}
    down = plans.stack(plans.resource(KIND, plans.deployed(), new))

    (hit,) = plans.found(serving.REPLACED, down)

    assert "down meanwhile" in hit.what
    assert plans.found(serving.REDEPLOYED, down) == []


@pytest.mark.parametrize(
    "changed",
    [{"service_account": "x@p.iam.gserviceaccount.com"}, {"enable_access_logging": True}, {"display_name": "other"}],
)
def test_what_google_cannot_change_in_a_deployed_model_redeploys_it(plans, changed):
    rolled = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed() | changed))

    assert len(plans.found(serving.REDEPLOYED, rolled)) == 1


def test_null_false_and_missing_are_the_same_to_google(plans):
    old = plans.deployed() | {"enable_access_logging": False}
    new = plans.deployed() | {"enable_access_logging": None, "drain": "5s"}

    assert plans.found(serving.REDEPLOYED, plans.stack(plans.resource(KIND, old, new))) == []


def test_another_machine_redeploys(plans):
    new = plans.deployed(machine="a2-ultragpu-1g")

    (hit,) = plans.found(serving.REDEPLOYED, plans.stack(plans.resource(KIND, plans.deployed(), new)))

    assert "dedicated_resources.machine_spec" in hit.what


def test_the_review_and_the_provider_agree_on_what_google_cannot_change():
    assert redeployment.IMMUTABLE == IMMUTABLE


def test_a_version_that_only_the_model_s_apply_will_know_redeploys_what_serves(plans):
    output = {"actions": ["update"], "before": f"{plans.MODELS}@1", "after_unknown": True}
    model = plans.stack(name="model", outputs={"version": output})
    address = f"{KIND}.it"
    reference = "data.terraform_remote_state.cross-stack-reference-input-model.outputs.version"
    endpoint = plans.stack(
        plans.resource(KIND, plans.deployed(), plans.deployed()),
        expressions={address: {"model": {"constant_value": "${…}", "references": [reference]}}},
    )

    (hit,) = plans.found(serving.REDEPLOYED, model, endpoint)

    assert hit.address == address
    assert plans.found(serving.REDEPLOYED, plans.stack(name="model"), endpoint) == []


@pytest.mark.parametrize("after", [None, ADDRESS | {"location": "us-central1"}])
def test_an_endpoint_that_goes_is_found(plans, after):
    action = "replace" if after else "destroy"
    gone = plans.stack(plans.resource(ENDPOINT, ADDRESS, after, action=action))

    (hit,) = plans.found(serving.ENDPOINT, gone)

    assert hit.what == f"The endpoint is {action}{'d' if after else 'ed'}: its name and DNS are gone."


def test_an_endpoint_that_loses_its_own_dns_is_found_and_one_with_another_name_to_show_is_not(plans):
    shared = plans.stack(plans.resource(ENDPOINT, ADDRESS, ADDRESS | {"dedicated_endpoint_enabled": False}))
    renamed = plans.stack(plans.resource(ENDPOINT, ADDRESS, ADDRESS | {"display_name": "Flan-T5 XXL"}))

    (hit,) = plans.found(serving.ENDPOINT, shared)

    assert "dedicated_endpoint_enabled" in hit.what
    assert plans.found(serving.ENDPOINT, renamed) == []
