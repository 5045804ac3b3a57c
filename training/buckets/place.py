"""One way to speak of a folder, whether on this machine, in Cloud Storage or in S3. Knows nothing of what is in it."""

from __future__ import annotations

from pathlib import Path

from training.buckets.bucket import Bucket, BucketFailed

GOOGLE, AMAZON = "gs://", "s3://"


class BucketFolder:
    """A folder in a bucket."""

    def __init__(self, bucket: Bucket, prefix: str, *, url: str) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.url = url.rstrip("/")

    def files(self, below: str = "") -> list[str]:
        """Paths of the files, relative to the folder. below: a folder inside, ending with a slash."""
        return [
            name.removeprefix(self.prefix)
            for name in self.bucket.names(self.prefix + below)
            if not name.endswith("/")  # a console marks a folder with an object of no bytes
        ]

    def get(self, path: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self.bucket.download(self.prefix + path, target)

    def put(self, source: Path, path: str) -> None:
        self.bucket.upload(source, self.prefix + path)

    def remove(self, path: str) -> None:
        self.bucket.delete(self.prefix + path)

    def get_all(self, target: Path, below: str = "") -> int:
        """Downloads what is below; returns how many files."""
        files = self.files(below)
        for path in files:
            self.get(path, target / path)
        return len(files)


def is_bucket(place: str) -> bool:
    return place.startswith((GOOGLE, AMAZON))


def bucket_folder(url: str) -> BucketFolder:
    """gs://bucket/a/b or s3://bucket/a/b. The clients are imported when they are needed: they take a second."""
    scheme, _, rest = url.partition("://")
    name, _, prefix = rest.partition("/")
    if not name or not is_bucket(url):
        raise BucketFailed(f"{url!r} names no bucket; expected gs://bucket/folder or s3://bucket/folder")
    if scheme == "gs":
        from training.buckets.google import GoogleBucket

        return BucketFolder(GoogleBucket(name), prefix, url=url)
    from training.buckets.amazon import AmazonBucket

    return BucketFolder(AmazonBucket(name), prefix, url=url)
