# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects on S3, or any server that speaks it, with boto3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from docpipe.settings import Settings
from docpipe.storage import BlockStream, ObjectNotFound, StorageUnavailable, check_key

_BLOCK = 64 * 1024
_MISSING = ("NoSuchKey", "404")


class S3Storage:
    """One bucket. boto3 tries again by itself: connection errors, 429, 5xx, with growing pauses."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, stream: BinaryIO, content_type: str) -> None:
        with _translated():
            # In one request, which is enough for uploads of our size: the object is whole or not there.
            self._client.put_object(
                Bucket=self._bucket, Key=check_key(key), Body=stream, ContentType=content_type
            )

    def open(self, key: str) -> BinaryIO:
        with _translated(key):
            body = self._client.get_object(Bucket=self._bucket, Key=check_key(key))["Body"]
        return BlockStream(_blocks(body), body.close)  # type: ignore[return-value]

    def signed_url(self, key: str, expires_in: int) -> str:
        wanted = {"Bucket": self._bucket, "Key": check_key(key), "ResponseContentDisposition": "attachment"}
        url: str = self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=expires_in)
        return url

    def delete(self, key: str) -> None:
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=check_key(key))

    def list(self, prefix: str) -> Iterator[str]:
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", ()))

    def check(self) -> None:
        with _translated():
            self._client.head_bucket(Bucket=self._bucket)


def _blocks(body: Any) -> Iterator[bytes]:
    with _translated():
        yield from body.iter_chunks(_BLOCK)


@contextmanager
def _translated(key: str = "") -> Iterator[None]:
    """The application's errors for boto3's. The server's texts may name accounts: only its code is told."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if key and code in _MISSING:
            raise ObjectNotFound(key) from None
        raise StorageUnavailable(f"the object storage answers {code or 'with an error'}") from None
    except (BotoCoreError, Boto3Error) as error:
        raise StorageUnavailable(f"the object storage does not answer ({type(error).__name__})") from None


def create(settings: Settings) -> S3Storage:
    assert settings.s3_access_key_id is not None and settings.s3_secret_access_key is not None
    endpoint = settings.s3_endpoint_url or None
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        config=Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 4},
            s3={"addressing_style": "path" if endpoint else "auto"},
        ),
    )
    return S3Storage(client, settings.storage_bucket)
