"""Every resource type through its life: real Terraform, the stand-in, and a real local cloud."""

import re

import pytest

from localcloud.google_provider.resources import table

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ACCOUNT = "flan-build@flan.iam.gserviceaccount.com"
PLACE = "projects/flan/locations/europe-west4"
ENDPOINT = "google_vertex_ai_endpoint.flan"
TENSORBOARD = "google_vertex_ai_tensorboard.training"


@pytest.fixture(scope="module")
def system(workspace, cloud, image, configuration):
    """A folder in which one apply made every resource."""
    folder = workspace("system", api=cloud.url, image=image).write(configuration).init()
    folder.apply()
    return folder


def test_the_configuration_holds_every_supported_type(system):
    assert sorted({address.partition(".")[0] for address in system.resources()}) == table.type_names()


def test_a_second_plan_is_empty(system):
    assert system.plan() == {}


def test_ids_are_those_of_the_real_provider(system):
    ids = system.outputs()["ids"]
    trigger, uri, tensorboard = ids.pop("trigger"), ids.pop("uri"), ids.pop("tensorboard")

    assert ids == {
        "account": f"projects/flan/serviceAccounts/{ACCOUNT}",
        "connection": f"{PLACE}/connections/flan-github",
        "endpoint": f"{PLACE}/endpoints/1234567",
        "images": f"{PLACE}/repositories/flan-images",
        "reader": f"b/flan-staging/roles/storage.objectViewer/serviceAccount:{ACCOUNT}/source-only",
        "repository": f"{PLACE}/connections/flan-github/repositories/flan-source",
        "role": "projects/flan/roles/flanPredict",
        "service": "flan/aiplatform.googleapis.com",
        "ui": f"{PLACE}/services/flan-ui",
        "writer": f"{PLACE}/repositories/flan-images/roles/artifactregistry.writer/serviceAccount:{ACCOUNT}",
    }
    assert trigger.startswith(f"{PLACE}/triggers/")
    assert uri.startswith("http")
    assert re.fullmatch(r"projects/\d+/locations/europe-west4/tensorboards/\d+", tensorboard)


def test_computed_attributes_are_filled_in(system):
    resources = system.resources()
    account = resources["google_service_account.build"]
    trigger = resources["google_cloudbuild_trigger.serving"]

    assert account["member"] == f"serviceAccount:{ACCOUNT}"
    assert len(account["unique_id"]) == 21
    assert trigger["build"][0]["timeout"] == "600s"  # the default that surprises people
    assert trigger["id"].endswith(trigger["trigger_id"])
    assert resources["google_artifact_registry_repository.images"]["name"] == "flan-images"
    assert resources["google_storage_bucket.staging"]["url"] == "gs://flan-staging"
    assert resources[ENDPOINT]["dedicated_endpoint_dns"]


def test_labels_are_split_as_the_real_provider_splits_them(system):
    repository = system.resources()["google_artifact_registry_repository.images"]

    assert repository["labels"] == {"part": "images"}
    assert repository["terraform_labels"] == repository["effective_labels"]
    assert repository["effective_labels"] == {"part": "images", "system": "flan", "goog-terraform-provisioned": "true"}


def test_what_can_be_changed_is_changed_in_place_and_back(system):
    planned = system.plan(changed=True)

    assert {address: change["actions"] for address, change in planned.items()} == {
        address: ["update"]
        for address in (
            "google_artifact_registry_repository.images",
            "google_cloud_run_v2_service.ui",
            "google_cloudbuild_trigger.serving",
            "google_cloudbuildv2_connection.github",
            "google_project_iam_custom_role.predict",
            "google_service_account.build",
            "google_storage_bucket.staging",
            TENSORBOARD,
            ENDPOINT,
        )
    }
    system.apply_planned()
    assert system.plan(changed=True) == {}
    system.apply()


def test_a_change_of_what_is_fixed_at_birth_replaces_every_resource(system):
    planned = system.plan(digit="9")

    assert {tuple(change["actions"]) for change in planned.values()} == {("delete", "create")}
    assert planned.keys() == system.resources().keys()
    assert planned[ENDPOINT]["replace_paths"] == [["name"]]
    assert planned["google_cloudbuild_trigger.serving"]["replace_paths"] == [["location"]]


def test_a_change_behind_terraforms_back_is_planned_away(system, cloud):
    cloud.call("PATCH", f"/v1/{PLACE}/endpoints/1234567?updateMask=description", {"description": "theirs"})

    planned = system.plan()

    assert {address: change["actions"] for address, change in planned.items()} == {ENDPOINT: ["update"]}
    assert planned[ENDPOINT]["before"]["description"] == "theirs"
    system.apply_planned()
    assert cloud.call("GET", f"/v1/{PLACE}/endpoints/1234567")["description"] == "Dialogue summaries"


def test_what_somebody_deleted_is_planned_anew(system, cloud):
    cloud.call("DELETE", f"/v1/projects/flan/serviceAccounts/{ACCOUNT}")
    cloud.call("POST", "/v1/projects/flan:setIamPolicy", {"policy": {"bindings": []}})

    actions = {address: change["actions"] for address, change in system.plan().items()}

    assert actions["google_service_account.build"] == ["create"]
    assert actions["google_project_iam_member.predict"] == ["create"]
    system.apply_planned()
    assert system.plan() == {}


