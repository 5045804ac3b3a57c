"""What the bindings say of the real provider is what Terraform is told."""

import json
import os
import subprocess
import time

import pytest

from localcloud.google_provider import bindings, extraction
from localcloud.google_provider.catalog import Catalog, CatalogError
from localcloud.google_provider.resources import table
from tfplugin.runner import MAGIC_COOKIE


@pytest.fixture(scope="module")
def document(schemas):
    return json.loads(schemas.read_text())


def test_every_supported_type_and_nothing_else_is_extracted(document):
    assert sorted(document["resources"]) == table.type_names()
    assert len(document["resources"]) == 16


@pytest.mark.parametrize(
    ("type_name", "attribute", "flags"),
    [
        ("google_artifact_registry_repository", "repository_id", "r"),
        ("google_artifact_registry_repository", "description", "o"),
        ("google_artifact_registry_repository", "location", "oc"),
        ("google_artifact_registry_repository", "create_time", "c"),
        ("google_vertex_ai_endpoint", "traffic_split", "oc"),
        ("google_vertex_ai_endpoint", "id", "oc"),
        ("google_cloud_run_v2_service", "uri", "c"),
    ],
)
def test_required_optional_and_computed_are_those_of_the_real_provider(document, type_name, attribute, flags):
    assert document["resources"][type_name]["attributes"][attribute]["flags"] == flags


def test_types_are_ctys(document):
    bucket = document["resources"]["google_storage_bucket"]["attributes"]
    endpoint = document["resources"]["google_vertex_ai_endpoint"]["attributes"]

    assert bucket["labels"]["type"] == ["map", "string"]
    assert bucket["force_destroy"]["type"] == "bool"
    assert bucket["project_number"]["type"] == "number"
    kind, (shape, fields) = endpoint["deployed_models"]["type"]
    assert (kind, shape, fields["model"]) == ("list", "object", "string")
    assert fields["dedicated_resources"][1][1]["min_replica_count"] == "number"


def test_a_custom_roles_permissions_are_a_set(document):
    permissions = document["resources"]["google_project_iam_custom_role"]["attributes"]["permissions"]

    assert permissions == {"type": ["set", "string"], "flags": "r"}


def test_blocks_are_lists_sets_or_single_with_their_counts(document):
    repository = document["resources"]["google_artifact_registry_repository"]["blocks"]
    build = document["resources"]["google_cloudbuild_trigger"]["blocks"]["build"]

    def shape(block):
        return block["nesting"], block["min"], block["max"]

    assert shape(repository["cleanup_policies"]) == ("set", 0, 0)
    assert shape(repository["docker_config"]) == ("list", 0, 1)
    assert shape(repository["timeouts"]) == ("single", 0, 0)
    assert shape(build["body"]["blocks"]["step"]) == ("list", 1, 0)
    assert shape(document["resources"]["google_cloud_run_v2_service"]["blocks"]["template"]) == ("list", 1, 1)


def test_the_provider_block_has_every_custom_endpoint_of_the_real_one(document):
    attributes = document["provider"]["attributes"]
    endpoints = [name for name in attributes if name.endswith("_custom_endpoint")]

    assert len(endpoints) > 150
    assert {"project", "region", "access_token", "default_labels"} <= attributes.keys()
    assert "alias" not in attributes


def test_an_enumerations_values_are_known(document):
    mode = document["resources"]["google_artifact_registry_repository"]["attributes"]["mode"]

    assert mode["values"] == ["STANDARD_REPOSITORY", "VIRTUAL_REPOSITORY", "REMOTE_REPOSITORY"]


def test_bindings_of_another_provider_version_are_refused(monkeypatch):
    monkeypatch.setattr(extraction, "PROVIDER_VERSION", "7.0.0")

    with pytest.raises(bindings.BindingsError, match=r"not generated from hashicorp/google 7\.0\.0"):
        extraction.extract(["google_project_service"])


def test_a_type_that_the_bindings_lack_is_refused_by_name():
    with pytest.raises(bindings.BindingsError, match="no module vertex-ai-model"):
        extraction.extract(["google_vertex_ai_model"])


def test_a_table_row_that_names_a_path_the_schema_lacks_is_refused(schemas):
    with pytest.raises(CatalogError, match=r"build\.timeuot"):
        Catalog.load(schemas).resource(
            "google_cloudbuild_trigger", defaults={"build.timeuot": "1s"}, replace=frozenset()
        )


def test_schemas_of_an_older_installation_say_how_to_install_again(tmp_path):
    (tmp_path / "schemas.json").write_text('{"provider": {"attributes": {}, "blocks": {}}, "resources": {}}')

    with pytest.raises(CatalogError, match="install --mirror DIR"):
        Catalog.load(tmp_path / "schemas.json").resource("google_project_service", defaults={}, replace=frozenset())


def test_the_provider_greets_terraform_without_reading_the_bindings(mirror, tmp_path):
    (launcher,) = mirror.rglob("terraform-provider-google_v*")
    began = time.monotonic()
    process = subprocess.Popen(
        [launcher],
        env={**os.environ, MAGIC_COOKIE[0]: MAGIC_COOKIE[1], "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        took_s = time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert line.startswith("1|6|unix|")
    assert took_s < 2  # 0.2 s on an idle machine; reading the bindings alone takes 0.6 s
