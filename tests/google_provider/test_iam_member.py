"""Members of policies: only one's own is touched, and nobody else's change is lost."""

import json

import pytest

from localcloud.google_provider.catalog import Catalog
from localcloud.google_provider.resources.iam_member import IamMember
from localcloud.google_provider.resources.policies import POLICIES
from localcloud.google_provider.settings import Settings
from tfplugin.resource import Context, PluginError
from tfplugin.values import UNKNOWN

MAPPINGS = {mapping.type_name: mapping for mapping in POLICIES}
ADA, GRACE = "user:ada@example.com", "user:grace@example.com"


@pytest.fixture
def make(schemas, scripted_url):
    endpoints = dict.fromkeys((mapping.endpoint for mapping in POLICIES), scripted_url)

    def make(type_name):
        settings = Settings(project="p", region="l", endpoints=endpoints)
        return IamMember(MAPPINGS[type_name], Catalog.load(schemas), lambda: settings)

    return make


@pytest.fixture
def project_member(make):
    return make("google_project_iam_member")


def state(**values):
    return {
        "project": "p",
        "role": "roles/viewer",
        "member": ADA,
        "condition": [],
        "etag": UNKNOWN,
        "id": UNKNOWN,
        **values,
    }


def written(script):
    return [json.loads(body)["policy"] for _, path, body, _ in script.calls if path.endswith(":setIamPolicy")]


def test_a_member_joins_the_others_of_its_role(project_member, script):
    policy = {"etag": "1", "bindings": [{"role": "roles/viewer", "members": [GRACE]}]}
    script.answers = [(200, policy), (200, {"etag": "2"})]

    made = project_member.create(Context(), state())

    assert written(script)[0]["bindings"] == [{"role": "roles/viewer", "members": [GRACE, ADA]}]
    assert written(script)[0]["etag"] == "1"
    assert (made["etag"], made["id"]) == ("2", f"p/roles/viewer/{ADA}")


def test_a_conditional_binding_is_another_one_and_needs_policy_version_3(project_member, script):
    policy = {"etag": "1", "version": 1, "bindings": [{"role": "roles/viewer", "members": [GRACE]}]}
    script.answers = [(200, policy), (200, {"etag": "2"})]
    condition = {"title": "t", "description": None, "expression": "true"}

    made = project_member.create(Context(), state(condition=[condition]))

    (policy,) = written(script)
    assert policy["version"] == 3
    assert policy["bindings"][1]["condition"] == {"title": "t", "expression": "true"}
    assert made["id"] == f"p/roles/viewer/{ADA}/t"


def test_a_faster_writer_makes_it_read_again(project_member, script):
    theirs = {"etag": "2", "bindings": [{"role": "roles/editor", "members": [GRACE]}]}
    conflict = {"error": {"message": "there were concurrent policy changes"}}
    script.answers = [(200, {"etag": "1"}), (409, conflict), (200, theirs), (200, {"etag": "3"})]

    project_member.create(Context(), state())

    assert written(script)[-1]["bindings"] == [*theirs["bindings"], {"role": "roles/viewer", "members": [ADA]}]


def test_the_last_member_takes_its_binding_along(project_member, script):
    script.answers = [(200, {"etag": "1", "bindings": [{"role": "roles/viewer", "members": [ADA]}]}), (200, {})]

    project_member.delete(Context(), state())

    assert written(script)[0]["bindings"] == []


def test_a_member_taken_out_by_somebody_reads_as_gone(project_member, script):
    script.answers = [(200, {"etag": "1", "bindings": [{"role": "roles/viewer", "members": [GRACE]}]})]

    assert project_member.read(Context(), state()) is None


def test_a_member_of_what_is_gone_is_gone_too_and_deletes_without_complaint(make, script):
    account = make("google_service_account_iam_member")
    script.answers = [(404, {"error": {"message": "no such account"}})]
    known = state(service_account_id="projects/p/serviceAccounts/a@p.iam.gserviceaccount.com")

    assert account.read(Context(), known) is None
    account.delete(Context(), known)


def test_a_refusal_names_the_policys_resource(project_member, script):
    script.answers = [(403, {"error": {"message": "denied"}})]

    with pytest.raises(PluginError, match="Error setting IAM policy for projects/p: googleapi: Error 403: denied"):
        project_member.create(Context(), state())


@pytest.mark.parametrize(
    ("type_name", "parent", "path"),
    [
        (
            "google_artifact_registry_repository_iam_member",
            {"repository": "r"},
            "projects/p/locations/l/repositories/r",
        ),
        (
            "google_artifact_registry_repository_iam_member",
            {"repository": "projects/q/locations/m/repositories/r"},
            "projects/q/locations/m/repositories/r",
        ),
        ("google_cloud_run_v2_service_iam_member", {"name": "s"}, "projects/p/locations/l/services/s"),
        ("google_storage_bucket_iam_member", {"bucket": "b/files"}, "b/files"),
    ],
)
def test_a_policy_is_found_by_the_parents_short_or_full_name(make, script, type_name, parent, path):
    member = make(type_name)
    script.answers = [(200, {"bindings": [{"role": "roles/viewer", "members": [ADA]}]})]

    read = member.read(Context(), state(location="l", **parent))

    assert script.calls[0][1].startswith(f"/v1/{path}")
    assert read["id"] == f"{path}/roles/viewer/{ADA}"


def test_project_and_location_are_planned_from_the_parents_full_name(make):
    member = make("google_cloud_run_v2_service_iam_member")
    planned = state(name="projects/q/locations/m/services/s", project=UNKNOWN, location=UNKNOWN)

    assert member.plan(Context(), None, planned, planned) | {} == {**planned, "project": "q", "location": "m"}


def test_an_import_needs_resource_role_and_member(project_member):
    with pytest.raises(PluginError, match="Wrong number of parts") as caught:
        project_member.import_(Context(), "p roles/viewer")

    assert "resource_name role member" in caught.value.detail
