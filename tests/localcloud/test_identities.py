"""Accounts, roles, policies and enabled services, as Terraform's provider asks for them."""

import httpx
import pytest

BINDING = {"role": "roles/viewer", "members": ["user:a@example.com"]}


@pytest.fixture
def account(cloud):
    body = {"accountId": f"account-{cloud.new_id()}", "serviceAccount": {"displayName": "One"}}
    return cloud.call("POST", "/v1/projects/flan-test/serviceAccounts", body)


def test_an_account_is_found_by_email_and_by_unique_id(cloud, account):
    for key in (account["email"], account["uniqueId"]):
        assert cloud.call("GET", f"/v1/projects/-/serviceAccounts/{key}") == account
    assert len(account["uniqueId"]) == 21


def test_an_account_is_made_once_and_gone_when_deleted(cloud, account):
    body = {"accountId": account["email"].partition("@")[0]}
    assert cloud.refusal("POST", "/v1/projects/flan-test/serviceAccounts", body)["status"] == "ALREADY_EXISTS"

    cloud.call("DELETE", f"/v1/{account['name']}")

    assert cloud.refusal("GET", f"/v1/{account['name']}")["status"] == "NOT_FOUND"


@pytest.mark.parametrize("account_id", ["", "short", "Upper-case", "x" * 31, "1-begins-with-digit"])
def test_a_bad_account_id_is_refused(cloud, account_id):
    error = cloud.refusal("POST", "/v1/projects/flan-test/serviceAccounts", {"accountId": account_id})

    assert error["status"] == "INVALID_ARGUMENT"


def test_a_policy_is_written_under_its_etag_only(cloud, account):
    before = cloud.call("POST", f"/v1/{account['name']}:getIamPolicy")
    wanted = {"policy": before | {"bindings": [BINDING]}}
    after = cloud.call("POST", f"/v1/{account['name']}:setIamPolicy", wanted)

    assert after["bindings"] == [BINDING]
    assert after["etag"] != before["etag"]
    assert cloud.refusal("POST", f"/v1/{account['name']}:setIamPolicy", wanted)["status"] == "ABORTED"


def test_a_bucket_answers_a_stale_etag_with_412(cloud):
    bucket = cloud.call("POST", "/storage/v1/b?project=flan-test", {"name": f"bucket-{cloud.new_id()}"})["name"]
    stale = {"bindings": [BINDING], "etag": "stale"}

    answer = httpx.put(f"{cloud.url}/storage/v1/b/{bucket}/iam", json=stale)

    assert answer.status_code == 412


def test_a_deleted_role_is_kept_and_comes_back(cloud):
    body = {"roleId": f"role_{cloud.new_id()}", "role": {"title": "T", "includedPermissions": ["a.b.c"]}}
    role = cloud.call("POST", "/v1/projects/flan-test/roles", body)["name"]

    cloud.call("DELETE", f"/v1/{role}")
    assert cloud.call("GET", f"/v1/{role}")["deleted"] is True

    cloud.call("POST", f"/v1/{role}:undelete")
    assert "deleted" not in cloud.call("GET", f"/v1/{role}")


def test_enabling_a_service_is_an_operation_that_can_be_polled(cloud):
    path = "/v1/projects/flan-test/services/run.googleapis.com"
    assert cloud.call("GET", path)["state"] == "DISABLED"

    operation = cloud.call("POST", f"{path}:enable")

    assert cloud.call("GET", f"/v1/{operation['name']}")["done"] is True
    assert cloud.call("GET", path)["state"] == "ENABLED"
    cloud.call("POST", f"{path}:disable")
    assert cloud.call("GET", path)["state"] == "DISABLED"


def test_the_metadata_server_wants_its_header(cloud):
    path = f"{cloud.url}/computeMetadata/v1/instance/service-accounts/default/email"

    assert httpx.get(path).status_code == 403
    assert httpx.get(path, headers={"Metadata-Flavor": "Google"}).headers["Metadata-Flavor"] == "Google"


def test_an_account_s_metadata_server_says_the_account_s_project_and_is_in_no_journal(cloud):
    head = f"{cloud.url}/as/page@another.iam.gserviceaccount.com/computeMetadata/v1"
    asked = {
        path: httpx.get(f"{head}/{path}", headers={"Metadata-Flavor": "Google"}).text
        for path in ("project/project-id", "instance/service-accounts/default/email")
    }

    assert list(asked.values()) == ["another", "page@another.iam.gserviceaccount.com"]
    assert cloud.http.get("/localcloud/journal", params={"path": "^/as/"}).json() == {"requests": []}


def test_a_project_has_one_policy_and_one_number_in_both_versions_of_the_api(cloud):
    before = cloud.call("POST", "/v1/projects/flan-policy:getIamPolicy")
    cloud.call("POST", "/v3/projects/flan-policy:setIamPolicy", {"policy": before | {"bindings": [BINDING]}})

    assert cloud.call("POST", "/v1/projects/flan-policy:getIamPolicy")["bindings"] == [BINDING]
    number = cloud.call("GET", "/v1/projects/flan-policy")["projectNumber"]
    assert cloud.call("GET", "/v3/projects/flan-policy")["name"] == f"projects/{number}"


def test_roles_are_listed_without_the_deleted_ones(cloud):
    roles = [
        cloud.call("POST", "/v1/projects/flan-roles/roles", {"roleId": name, "role": {"title": name}})["name"]
        for name in ("kept", "gone")
    ]
    cloud.call("DELETE", f"/v1/{roles[1]}")

    assert [one["name"] for one in cloud.call("GET", "/v1/projects/flan-roles/roles")["roles"]] == roles[:1]
    assert len(cloud.call("GET", "/v1/projects/flan-roles/roles?showDeleted=true")["roles"]) == 2


def test_services_are_enabled_and_read_in_one_call(cloud):
    names = ["run.googleapis.com", "storage.googleapis.com"]
    cloud.call("POST", "/v1/projects/flan-batch/services:batchEnable", {"serviceIds": names})

    query = "&".join(f"names=projects/flan-batch/services/{name}" for name in [*names, "iam.googleapis.com"])
    found = cloud.call("GET", f"/v1/projects/flan-batch/services:batchGet?{query}")["services"]

    assert [one["state"] for one in found] == ["ENABLED", "ENABLED", "DISABLED"]
