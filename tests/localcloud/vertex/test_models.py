"""Models through Google's own client and over plain REST."""

import pytest
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

POLLING = DEFAULT_POLLING.with_delay(initial=0.02, multiplier=1.2)  # Google's own begins with a second


@pytest.fixture(scope="module")
def client(cloud):
    return ModelServiceClient(
        credentials=AnonymousCredentials(), transport="rest", client_options={"api_endpoint": cloud.url}
    )


def upload(client, cloud, *, timeout=20, **request):
    model = {"display_name": "Echo", "container_spec": {"image_uri": cloud.image()}, **request.pop("model", {})}
    operation = client.upload_model(request={"parent": cloud.parent, "model": model, **request})
    return operation.result(timeout=timeout, polling=POLLING)


def test_an_uploaded_model_has_version_1_as_its_default_and_is_named_by_project_number(client, cloud):
    model_id = f"m{cloud.new_id()}"

    response = upload(client, cloud, model_id=model_id, model={"labels": {"team": "nlp"}})

    assert response.model == f"{cloud.numbered}/models/{model_id}"
    assert response.model_version_id == "1"
    model = client.get_model(name=f"{cloud.parent}/models/{model_id}")
    assert (model.version_id, list(model.version_aliases)) == ("1", ["default"])
    assert dict(model.labels) == {"team": "nlp"}
    assert [kind.name for kind in model.supported_deployment_resources_types] == ["DEDICATED_RESOURCES"]


def test_an_upload_under_a_parent_is_the_next_version_and_default_stays(client, cloud):
    first = upload(client, cloud).model

    second = upload(client, cloud, parent_model=first, model={"version_aliases": ["candidate"]})

    assert (second.model, second.model_version_id) == (first, "2")
    assert client.get_model(name=first).version_id == "1"
    assert client.get_model(name=f"{first}@candidate").version_id == "2"
    assert client.get_model(name=f"{first}@2").version_id == "2"
    assert [one.version_id for one in client.list_model_versions(name=first)] == ["1", "2"]


def test_aliases_move_between_versions_and_default_is_never_lost(client, cloud):
    name = upload(client, cloud, model={"version_aliases": ["prod"]}).model
    upload(client, cloud, parent_model=name)

    client.merge_version_aliases(name=f"{name}@2", version_aliases=["default", "prod"])

    assert list(client.get_model(name=f"{name}@1").version_aliases) == []
    assert set(client.get_model(name=name).version_aliases) == {"default", "prod"}
    assert list(client.merge_version_aliases(name=f"{name}@2", version_aliases=["-prod"]).version_aliases) == [
        "default"
    ]
    with pytest.raises(exceptions.BadRequest, match="default alias cannot be removed"):
        client.merge_version_aliases(name=f"{name}@2", version_aliases=["-default"])


def test_a_patch_changes_the_masked_fields_only(client, cloud):
    name = upload(client, cloud, model={"description": "before", "labels": {"a": "1"}}).model

    changed = client.update_model(
        model={"name": name, "display_name": "Renamed", "description": "not in the mask"},
        update_mask={"paths": ["display_name"]},
    )

    assert (changed.display_name, changed.description, dict(changed.labels)) == ("Renamed", "before", {"a": "1"})


@pytest.mark.parametrize("mask", ["displayName,labels", "display_name,labels"])
def test_masks_are_taken_in_camel_and_snake_case(cloud, mask):
    name = cloud.model().partition("@")[0]

    changed = cloud.call("PATCH", f"/v1/{name}?updateMask={mask}", {"displayName": "N", "labels": {"b": "2"}})

    assert (changed["displayName"], changed["labels"]) == ("N", {"b": "2"})


def test_a_container_spec_cannot_be_patched(cloud):
    name = cloud.model().partition("@")[0]

    error = cloud.refusal("PATCH", f"/v1/{name}?updateMask=containerSpec", {"containerSpec": {}})

    assert (error["status"], "uploading a new version" in error["message"]) == ("INVALID_ARGUMENT", True)


