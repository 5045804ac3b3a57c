"""S3, through Amazon's client, which heeds AWS_ENDPOINT_URL_S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from training.buckets.bucket import BucketFailed

PROBLEMS = (Boto3Error, BotoCoreError, ClientError, OSError)


class AmazonBucket:
    """Raises `BucketFailed`."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._client: Any = boto3.client("s3")
        except PROBLEMS as error:
            raise BucketFailed(f"s3://{name}: {error}") from error

    def names(self, prefix: str) -> list[str]:
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
            return sorted(one["Key"] for page in pages for one in page.get("Contents", []))
        except PROBLEMS as error:
            raise self._failed(prefix, error) from error

    def download(self, name: str, target: Path) -> None:
        try:
            self._client.download_file(self._name, name, str(target))
        except PROBLEMS as error:
            raise self._failed(name, error) from error

    def upload(self, source: Path, name: str) -> None:
        try:
            self._client.upload_file(str(source), self._name, name)
        except PROBLEMS as error:
            raise self._failed(name, error) from error

    def delete(self, name: str) -> None:
        try:
            self._client.delete_object(Bucket=self._name, Key=name)
        except PROBLEMS as error:
            raise self._failed(name, error) from error

    def _failed(self, name: str, error: Exception) -> BucketFailed:
        return BucketFailed(f"s3://{self._name}/{name}: {error}")
