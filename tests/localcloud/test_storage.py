"""Cloud Storage with Google's own client and with plain requests."""

import httpx
import pytest
from google.api_core.exceptions import BadRequest, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

LARGE = bytes(range(256)) * 40_000  # 10 MB: more than Google's client sends in one request


@pytest.fixture
def client(cloud):
    return storage.Client(
        project="flan-test", credentials=AnonymousCredentials(), client_options={"api_endpoint": cloud.url}
    )


@pytest.fixture
def bucket(client, cloud):
    return client.create_bucket(f"bucket-{cloud.new_id()}")


@pytest.fixture
def session(cloud, bucket):
    """The address of a resumable upload of `a b.txt`."""
    path = f"/upload/storage/v1/b/{bucket.name}/o"
    return cloud.http.post(path, params={"uploadType": "resumable"}, json={"name": "a b.txt"}).headers["Location"]


@pytest.mark.parametrize("chunk", [None, 2 * 1024 * 1024])
def test_a_large_object_arrives_whole_in_one_piece_and_in_many(bucket, chunk):
    blob = bucket.blob("weights/model 100%25.bin", chunk_size=chunk)

    blob.upload_from_string(LARGE, content_type="application/x-weights")

    assert bucket.get_blob(blob.name).content_type == "application/x-weights"
    assert blob.download_as_bytes() == LARGE
    assert bucket.blob(blob.name).download_as_bytes(start=3, end=5) == b"\x03\x04\x05"


def test_an_upload_goes_on_where_it_was_cut_off(session, bucket):
    first = httpx.put(session, content=b"0123", headers={"Content-Range": "bytes 0-3/8"})
    asked = httpx.put(session, headers={"Content-Range": "bytes */8"})
    gap = httpx.put(session, content=b"7", headers={"Content-Range": "bytes 7-7/8"})
    again = httpx.put(session, content=b"234567", headers={"Content-Range": "bytes 2-7/8"})

    assert [first.status_code, asked.status_code, gap.status_code, again.status_code] == [308, 308, 400, 200]
    assert asked.headers["Range"] == "bytes=0-3"
    assert bucket.blob("a b.txt").download_as_bytes() == b"01234567"
    assert httpx.put(session, content=b"x").status_code == 404


def test_an_upload_outlives_a_restart(start):
    cloud = start()
    cloud.call("POST", "/storage/v1/b?project=flan-test", {"name": "kept"})
    path = "/upload/storage/v1/b/kept/o?uploadType=resumable&name=one"
    place = cloud.http.post(path).headers["Location"].removeprefix(cloud.url)
    cloud.http.put(place, content=b"ab", headers={"Content-Range": "bytes 0-1/*"})
    cloud.end()

    again = start()

    assert again.http.put(place, content=b"c", headers={"Content-Range": "bytes 2-2/3"}).json()["size"] == "3"
    assert again.http.get("/storage/v1/b/kept/o/one?alt=media").content == b"abc"
    assert again.status()["resources"].get("upload") is None


def test_an_object_is_replaced_only_when_its_generation_is_the_one_named(bucket):
    blob = bucket.blob("once")
    blob.upload_from_string("one", if_generation_match=0)

    with pytest.raises(PreconditionFailed):
        blob.upload_from_string("two", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("once").delete(if_generation_match=1)

    assert blob.download_as_text() == "one"
    blob.upload_from_string("two", if_generation_match=blob.generation)
    assert blob.download_as_text() == "two"


def test_objects_are_listed_by_prefix_and_by_folder(client, bucket):
    for name in ("a/1", "a/b/2", "c"):
        bucket.blob(name).upload_from_string(name)

    top = client.list_blobs(bucket, delimiter="/")

    assert [blob.name for blob in top] == ["c"]
    assert top.prefixes == {"a/"}
    assert [blob.name for blob in client.list_blobs(bucket, prefix="a/")] == ["a/1", "a/b/2"]
    assert [blob.name for blob in client.list_blobs(bucket, page_size=1)] == ["a/1", "a/b/2", "c"]


def test_metadata_is_changed_without_the_bytes(bucket):
    blob = bucket.blob("one")
    blob.upload_from_string("text")
    blob.metadata = {"commit": "abc"}

    blob.patch()

    found = bucket.get_blob("one")
    assert (found.metadata, found.metageneration, found.generation) == ({"commit": "abc"}, 2, blob.generation)
    assert found.download_as_text() == "text"


@pytest.mark.parametrize(
    ("params", "message"),
    [({"uploadType": "stream"}, "Invalid uploadType"), ({"uploadType": "media"}, "Required parameter: name")],
)
def test_an_upload_that_is_not_understood_is_refused(cloud, bucket, params, message):
    answer = cloud.http.post(f"/upload/storage/v1/b/{bucket.name}/o", params=params, content=b"x")

    assert (answer.status_code, message in answer.text) == (400, True)
    assert not list((cloud.data_dir / "uploads").iterdir())


def test_a_bad_bucket_name_is_refused(client):
    with pytest.raises(BadRequest, match="Invalid bucket name"):
        client.create_bucket("Upper")
