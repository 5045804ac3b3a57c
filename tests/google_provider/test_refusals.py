"""What Terraform refuses before anything is touched, said by the real Terraform."""

import pytest

pytestmark = pytest.mark.e2e

HEAD = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
  }
}
"""
TRIGGER = 'source_to_build {\n ref = "r"\n repo_type = "GITHUB"\n }'

# name of the resource -> (type, body, a part of the refusal)
WRONG = {
    "an_unknown_attribute": (
        "google_vertex_ai_endpoint",
        'name = "1"\n display_name = "e"\n location = "l"\n shape = "x"',
        'An argument named "shape" is not expected here.',
    ),
    "a_missing_required_attribute": (
        "google_vertex_ai_endpoint",
        'name = "1"\n location = "l"',
        'The argument "display_name" is required, but no definition was found',
    ),
    "a_wrong_type": (
        "google_storage_bucket",
        'name = "b"\n location = "l"\n force_destroy = "perhaps"',
        'Inappropriate value for attribute "force_destroy": a bool is required',
    ),
    "a_wrong_type_deep_inside": (
        "google_cloudbuild_trigger",
        f'{TRIGGER}\n build {{\n step {{\n name = "n"\n args = "build"\n }}\n }}',
        'Inappropriate value for attribute "args": list of string required',
    ),
    "a_missing_required_block": (
        "google_cloud_run_v2_service",
        'name = "s"\n location = "l"',
        'At least 1 "template" blocks are required',
    ),
    "a_block_too_many": (
        "google_cloud_run_v2_service",
        'name = "s"\n location = "l"\n template {}\n template {}',
        'No more than 1 "template" blocks are allowed',
    ),
    "an_invented_resource_type": (
        "google_vertex_ai_model",
        "",
        'does not support resource type "google_vertex_ai_model"',
    ),
    "an_attribute_that_is_output_only": (
        "google_cloud_run_v2_service",
        'name = "s"\n location = "l"\n uri = "x"\n template {}',
        'Can\'t configure a value for "uri": its value will be decided automatically',
    ),
    "a_value_outside_the_enumeration": (
        "google_artifact_registry_repository",
        'repository_id = "r"\n format = "DOCKER"\n mode = "ODD"',
        'expected mode to be one of ["STANDARD_REPOSITORY" "VIRTUAL_REPOSITORY" "REMOTE_REPOSITORY"], got ODD',
    ),
    "a_value_outside_the_enumeration_deep_inside": (
        "google_cloudbuild_trigger",
        f'{TRIGGER}\n build {{\n step {{\n name = "n"\n }}\n options {{\n logging = "LOUD"\n }}\n }}',
        "expected build.0.options.0.logging to be one of",
    ),
    "two_attributes_that_exclude_each_other": (
        "google_cloudbuild_trigger",
        f'{TRIGGER}\n filename = "f"\n build {{\n step {{\n name = "n"\n }}\n }}',
        "only one of `build,filename,git_file_source` can be specified, but `build,filename` were specified.",
    ),
    "two_blocks_in_conflict": (
        "google_vertex_ai_endpoint",
        'name = "1"\n display_name = "e"\n location = "l"\n network = "n"\n'
        " private_service_connect_config {\n enable_private_service_connect = true\n }",
        '"network": conflicts with private_service_connect_config',
    ),
    "none_of_several_attributes": (
        "google_cloudbuild_trigger",
        'filename = "f"',
        "one of `bitbucket_server_trigger_config,github,pubsub_config,repository_event_config,source_to_build,"
        "trigger_template,webhook_config` must be specified",
    ),
    "a_member_without_its_kind": (
        "google_project_iam_member",
        'project = "p"\n role = "roles/viewer"\n member = "ada@example.com"',
        "IAM members must have a type prefix",
    ),
}


@pytest.fixture(scope="module")
def folder(workspace):
    return workspace("refusals").write(HEAD).init()


@pytest.fixture(scope="module")
def refusals(folder):
    """Every error of one validation of every wrong resource, by the resource's name."""
    blocks = [f'resource "{kind}" "{name}" {{\n {body}\n}}' for name, (kind, body, _) in WRONG.items()]
    folder.write("\n".join([HEAD, *blocks]))
    errors = folder.refused("validate").split("Error: ")
    return {name: " ".join(error for error in errors if f'"{name}"' in error) for name in WRONG}


@pytest.mark.parametrize("name", WRONG)
def test_terraform_refuses(refusals, name):
    assert WRONG[name][2] in refusals[name]


def test_what_is_right_is_not_refused(folder):
    folder.write(
        HEAD + 'resource "google_vertex_ai_endpoint" "e" {\n name = "1"\n display_name = "e"\n location = "l"\n}'
    )

    assert "configuration is valid" in folder.run("validate").stdout


def test_an_api_that_the_provider_block_does_not_place_is_refused_before_it_is_called(folder):
    bucket = 'resource "google_storage_bucket" "b" {\n name = "b"\n location = "l"\n}'
    folder.write(HEAD + 'provider "google" {\n project = "p"\n}\n' + bucket)

    assert "storage_custom_endpoint is not set" in folder.refused("apply", "-auto-approve", "-input=false")


def test_a_resource_without_a_project_says_where_to_set_it(folder):
    folder.write(
        HEAD + 'provider "google" {\n service_usage_custom_endpoint = "http://127.0.0.1:9/v1/"\n}\n'
        'resource "google_project_service" "s" {\n service = "run.googleapis.com"\n}'
    )

    refusal = folder.refused("apply", "-auto-approve", "-input=false")

    assert "project: required field is not set" in refusal
    assert "or project in the provider block" in refusal
