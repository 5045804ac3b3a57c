"""Who may do what: the whole inventory, so that a widened role fails here."""

import re

import pytest

PROJECT = "google_project_iam_member"
REPOSITORY = "google_artifact_registry_repository_iam_member"
BUCKET = "google_storage_bucket_iam_member"
ACCOUNT = "google_service_account_iam_member"
RUN = "google_cloud_run_v2_service_iam_member"
KINDS = (PROJECT, REPOSITORY, BUCKET, ACCOUNT, RUN)


def holder(member):
    """`${google_service_account.identities_ui_1A2B3C4D.member}` -> `ui`; other members as they are."""
    found = re.search(r"identities_([a-z]+)_[0-9A-F]{8}", member)
    return found.group(1) if found else member


def grants(system, who):
    """(resource type, role) of everything granted to one component."""
    return {(kind, one["role"]) for kind in KINDS for one in system.every(kind) if holder(one["member"]) == who}


@pytest.fixture(params=("local", "prod"))
def system(request):
    return request.getfixturevalue(request.param)


def test_each_component_has_its_own_account(system):
    accounts = {one["account_id"] for one in system.every("google_service_account")}

    assert accounts == {"flan-build", "flan-serving", "flan-ui", "flan-planner", "flan-deployer"}


def test_the_build_writes_images_reads_sources_and_logs_and_nothing_else(system):
    assert grants(system, "build") == {
        (REPOSITORY, "roles/artifactregistry.writer"),
        (BUCKET, "roles/storage.objectViewer"),
        (PROJECT, "roles/logging.logWriter"),
    }


def test_serving_reads_models_and_nothing_else(system):
    assert grants(system, "serving") == {(BUCKET, "roles/storage.objectViewer")}
    (one,) = (one for one in system.every(BUCKET) if holder(one["member"]) == "serving")
    assert one["bucket"] == "${google_storage_bucket.models.name}"


def test_the_page_may_predict_and_nothing_else(system):
    ((kind, role),) = grants(system, "ui")
    (custom,) = system.every("google_project_iam_custom_role")

    assert kind == PROJECT
    assert re.fullmatch(r"\$\{google_project_iam_custom_role\.identities_predictor_[0-9A-F]{8}\.name\}", role)
    assert custom["permissions"] == ["aiplatform.endpoints.predict"]


def test_the_planner_reads_and_nothing_else(system):
    held = grants(system, "planner")

    assert held == {
        (PROJECT, "roles/aiplatform.viewer"),
        (PROJECT, "roles/cloudbuild.builds.viewer"),
        (PROJECT, "roles/iam.securityReviewer"),
        (PROJECT, "roles/run.viewer"),
        (PROJECT, "roles/serviceusage.serviceUsageViewer"),
        (REPOSITORY, "roles/artifactregistry.reader"),
        (BUCKET, "roles/storage.legacyBucketReader"),
    } | ({(BUCKET, "roles/storage.objectViewer")} if "-flan-tfstate" in system.text() else set())
    assert all(re.search("viewer|reader|reviewer", role, re.IGNORECASE) for _, role in held)


def test_nobody_but_the_planner_itself_is_granted_through_it(system):
    """It acts as no component, so that it cannot make what it may not make itself."""
    assert not [one for one in system.every(ACCOUNT) if holder(one["member"]) == "planner"]


def test_the_deployer_can_deploy_but_cannot_grant_itself_more(system):
    held = {role for _, role in grants(system, "deployer")}

    assert held <= {
        "roles/aiplatform.user",
        "roles/artifactregistry.reader",
        "roles/cloudbuild.builds.editor",
        "roles/iam.securityReviewer",
        "roles/logging.viewer",
        "roles/monitoring.viewer",
        "roles/iam.serviceAccountUser",
        "roles/run.admin",
        "roles/serviceusage.serviceUsageViewer",
        "roles/storage.legacyBucketReader",
        "roles/storage.objectUser",
    }


def test_the_deployer_acts_as_the_components_on_their_accounts_alone(system):
    acted = [one for one in system.every(ACCOUNT) if one["role"] == "roles/iam.serviceAccountUser"]

    assert {holder(one["service_account_id"]) for one in acted} == {"build", "serving", "ui"}
    assert {holder(one["member"]) for one in acted} == {"deployer"}


