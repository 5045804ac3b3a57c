"""Endpoints themselves, through Google's own client and over plain REST."""

import pytest
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient

POLLING = DEFAULT_POLLING.with_delay(initial=0.02, multiplier=1.2)  # Google's own begins with a second


@pytest.fixture(scope="module")
def client(cloud):
    return EndpointServiceClient(
        credentials=AnonymousCredentials(), transport="rest", client_options={"api_endpoint": cloud.url}
    )


def test_an_endpoint_takes_the_id_that_was_asked_for(client, cloud):
    endpoint_id = cloud.new_id()

    made = client.create_endpoint(
        parent=cloud.parent, endpoint={"display_name": "E", "labels": {"a": "b"}}, endpoint_id=endpoint_id
    ).result(timeout=20, polling=POLLING)

    assert made.name == f"{cloud.numbered}/endpoints/{endpoint_id}"
    read = client.get_endpoint(name=f"{cloud.parent}/endpoints/{endpoint_id}")
    assert (read.display_name, dict(read.labels), list(read.deployed_models)) == ("E", {"a": "b"}, [])


def test_an_endpoint_without_an_id_gets_a_long_number(client, cloud):
    made = client.create_endpoint(parent=cloud.parent, endpoint={"display_name": "E"}).result(
        timeout=20, polling=POLLING
    )

    assert len(made.name.rsplit("/", 1)[1]) == 19


@pytest.mark.parametrize("endpoint_id", ["0123", "12345678901", "Upper", "ends-in-hyphen-"])
def test_a_bad_endpoint_id_is_refused(cloud, endpoint_id):
    error = cloud.refusal("POST", f"/v1/{cloud.parent}/endpoints?endpointId={endpoint_id}", {"displayName": "E"})

    assert (error["status"], endpoint_id in error["message"]) == ("INVALID_ARGUMENT", True)


def test_an_endpoint_id_is_taken_once(cloud):
    taken = cloud.endpoint().rsplit("/", 1)[1]

    error = cloud.refusal("POST", f"/v1/{cloud.parent}/endpoints?endpointId={taken}", {"displayName": "E"})

    assert error["status"] == "ALREADY_EXISTS"


def test_a_dedicated_endpoint_says_its_domain(cloud):
    endpoint = cloud.call("GET", f"/v1/{cloud.endpoint(dedicatedEndpointEnabled=True)}")

    assert endpoint["dedicatedEndpointDns"] == f"127.0.0.1:{cloud.port + 1}"
    assert "dedicatedEndpointDns" not in cloud.call("GET", f"/v1/{cloud.endpoint()}")


def test_a_patch_changes_the_masked_fields_only(client, cloud):
    name = cloud.endpoint(description="before")

    changed = client.update_endpoint(
        endpoint={"name": name, "display_name": "After", "description": "ignored"},
        update_mask={"paths": ["display_name"]},
    )

    assert (changed.display_name, changed.description) == ("After", "before")


@pytest.mark.parametrize("mask", ["network", "deployedModels", "clientConnectionConfig"])
def test_what_cannot_be_patched_is_refused_by_name(cloud, mask):
    error = cloud.refusal("PATCH", f"/v1/{cloud.endpoint()}?updateMask={mask}", {})

    assert mask in error["message"]


def test_the_inference_timeout_is_set_by_update_and_on_dedicated_endpoints_only(cloud):
    dedicated, shared = cloud.endpoint(dedicatedEndpointEnabled=True), cloud.endpoint()
    wanted = {"endpoint": {"clientConnectionConfig": {"inferenceTimeout": "1800s"}}}

    done = cloud.operation("POST", f"/v1/{dedicated}:update", wanted)

    assert done["response"]["clientConnectionConfig"] == {"inferenceTimeout": "1800s"}
    assert "dedicated" in cloud.refusal("POST", f"/v1/{shared}:update", wanted)["message"]
    too_long = {"endpoint": {"clientConnectionConfig": {"inferenceTimeout": "3601s"}}}
    assert "3600" in cloud.refusal("POST", f"/v1/{dedicated}:update", too_long)["message"]


def test_an_empty_endpoint_is_deleted(client, cloud):
    name = cloud.endpoint()

    client.delete_endpoint(name=name).result(timeout=20, polling=POLLING)

    with pytest.raises(exceptions.NotFound):
        client.get_endpoint(name=name)


def test_lists_are_filtered_by_label(client, cloud):
    label = f"l{cloud.new_id()}"
    name = cloud.endpoint(labels={"set": label})

    found = client.list_endpoints(request={"parent": cloud.parent, "filter": f"labels.set={label}"})

    assert [endpoint.name for endpoint in found] == [name]


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta1", "/ui"])
def test_operations_are_read_at_every_prefix_by_number_and_by_id(cloud, prefix):
    name = cloud.call("POST", f"/v1/{cloud.parent}/endpoints", {"displayName": "E"})["name"]

    assert name.startswith(cloud.numbered)
    assert cloud.call("GET", f"{prefix}/{name}")["name"] == name
    assert cloud.call("GET", f"{prefix}/{name.replace(cloud.numbered, cloud.parent)}")["name"] == name


def test_a_finished_operation_can_be_deleted_and_a_made_up_one_is_not_found(cloud):
    endpoint = cloud.endpoint()
    name = cloud.call("GET", f"/v1/{endpoint}/operations")["operations"][0]["name"]

    cloud.call("DELETE", f"/v1/{name}")

    assert cloud.refusal("GET", f"/v1/{name}")["status"] == "NOT_FOUND"
