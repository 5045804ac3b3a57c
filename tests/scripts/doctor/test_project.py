"""What the doctor says of a project: a healthy line and a failing one per check."""

import pytest

from cdk.naming import UI_IMAGE, bucket_name, repository_id
from scripts.doctor.apis import apis
from scripts.doctor.credentials import credentials
from scripts.doctor.images import images
from scripts.doctor.places import places
from scripts.doctor.quota import limit_in, quota
from scripts.doctor.service_agents import service_agents
from tests.provider.local_cloud import REGION, free_port_pair

A100 = "custom_model_serving_nvidia_a100_gpus"


def look(check, project):
    return list(check(project.config, project.api))


def only(findings):
    (finding,) = findings
    return finding


def bad(findings):
    """The one that is not ok."""
    return only([one for one in findings if one.level != "ok"])


@pytest.mark.parametrize("check", [credentials, apis, quota, service_agents, places, images])
def test_a_deployed_project_is_healthy(deployed, check):
    findings = look(check, deployed)

    assert findings
    assert [one for one in findings if one.level != "ok" or one.cure] == []


@pytest.mark.parametrize("check", [credentials, quota, places, images])
def test_a_project_before_its_first_deploy_is_healthy_too(project, check):
    project.enable()

    assert {one.level for one in look(check, project)} == {"ok"}


def test_a_project_number_of_another_project_is_a_failure_with_the_right_one(new_project):
    project = new_project(google__project_number="999999999999")
    number = project.cloud.call("GET", f"/v1/projects/{project.name}")["projectNumber"]

    finding = bad(look(credentials, project))

    assert (finding.level, finding.cure) == ("failure", f'google.project_number = "{number}"')


def test_a_project_that_is_not_there_is_a_failure(project, faults):
    faults(match={"path": "/v1/projects/flan-"}, effect={"status": "NOT_FOUND"})

    assert "there is no project" in only(look(credentials, project)).text


def test_credentials_that_are_refused_are_a_failure(project, faults):
    faults(match={"path": "/v1/projects/"}, effect={"status": "UNAUTHENTICATED", "message": "expired"})

    finding = only(look(credentials, project))

    assert (finding.level, finding.cure) == ("failure", "gcloud auth application-default login")
    assert "expired" in finding.text


def test_a_project_that_may_not_be_looked_at_is_a_warning(project, faults):
    faults(match={"path": "/v1/projects/"}, effect={"preset": "permission"})

    assert only(look(credentials, project)).level == "warning"


def test_a_local_cloud_that_is_not_up_is_a_failure_that_make_up_cures(project):
    google = project.config.google.model_copy(update={"api_endpoint": f"http://127.0.0.1:{free_port_pair()}"})

    config = project.config.model_copy(update={"google": google})
    finding = only(list(credentials(config, project.api_of(config))))

    assert (finding.level, finding.cure) == ("failure", "make up")


def test_apis_that_the_first_deploy_enables_are_a_warning(project):
    project.enable(("iam",))

    finding = only(look(apis, project))

    assert finding.level == "warning"
    assert "the first deploy enables them" in finding.text


def test_apis_that_terraform_needs_to_enable_others_are_a_failure(project):
    project.cloud.call("POST", f"/v1/projects/{project.name}/services/serviceusage.googleapis.com:disable")

    finding = only(look(apis, project))

    assert finding.level == "failure"
    assert f"--project={project.name}" in finding.cure
    assert "serviceusage.googleapis.com" in finding.cure


def test_an_api_that_was_switched_off_after_the_deploy_is_a_failure(deployed):
    deployed.cloud.call("POST", f"/v1/projects/{deployed.name}/services/aiplatform.googleapis.com:disable")

    finding = only(look(apis, deployed))

    assert finding.level == "failure"
    assert finding.cure == f"gcloud services enable aiplatform.googleapis.com --project={deployed.name}"


def set_quota(project, limit):
    body = {"project": project.name, "metric": A100, "region": REGION, "limit": limit}
    project.cloud.call("PUT", "/localcloud/quotas", body)


def test_google_s_default_quota_of_zero_is_a_failure(project):
    set_quota(project, 0)

    finding = only(look(quota, project))

    assert finding.level == "failure"
    assert finding.text == f"0 x NVIDIA_TESLA_A100 for serving in {REGION}, 1 are needed"
    assert f"project={project.name}" in finding.cure


