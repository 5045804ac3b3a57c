"""Who may do what: the public, and broad roles."""

import pytest

from scripts.plan_review.rules import access
from scripts.plan_review.rules.rule import Severity

INVOKER = "google_cloud_run_v2_service_iam_member"
PROJECT = "google_project_iam_member"
ACCOUNT = "serviceAccount:flan-ui@p.iam.gserviceaccount.com"
PAGE = {"name": "flan-ui", "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}


def grant(role="roles/run.invoker", member=ACCOUNT):
    return {"role": role, "member": member, "name": "flan-ui"}


def standing(plans, *resources, name="ui"):
    """A stack that is there already, so that a further grant is a widening."""
    return plans.stack(
        plans.resource("google_service_account", {"account_id": "a"}, {"account_id": "a"}), *resources, name=name
    )


@pytest.mark.parametrize("member", ["allUsers", "allAuthenticatedUsers"])
def test_a_grant_to_everybody_is_found(plans, member):
    opened = plans.stack(plans.resource(INVOKER, None, grant(member=member)))

    (hit,) = plans.found(access.PUBLIC, opened)

    assert hit.what == f"{member} gets roles/run.invoker on flan-ui: anyone on the internet."
    assert plans.found(access.WIDENED, opened) == []  # told once


def test_a_binding_that_gains_everybody_is_found_and_one_that_had_them_is_not(plans):
    binding = "google_storage_bucket_iam_binding"
    old, new = ({"role": "roles/storage.objectViewer", "members": m} for m in ([ACCOUNT], [ACCOUNT, "allUsers"]))

    assert len(plans.found(access.PUBLIC, plans.stack(plans.resource(binding, old, new)))) == 1
    assert plans.found(access.PUBLIC, plans.stack(plans.resource(binding, new, new | {"etag": "x"}))) == []


def test_a_grant_to_one_account_opens_nothing(plans):
    assert plans.found(access.PUBLIC, plans.stack(plans.resource(INVOKER, None, grant()))) == []


def test_an_ingress_that_is_opened_is_found_and_one_that_is_closed_is_not(plans):
    opened = PAGE | {"ingress": "INGRESS_TRAFFIC_ALL"}
    kind = "google_cloud_run_v2_service"

    assert len(plans.found(access.PUBLIC, plans.stack(plans.resource(kind, PAGE, opened)))) == 1
    assert plans.found(access.PUBLIC, plans.stack(plans.resource(kind, opened, PAGE))) == []


def test_a_load_balancer_is_found_and_a_cluster_ip_is_not(plans):
    def service(kind):
        return plans.stack(plans.resource("kubernetes_service", None, {"spec": [{"type": kind}]}))

    assert len(plans.found(access.PUBLIC, service("LoadBalancer"))) == 1
    assert plans.found(access.PUBLIC, service("ClusterIP")) == []


def test_a_further_grant_in_a_stack_that_stands_is_found_and_the_same_on_the_first_deployment_is_not(plans):
    new = plans.resource(INVOKER, None, grant())

    (hit,) = plans.found(access.WIDENED, standing(plans, new))

    assert hit.what == f"{ACCOUNT} gets roles/run.invoker on one resource."
    assert plans.found(access.WIDENED, plans.stack(new)) == []


@pytest.mark.parametrize("role", ["roles/owner", "roles/editor", "roles/run.admin", "roles/storage.objectAdmin"])
def test_a_broad_role_is_found_on_the_first_deployment_too_and_is_high_later(plans, role):
    new = plans.resource(PROJECT, None, grant(role))

    (first,) = plans.found(access.WIDENED, plans.stack(new))
    (later,) = plans.found(access.WIDENED, standing(plans, new))

    assert (first.severity, later.severity) == (Severity.MEDIUM, Severity.HIGH)
    assert first.what.endswith("on the whole project.")


def test_another_role_in_the_place_of_one_is_a_widening_and_the_same_is_none(plans):
    old, new = grant("roles/run.viewer"), grant("roles/run.invoker")

    assert len(plans.found(access.WIDENED, standing(plans, plans.resource(INVOKER, old, new, action="replace")))) == 1
    same = plans.resource(INVOKER, old, old | {"etag": "x"})
    assert plans.found(access.WIDENED, standing(plans, same)) == []


def test_a_custom_role_that_gains_permissions_is_found_and_one_that_loses_some_is_not(plans):
    few = {"permissions": ["aiplatform.endpoints.predict"]}
    many = {"permissions": ["aiplatform.endpoints.delete", "aiplatform.endpoints.predict"]}
    kind = "google_project_iam_custom_role"

    (hit,) = plans.found(access.WIDENED, plans.stack(plans.resource(kind, few, many)))

    assert hit.what == "The role gains aiplatform.endpoints.delete."
    assert plans.found(access.WIDENED, plans.stack(plans.resource(kind, many, few))) == []
    assert plans.found(access.WIDENED, plans.stack(plans.resource(kind, None, few))) == []
