"""TensorBoards through Google's own client."""

import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import BadRequest, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1


@pytest.fixture(scope="module")
def client(cloud):
    options = ClientOptions(api_endpoint=cloud.url)
    return aiplatform_v1.TensorboardServiceClient(
        credentials=AnonymousCredentials(), transport="rest", client_options=options
    )


@pytest.fixture
def tensorboard(client, cloud):
    wanted = aiplatform_v1.Tensorboard(display_name="Fine-tuning", labels={"team": "ml"})
    made = client.create_tensorboard(parent=cloud.parent, tensorboard=wanted).result(timeout=20)
    yield made
    client.delete_tensorboard(name=made.name).result(timeout=20)


def test_it_is_made_found_listed_and_named_by_number(client, cloud, tensorboard):
    assert tensorboard.name.startswith(f"{cloud.numbered}/tensorboards/")
    assert client.get_tensorboard(name=tensorboard.name).labels == {"team": "ml"}
    found = client.list_tensorboards(request={"parent": cloud.parent, "filter": 'labels.team="ml"'})
    assert tensorboard.name in [one.name for one in found]
    assert list(client.list_tensorboards(request={"parent": cloud.parent, "filter": 'display_name="other"'})) == []


def test_what_the_mask_names_is_changed_and_nothing_else(client, tensorboard):
    changed = aiplatform_v1.Tensorboard(name=tensorboard.name, display_name="Again", description="ignored")
    done = client.update_tensorboard(tensorboard=changed, update_mask={"paths": ["display_name"]}).result(timeout=20)

    assert (done.display_name, done.description, dict(done.labels)) == ("Again", "", {"team": "ml"})
    with pytest.raises(BadRequest, match="cannot be updated"):
        client.update_tensorboard(tensorboard=changed, update_mask={"paths": ["create_time"]})


def test_what_is_deleted_is_gone(client, cloud):
    made = client.create_tensorboard(
        parent=cloud.parent, tensorboard=aiplatform_v1.Tensorboard(display_name="Gone")
    ).result(timeout=20)
    client.delete_tensorboard(name=made.name).result(timeout=20)

    with pytest.raises(NotFound):
        client.get_tensorboard(name=made.name)
    with pytest.raises(NotFound):
        client.delete_tensorboard(name=made.name)


def test_a_name_is_required(client, cloud):
    with pytest.raises(BadRequest, match="display_name"):
        client.create_tensorboard(parent=cloud.parent, tensorboard=aiplatform_v1.Tensorboard())