def test_a_version_takes_its_own_description_and_labels(client, cloud):
    name = upload(client, cloud).model

    client.update_model(
        model={"name": f"{name}@1", "version_description": "the first", "labels": {"v": "1"}},
        update_mask={"paths": ["version_description", "labels"]},
    )

    assert client.get_model(name=f"{name}@1").version_description == "the first"
    assert dict(client.get_model(name=f"{name}@1").labels) == {"v": "1"}


def test_lists_are_filtered_and_paged(client, cloud):
    label = f"l{cloud.new_id()}"
    names = [upload(client, cloud, model={"labels": {"set": label}}).model for _ in range(3)]

    listed = client.list_models(request={"parent": cloud.parent, "filter": f"labels.set={label}", "page_size": 2})

    assert [len(page.models) for page in listed.pages] == [2, 1]
    assert {
        one.name
        for one in client.list_models(
            request={"parent": cloud.parent, "filter": f'labels.set="{label}" AND display_name="Echo"'}
        )
    } == set(names)
    with pytest.raises(exceptions.BadRequest, match="Invalid filter"):
        client.list_models(request={"parent": cloud.parent, "filter": "colour=red"})


def test_a_model_id_is_taken_once(client, cloud):
    model_id = f"m{cloud.new_id()}"
    upload(client, cloud, model_id=model_id)

    with pytest.raises(exceptions.Conflict):
        upload(client, cloud, model_id=model_id)


def test_an_image_of_another_region_is_refused(client, cloud):
    with pytest.raises(exceptions.BadRequest, match="same region as the Model"):
        upload(client, cloud, model={"container_spec": {"image_uri": "us-docker.pkg.dev/p/r/i:t"}})


def test_an_image_that_is_not_there_fails_the_upload(client, cloud):
    with pytest.raises(exceptions.NotFound, match="nowhere"):
        upload(client, cloud, model={"container_spec": {"image_uri": "europe-west4-docker.pkg.dev/p/r/nowhere:t"}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"displayName": ""}, "display_name"),
        ({"containerSpec": {}}, "image_uri is required"),
        ({"containerSpec": {"imageUri": "gcr.io/p/i"}}, "LOCATION-docker.pkg.dev"),
        ({"artifactUri": "s3://bucket"}, "gs://bucket/folder"),
        ({"versionAliases": ["1"]}, "version alias"),
    ],
)
def test_an_upload_is_refused_with_the_field_and_the_value_allowed(cloud, change, words):
    body = {"model": {"displayName": "M", "containerSpec": {"imageUri": cloud.image()}, **change}}

    error = cloud.refusal("POST", f"/v1/{cloud.parent}/models:upload", body)

    assert error["status"] == "INVALID_ARGUMENT"
    assert words in error["message"]


def test_the_image_is_ingested_so_moving_its_tag_changes_nothing(cloud):
    uri = cloud.image()
    model, endpoint = cloud.model(imageUri=uri), cloud.endpoint()
    cloud.image(uri, source="raise SystemExit('the wrong image')")

    cloud.deploy(endpoint, model)

    assert cloud.predict(endpoint)["predictions"][0]["greeting"] == "hello"


def test_versions_go_one_by_one_and_the_last_with_the_model(client, cloud):
    name = upload(client, cloud).model
    with pytest.raises(exceptions.BadRequest, match="only version"):
        client.delete_model_version(name=f"{name}@1")
    upload(client, cloud, parent_model=name)

    client.delete_model_version(name=f"{name}@2").result(timeout=20, polling=POLLING)

    with pytest.raises(exceptions.NotFound):
        client.get_model(name=f"{name}@2")
    client.delete_model(name=name).result(timeout=20, polling=POLLING)
    with pytest.raises(exceptions.NotFound):
        client.get_model(name=name)


def test_a_model_is_not_deleted_while_it_is_deployed(client, cloud):
    model, endpoint = cloud.model(), cloud.endpoint()
    deployed = cloud.deploy(endpoint, model)

    with pytest.raises(exceptions.BadRequest, match="is deployed or being deployed at"):
        client.delete_model(name=model.partition("@")[0])

    cloud.operation("POST", f"/v1/{endpoint}:undeployModel", {"deployedModelId": deployed["id"]})
    client.delete_model(name=model.partition("@")[0]).result(timeout=20, polling=POLLING)