@pytest.mark.parametrize(
    ("limit", "changes", "level", "said"),
    [
        (1, {}, "warning", "a rolling change of the version needs 2"),
        (1, {"rollout__strategy": "recreate"}, "ok", "at most 1"),
        (2, {"endpoint__max_replicas": 4, "endpoint__duty_cycle_target": 60}, "warning", "not for max_replicas (4"),
        (4, {"endpoint__max_replicas": 4, "endpoint__duty_cycle_target": 60}, "ok", "at most 4"),
        (-1, {}, "ok", "no limit"),
        (8, {"endpoint__spot": True}, "warning", "spot NVIDIA_TESLA_A100 is not known here"),
    ],
)
def test_quota_is_held_against_what_the_deployment_may_use(new_project, limit, changes, level, said):
    project = new_project(**changes)
    set_quota(project, limit)

    finding = only(look(quota, project))

    assert finding.level == level, finding
    assert said in finding.text


def test_the_region_s_own_quota_wins_over_the_one_for_all_regions():
    buckets = [{"effectiveLimit": "8"}, {"dimensions": {"region": "us-central1"}}]
    metric = {"consumerQuotaLimits": [{"quotaBuckets": buckets}]}

    assert limit_in(metric, "europe-west4") == 8
    assert limit_in(metric, "us-central1") == 0
    assert limit_in({}, "us-central1") is None


def test_a_service_agent_that_lost_its_role_is_a_failure_that_names_it(deployed):
    policy = deployed.cloud.call("POST", f"/v1/projects/{deployed.name}:getIamPolicy", {})
    policy["bindings"] = [one for one in policy["bindings"] if one["role"] != "roles/aiplatform.serviceAgent"]
    deployed.cloud.call("POST", f"/v1/projects/{deployed.name}:setIamPolicy", {"policy": policy})

    finding = bad(look(service_agents, deployed))

    assert finding.level == "failure"
    assert "gcp-sa-aiplatform" in finding.text
    assert "--role=roles/aiplatform.serviceAgent" in finding.cure


def test_a_bucket_in_another_region_is_a_failure(project):
    project.bucket(bucket_name(project.config, "staging"), "US")
    project.bucket(bucket_name(project.config, "models"))
    project.repository()

    finding = bad(look(places, project))

    assert finding.level == "failure"
    assert f"is in us, the deployment in {REGION}" in finding.text


def test_a_repository_that_is_not_in_the_region_is_a_failure(deployed):
    deployed.cloud.done("DELETE", f"/v1/{deployed.parent}/repositories/{repository_id(deployed.config)}")

    assert "not to be seen in" in bad(look(places, deployed)).text


def test_a_repository_of_another_format_is_a_failure(project):
    project.repository(format="PYTHON")

    assert "holds PYTHON, not DOCKER" in bad(look(places, project)).text


def test_a_state_bucket_must_be_there_and_keep_versions(new_project):
    project = new_project(terraform__state_bucket="flan-state-of-the-doctor")

    missing = bad(look(places, project))
    project.bucket("flan-state-of-the-doctor")
    without = bad(look(places, project))
    project.cloud.call("PATCH", "/storage/v1/b/flan-state-of-the-doctor", {"versioning": {"enabled": True}})

    assert (missing.level, missing.cure) == ("failure", "make bootstrap ENV=local")
    assert (without.level, without.subject) == ("warning", "state")
    assert {one.level for one in look(places, project)} == {"ok"}


def test_the_image_of_a_source_that_was_built_is_told_by_its_digest(deployed):
    assert next(one.text for one in look(images, deployed)).startswith("flan-t5-serving: built, sha256:")


def test_a_running_page_whose_image_is_gone_is_a_failure(deployed):
    base = f"/v1/{deployed.parent}/repositories/{repository_id(deployed.config)}/packages/{UI_IMAGE}"
    (version,) = deployed.cloud.call("GET", f"{base}/versions")["versions"]
    deployed.cloud.call("DELETE", f"{base}/versions/{version['name'].rpartition('/')[2]}?force=true")

    finding = bad(look(images, deployed))

    assert finding.level == "failure"
    assert "no instance starts" in finding.text