def test_a_member_of_a_policy_leaves_the_other_members_alone(system, cloud):
    policy = cloud.call("POST", "/v1/projects/flan:getIamPolicy", {})
    stranger = {"role": "roles/viewer", "members": ["user:grace@example.com"]}
    policy["bindings"].append(stranger)
    cloud.call("POST", "/v1/projects/flan:setIamPolicy", {"policy": policy})

    system.run("apply", "-auto-approve", "-input=false", "-replace=google_project_iam_member.predict")

    assert stranger in cloud.call("POST", "/v1/projects/flan:getIamPolicy", {})["bindings"]


def test_a_protected_service_is_not_destroyed(system):
    refusal = system.refused("destroy", "-auto-approve", "-input=false", "-target=google_cloud_run_v2_service.ui")

    assert "cannot destroy service without setting deletion_protection=false and running `terraform apply`" in refusal


def test_a_bucket_with_objects_is_destroyed_only_with_force(system, cloud):
    cloud.call("POST", "/upload/storage/v1/b/flan-staging/o?uploadType=media&name=source%2Fa.txt", b"a", "text/plain")
    target = "-target=google_storage_bucket.staging"

    refusal = system.refused("destroy", "-auto-approve", "-input=false", target)
    system.apply("google_storage_bucket.staging", changed=True)
    system.run("destroy", "-auto-approve", "-input=false", "-var=changed=true", target)

    assert "Error trying to delete bucket flan-staging without `force_destroy` set to true" in refusal
    assert cloud.status("GET", "/storage/v1/b/flan-staging") == 404
    system.apply()


def test_every_resource_can_be_imported(system, workspace, cloud, image, configuration):
    ids = system.outputs()["ids"]
    folder = workspace("imports", api=cloud.url, image=image).write(configuration).init()
    imports = [
        f'import {{\n  to = {to}\n  id = "{id_}"\n}}'
        for to, id_ in _import_ids(ids["trigger"], ids["tensorboard"]).items()
    ]
    folder.write("\n".join(imports), "imports.tf")

    planned = folder.plan()
    folder.apply_planned()

    assert {tuple(change["actions"]) for change in planned.values()} <= {("no-op",), ("update",)}
    assert folder.resources().keys() == system.resources().keys()
    assert folder.plan() == {}


def test_a_destroy_leaves_nothing_but_what_was_asked_to_stay(system, cloud):
    system.apply("google_cloud_run_v2_service.ui", deletion_protection=False)
    system.run("destroy", "-auto-approve", "-input=false")

    gone = [
        f"/v1/{PLACE}/endpoints/1234567",
        f"/v1/{PLACE}/repositories/flan-images",
        f"/v2/{PLACE}/services/flan-ui",
        f"/v2/{PLACE}/connections/flan-github",
        f"/v1/projects/flan/serviceAccounts/{ACCOUNT}",
        "/storage/v1/b/flan-staging",
    ]
    assert {path: cloud.status("GET", path) for path in gone} == dict.fromkeys(gone, 404)
    service = cloud.call("GET", "/v1/projects/flan/services/aiplatform.googleapis.com")
    assert service["state"] == "ENABLED"  # disable_on_destroy = false


def test_a_role_whose_name_is_taken_by_its_deleted_self_comes_back(system, cloud):
    role = "google_project_iam_custom_role.predict"

    system.apply(role, changed=True)

    seen = cloud.call("GET", "/v1/projects/flan/roles/flanPredict")
    assert "deleted" not in seen
    assert seen["title"] == "Flan predicts"
    system.run("destroy", "-auto-approve", "-input=false")


def _import_ids(trigger, tensorboard):
    return {
        "google_project_service.vertex": "flan/aiplatform.googleapis.com",
        "google_service_account.build": f"projects/flan/serviceAccounts/{ACCOUNT}",
        "google_project_iam_custom_role.predict": "projects/flan/roles/flanPredict",
        "google_project_iam_member.predict": f"flan projects/flan/roles/flanPredict serviceAccount:{ACCOUNT}",
        "google_service_account_iam_member.acts_as": f"projects/flan/serviceAccounts/{ACCOUNT} "
        "roles/iam.serviceAccountUser user:ada@example.com",
        "google_storage_bucket.staging": "flan-staging",
        "google_storage_bucket_iam_member.reader": "flan-staging roles/storage.objectViewer "
        f"serviceAccount:{ACCOUNT} source-only",
        "google_artifact_registry_repository.images": f"{PLACE}/repositories/flan-images",
        "google_artifact_registry_repository_iam_member.writer": f"{PLACE}/repositories/flan-images "
        f"roles/artifactregistry.writer serviceAccount:{ACCOUNT}",
        "google_cloudbuildv2_connection.github": f"{PLACE}/connections/flan-github",
        "google_cloudbuildv2_repository.source": f"{PLACE}/connections/flan-github/repositories/flan-source",
        "google_cloudbuild_trigger.serving": trigger,
        ENDPOINT: f"{PLACE}/endpoints/1234567",
        TENSORBOARD: tensorboard,
        "google_cloud_run_v2_service.ui": f"{PLACE}/services/flan-ui",
        "google_cloud_run_v2_service_iam_member.invoker": f"{PLACE}/services/flan-ui roles/run.invoker allUsers",
    }
