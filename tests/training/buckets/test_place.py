import pytest

from training.buckets.bucket import BucketFailed
from training.buckets.place import bucket_folder

LARGE = bytes(range(256)) * 40_000  # 10 MB: more than the clients send in one request


@pytest.fixture
def folder(bucket):
    return bucket_folder(bucket)


def test_a_folder_comes_back_as_it_went_with_large_files_and_strange_names(folder, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for path, content in (("a.bin", LARGE), ("below/é b%25.txt", b"text"), ("below/deep/empty", b"")):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
        folder.put(source / path, path)

    assert folder.get_all(target) == 3

    assert folder.files() == ["a.bin", "below/deep/empty", "below/é b%25.txt"]
    for path in folder.files():
        assert (target / path).read_bytes() == (source / path).read_bytes()


def test_a_neighbour_whose_name_begins_alike_is_not_in_the_folder(folder, bucket, tmp_path):
    (tmp_path / "file").write_text("x")
    folder.put(tmp_path / "file", "one/file")
    bucket_folder(bucket + "-neighbour").put(tmp_path / "file", "file")

    assert folder.files() == ["one/file"]
    assert folder.files("one/") == ["one/file"]
    assert folder.files("two/") == []


def test_what_is_removed_is_gone_and_what_is_put_twice_is_the_later(folder, tmp_path):
    for text in ("first", "second"):
        (tmp_path / "file").write_text(text)
        folder.put(tmp_path / "file", "kept")
    folder.put(tmp_path / "file", "removed")

    folder.remove("removed")
    folder.get("kept", tmp_path / "back" / "kept")

    assert folder.files() == ["kept"]
    assert (tmp_path / "back" / "kept").read_text() == "second"


def test_a_bucket_that_is_not_there_is_named(bucket, tmp_path):
    scheme = bucket.partition(":")[0]
    missing = bucket_folder(f"{scheme}://no-such-bucket/folder")

    with pytest.raises(BucketFailed, match=f"{scheme}://no-such-bucket/folder"):
        missing.files()
    with pytest.raises(BucketFailed, match=f"{scheme}://no-such-bucket/folder/a"):
        missing.get("a", tmp_path / "a")


@pytest.mark.parametrize("url", ["gs://", "s3:///folder", "http://bucket/folder", "bucket"])
def test_an_address_that_names_no_bucket_is_refused(url):
    with pytest.raises(BucketFailed, match="names no bucket; expected gs://bucket/folder"):
        bucket_folder(url)
