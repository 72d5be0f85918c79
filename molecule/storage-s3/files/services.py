# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services can do with the keys they have, as boto3 and as people without a key see it."""

import sys
import urllib.error
import urllib.request

import boto3
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]


def client(key: str, secret: str):
    return boto3.client(
        "s3", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


control = client("CONTROL", "the control node's secret")
api = client("API", "the API's secret")
worker = client("WORKER", "the worker's secret")


def outcome(call, **arguments) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def fetched(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


documents, pictures = {"Bucket": "documents"}, {"Bucket": "pictures"}
seen = {
    "the API writes": outcome(api.put_object, **documents, Key="a/b.pdf", Body=b"one"),
    "the API reads": outcome(api.get_object, **documents, Key="a/b.pdf"),
    "the owner reads what the API wrote": outcome(control.get_object, **documents, Key="a/b.pdf"),
    "the API lists": outcome(api.list_objects_v2, **documents),
    "the API removes": outcome(api.delete_object, **documents, Key="a/b.pdf"),
    "the API changes the bucket": outcome(api.delete_bucket, **documents),
    "the worker lists": outcome(worker.list_objects_v2, **documents),
    "the API looks at pictures": outcome(api.list_objects_v2, **pictures),
    "a picture is stored": outcome(control.put_object, **pictures, Key="a.png", Body=b"one"),
    "anybody reads a document": fetched(f"{ENDPOINT}/documents/a/b.pdf"),
    "anybody reads a picture": fetched(f"{ENDPOINT}/pictures/a.png"),
    "anybody reads with a signed URL": fetched(
        api.generate_presigned_url("get_object", Params={**documents, "Key": "a/b.pdf"}, ExpiresIn=60)
    ),
    "a second version": outcome(worker.put_object, **documents, Key="a/b.pdf", Body=b"two"),
    "versions": len(control.list_object_versions(**documents)["Versions"]),
    "the worker removes": outcome(worker.delete_object, **documents, Key="a/b.pdf"),
    "rules": [rule["ID"] for rule in control.get_bucket_lifecycle_configuration(**documents)["Rules"]],
    "origins": control.get_bucket_cors(**documents)["CORSRules"][0]["AllowedOrigins"],
    "a dry-run's bucket": outcome(control.head_bucket, Bucket="dry-run"),
}
wanted = {
    "the API writes": "ok",
    "the API reads": "ok",
    "the owner reads what the API wrote": "ok",
    "the API lists": "AccessDenied",
    "the API removes": "AccessDenied",
    "the API changes the bucket": "AccessDenied",
    "the worker lists": "ok",
    "the API looks at pictures": "AccessDenied",
    "a picture is stored": "ok",
    "anybody reads a document": 403,
    "anybody reads a picture": 200,
    "anybody reads with a signed URL": 200,
    "a second version": "ok",
    "versions": 2,
    "the worker removes": "ok",
    "rules": ["Parity"],
    "origins": ["https://app.example.org"],
    "a dry-run's bucket": "404",
}
wrong = [f"{name}: {seen[name]!r}, wanted {value!r}" for name, value in wanted.items() if seen[name] != value]
sys.exit("\n".join(wrong) or 0)
