"""The provider as Terraform sees it before any resource is touched: its schema, its price, its command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provider.plugin import RELEASE, VertexProvider
from tfplugin.resource import PluginError
from tfplugin.values import UNKNOWN

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ("google.auth", "google.cloud.aiplatform_v1", "google.api_core", "requests", "urllib3", "cryptography.x509")


def bodies(body, path):
    yield path, body
    for block in body.blocks:
        yield from bodies(block.body, f"{path}.{block.name}")


def all_bodies():
    provider = VertexProvider()
    yield from bodies(provider.schema.body, "provider")
    for kind, types in (("resource", provider.resources()), ("data", provider.data_sources())):
        for one in types:
            yield from bodies(one.schema.body, f"{kind}.{one.type_name}")


def test_every_attribute_is_described_in_a_sentence():
    missing = [
        f"{path}.{attribute.name}"
        for path, body in all_bodies()
        for attribute in body.attributes
        if not attribute.description.rstrip().endswith(".")
    ]

    assert missing == []


def test_only_the_token_is_sensitive_and_no_resource_has_one():
    found = [f"{path}.{one.name}" for path, body in all_bodies() for one in body.attributes if one.sensitive]

    assert found == ["provider.access_token"]


def test_the_resources_are_named_as_documented():
    names = [one.type_name for one in VertexProvider().resources()]

    assert names == ["vertex_image_build", "vertex_model", "vertex_endpoint_deployed_model", "vertex_custom_job"]


def test_the_data_sources_are_named_as_documented():
    names = [one.type_name for one in VertexProvider().data_sources()]

    assert names == ["vertex_model", "vertex_endpoint_metrics"]


def test_schema_and_validation_import_no_client():
    code = (
        "import sys; from provider.plugin import VertexProvider; from tfplugin.servicer import ProviderServicer\n"
        "from tf.gen import tfplugin_pb2 as pb; from tfplugin.values import encode; import tfplugin.runner\n"
        "servicer = ProviderServicer(VertexProvider()); servicer.GetProviderSchema(None, None)\n"
        "for one in VertexProvider().resources():\n"
        "    config = encode(one.schema.body.empty() | {'image': None, 'labels': None})\n"
        "    request = pb.ValidateResourceConfig.Request(type_name=one.type_name, config=config)\n"
        "    servicer.ValidateResourceConfig(request, None)\n"
        "values = {'project': 'p', 'region': 'r', 'api_endpoint': None, 'access_token': None}\n"
        "servicer.ConfigureProvider(pb.ConfigureProvider.Request(config=encode(values)), None)\n"
        f"print([one for one in {CLIENTS!r} if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_configuration_that_is_not_known_at_plan_is_refused():
    with pytest.raises(PluginError, match="not known yet"):
        VertexProvider().configure({"project": UNKNOWN, "region": "r", "api_endpoint": None, "access_token": None})


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "provider", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_command_line_installs_into_a_mirror_and_says_where(tmp_path):
    done = run("install", "--mirror", str(tmp_path))

    path = Path(done.stdout.strip())
    assert path.is_file()
    assert path.is_relative_to(tmp_path / RELEASE.source / RELEASE.version)


def test_the_command_line_explains_itself():
    assert "install" in run("--help").stdout


@pytest.mark.e2e
def test_terraform_reads_the_schema_from_a_mirror_beside_the_configuration(initialised):
    done = subprocess.run(
        ["terraform", "providers", "schema", "-json"], cwd=initialised, capture_output=True, text=True, check=True
    )

    schema = json.loads(done.stdout)["provider_schemas"][RELEASE.source]
    block = schema["resource_schemas"]["vertex_model"]["block"]
    assert block["block_types"]["container_spec"]["nesting_mode"] == "list"
    assert block["attributes"]["version_name"]["computed"]
