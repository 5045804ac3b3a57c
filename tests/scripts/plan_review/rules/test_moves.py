"""Tools of another version, and what was changed behind Terraform's back."""

from scripts.plan_review.rules import moves

KIND = "vertex_endpoint_deployed_model"
SET = {f"{KIND}.it": {"traffic_percent": {"constant_value": 100}, "dedicated_resources": [{"max_replica_count": {}}]}}


def versions(google, *, before):
    actions = ["no-op"] if google == before else ["update"]
    old, new = (f"hashicorp/google {version}, flanstack/vertex 0.1.0" for version in (before, google))
    return {moves.PROVIDERS_OUTPUT: {"actions": actions, "before": old, "after": new}}


def test_a_provider_of_another_version_is_found_and_the_same_is_not(plans):
    (hit,) = plans.found(moves.VERSION, plans.stack(outputs=versions("7.0.0", before="6.50.0")))

    assert hit.what == "Provider hashicorp/google goes from 6.50.0 to 7.0.0."
    assert plans.found(moves.VERSION, plans.stack(outputs=versions("6.50.0", before="6.50.0"))) == []


def test_a_first_deployment_moves_no_version(plans):
    first = {moves.PROVIDERS_OUTPUT: {"actions": ["create"], "before": None, "after": "flanstack/vertex 0.1.0"}}

    assert plans.found(moves.VERSION, plans.stack(outputs=first)) == []


def test_another_terraform_than_the_one_that_wrote_the_state_is_found(plans):
    stack = plans.stack(terraform="1.12.0")

    (hit,) = plans.found(moves.VERSION, plans.replace(stack, state_terraform_version="1.11.4"))

    assert hit.what == "Terraform goes from 1.11.4 to 1.12.0."
    assert plans.found(moves.VERSION, plans.replace(stack, state_terraform_version="1.12.0")) == []
    assert plans.found(moves.VERSION, stack) == []  # nobody knows


def test_what_was_changed_by_hand_is_found_when_the_apply_undoes_it(plans):
    written, by_hand = plans.deployed(), plans.deployed(high=4)
    drift = plans.resource(KIND, written, by_hand)

    undone = plans.stack(plans.resource(KIND, by_hand, written), drift=[drift], expressions=SET)

    (hit,) = plans.found(moves.DRIFT, undone)
    assert hit.what == "Changed: dedicated_resources.max_replica_count. The apply puts it back."


def test_what_was_deleted_by_hand_is_found(plans):
    drift = plans.resource(KIND, plans.deployed(), None)
    again = plans.stack(plans.resource(KIND, None, plans.deployed()), drift=[drift])

    (hit,) = plans.found(moves.DRIFT, again)

    assert hit.what == "It is gone. The apply makes it again."


def test_what_google_changes_by_itself_is_no_drift(plans):
    noise = plans.resource(KIND, plans.deployed(), plans.deployed() | {"etag": "new", "update_time": "now"})
    stack = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed()), drift=[noise], expressions=SET)

    assert plans.found(moves.DRIFT, stack) == []