def test_the_deployer_reaches_the_state_where_it_is_in_a_bucket(local, prod):
    def buckets(system):
        return {one["bucket"] for one in system.every(BUCKET) if holder(one["member"]) == "deployer"}

    assert "your-project-id-flan-tfstate" in buckets(prod)
    assert all(bucket.startswith("${") for bucket in buckets(local))


@pytest.mark.parametrize("forbidden", ["roles/owner", "roles/editor", "Admin", "allUsers", "allAuthenticatedUsers"])
def test_no_broad_role_and_no_public_member_is_granted(system, forbidden):
    given = [(one["role"], one["member"]) for kind in KINDS for one in system.every(kind)]

    assert given
    assert not [pair for pair in given if forbidden in pair[0] or forbidden in pair[1]]


def test_no_binding_is_authoritative(system):
    assert "_iam_binding" not in system.text()
    assert "_iam_policy" not in system.text()


def test_named_people_and_pools_may_hold_the_deployer(synthesize, configured):
    pool = "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/*"
    system = synthesize(configured("local", access__deployers=["user:ada@example.com", pool]))

    given = {(one["member"], one["role"]) for one in system.every(ACCOUNT)}
    assert ("user:ada@example.com", "roles/iam.serviceAccountTokenCreator") in given
    assert (pool, "roles/iam.workloadIdentityUser") in given


GITHUB = {"repository": "acme/flan", "repository_id": "1234", "owner_id": "99"}


@pytest.fixture(scope="module")
def with_github(synthesize, configured):
    return synthesize(configured("local", github=GITHUB, source__ref="refs/heads/main"))


def test_without_a_repository_there_is_no_pool(system):
    assert not list(system.every("google_iam_workload_identity_pool"))


def test_a_workflow_s_token_counts_only_of_the_one_repository_by_number(with_github):
    (provider,) = with_github.every("google_iam_workload_identity_pool_provider")

    assert (
        provider["attribute_condition"] == "assertion.repository_id == '1234' && assertion.repository_owner_id == '99'"
    )
    assert provider["oidc"]["issuer_uri"] == "https://token.actions.githubusercontent.com"
    assert provider["attribute_mapping"]["google.subject"] == "assertion.sub"
    assert len(provider["display_name"]) <= 32


def test_any_workflow_of_the_repository_may_plan_and_only_an_environment_s_may_deploy(with_github):
    held = {
        (holder(one["service_account_id"]), one["member"].rpartition("}/")[2], one["role"])
        for one in with_github.every(ACCOUNT)
        if one["member"].startswith("principalSet")
    }

    assert held == {
        ("planner", "attribute.repository_id/1234", "roles/iam.workloadIdentityUser"),
        ("deployer", "attribute.environment/apply", "roles/iam.workloadIdentityUser"),
        ("deployer", "attribute.environment/stop", "roles/iam.workloadIdentityUser"),
    }


def test_an_environment_counts_only_on_the_deployed_branch(with_github):
    (provider,) = with_github.every("google_iam_workload_identity_pool_provider")

    assert provider["attribute_mapping"]["attribute.environment"] == (
        "has(assertion.environment) && assertion.ref == 'refs/heads/main' ? assertion.environment : 'none'"
    )


def test_what_the_workflows_need_is_put_out(with_github):
    assert {"planner_email", "deployer_email", "workload_identity_provider"} <= set(
        with_github.stacks["registry"]["output"]
    )


def test_there_is_no_key_anywhere(with_github, system):
    for one in (with_github, system):
        assert "google_service_account_key" not in one.text()


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("repository", "flan", "OWNER/NAME"),
        ("repository_id", "acme/flan", "digits"),
        ("apply_environment", "none", "not `none`"),
        ("stop_environment", "a b", "letters"),
    ],
)
def test_what_cannot_be_a_repository_is_refused(configured, key, value, allowed):
    with pytest.raises(ValueError, match=allowed):
        configured("local", github={**GITHUB, key: value})
