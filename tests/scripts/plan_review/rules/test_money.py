"""The budget, what grows, and what nobody knows the price of. An A100 in europe-west4 is 4.3101678 an hour."""

import pytest

from scripts.plan_review.rules import money
from scripts.plan_review.rules.rule import Severity

KIND = "vertex_endpoint_deployed_model"


def with_budget(plans, usd):
    return plans.configured(review={"budget_usd_per_day": usd})


def test_a_deployment_over_its_budget_at_rest_is_found(plans):
    three = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed(low=3, high=3)))

    # 3 x 4.3101678 x 24 = 310.33
    (hit,) = plans.found(money.BUDGET, three, config=with_budget(plans, 120))

    assert hit.what == "It costs USD 310.33 a day at rest; review.budget_usd_per_day is 120.00."
    assert hit.severity is None  # the rule's own: high


def test_one_that_is_over_it_with_every_replica_up_only_is_found_less_severely(plans):
    up_to_two = plans.stack(plans.resource(KIND, None, plans.deployed(high=2)))

    # 4.3101678 x 24 = 103.44 at rest, 206.89 at most
    (hit,) = plans.found(money.BUDGET, up_to_two, config=with_budget(plans, 120))

    assert hit.severity is Severity.MEDIUM
    assert "up to USD 206.89 a day" in hit.what


def test_a_deployment_within_its_budget_or_without_one_is_not(plans):
    one = plans.stack(plans.resource(KIND, None, plans.deployed()))

    assert plans.found(money.BUDGET, one, config=with_budget(plans, 103.45)) == []
    assert plans.found(money.BUDGET, one, config=with_budget(plans, None)) == []


@pytest.mark.parametrize(
    ("kind", "before", "after", "told"),
    [
        (
            "google_cloud_run_v2_service",
            {"template": [{"scaling": [{"min_instance_count": 0, "max_instance_count": 1}]}]},
            {"template": [{"scaling": [{"min_instance_count": 1, "max_instance_count": 1}]}]},
            "min_instance_count goes from 0 to 1.",
        ),
        (
            "google_container_node_pool",
            {"node_config": [{"guest_accelerator": [{"type": "nvidia-tesla-t4", "count": 1}]}]},
            {"node_config": [{"guest_accelerator": [{"type": "nvidia-tesla-t4", "count": 2}]}]},
            "1 to 2 accelerators.",
        ),
        (
            "aws_appautoscaling_target",
            {"min_capacity": 1, "max_capacity": 2},
            {"min_capacity": 1, "max_capacity": 4},
            "max_capacity goes from 2 to 4.",
        ),
    ],
)
def test_more_of_what_is_paid_for_is_found_and_less_is_not(plans, kind, before, after, told):
    (hit,) = plans.found(money.GROWN, plans.stack(plans.resource(kind, before, after)))

    assert hit.what == told
    assert plans.found(money.GROWN, plans.stack(plans.resource(kind, after, before))) == []


def test_more_replicas_are_found_fewer_are_not(plans):
    one, three = plans.deployed(), plans.deployed(low=3, high=3)

    (hit,) = plans.found(money.GROWN, plans.stack(plans.resource(KIND, one, three)))

    assert hit.what == "min_replica_count goes from 1 to 3; max_replica_count goes from 1 to 3."
    assert plans.found(money.GROWN, plans.stack(plans.resource(KIND, three, one))) == []
    assert plans.found(money.GROWN, plans.stack(plans.resource(KIND, None, three))) == []  # nothing was there to grow


def test_a_price_that_is_not_known_is_found_where_it_comes_and_not_where_it_was(plans):
    tensorboard = {"display_name": "flan", "region": "europe-west4"}
    new = plans.stack(plans.resource("google_vertex_ai_tensorboard", None, tensorboard))
    old = plans.stack(plans.resource("google_vertex_ai_tensorboard", tensorboard, tensorboard))

    (hit,) = plans.found(money.UNKNOWN, new)

    assert "no price of tensorboard" in hit.what
    assert plans.found(money.UNKNOWN, old) == []
    assert plans.found(money.UNKNOWN, plans.stack(plans.resource(KIND, None, plans.deployed()))) == []
