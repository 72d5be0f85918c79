# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of buckets on S3: compared as servers give them back, and sent only where they differ."""

from __future__ import annotations

import json

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.storage import s3
from botocore.exceptions import ClientError, EndpointConnectionError

NOTHING = {
    "endpoint_url": "http://s3",
    "block_public_access": None,
    "versioning": None,
    "encryption": None,
    "encryption_key_id": None,
    "public": False,
    "grants": [],
    "lifecycle": None,
    "cors_origins": None,
}
FULL = {
    **NOTHING,
    "block_public_access": ["acls"],
    "versioning": True,
    "encryption": "aws:kms",
    "encryption_key_id": "k1",
    "public": True,
    "grants": [{"principal": "arn:aws:iam:::user/api", "may": ["write", "read", "list"]}],
    "lifecycle": {"prefix": "tmp/", "expire_after_days": 3, "expire_old_versions_after_days": 7, "abort_uploads_after_days": 1},
    "cors_origins": ["https://b", "https://a"],
}
KEEPS = {
    "bucket_versioning": ("VersioningConfiguration", None),
    "bucket_encryption": ("ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
    "public_access_block": ("PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
    "bucket_policy": ("Policy", "NoSuchBucketPolicy"),
    "bucket_lifecycle_configuration": ("LifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    "bucket_cors": ("CORSConfiguration", "NoSuchCORSConfiguration"),
}


def refused(code: str, operation: str = "Op") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "because"}}, operation)


class Server:
    """Keeps what it is told, as a client of boto3 would find it; knows only the operations above."""

    def __init__(self) -> None:
        self.exists = False
        self.kept: dict[str, object] = {}
        self.writes: list[str] = []
        self.error: Exception | None = None

    def head_bucket(self, Bucket):
        if self.error:
            raise self.error
        if not self.exists:
            raise refused("404")

    def create_bucket(self, Bucket, **place):
        self.writes.append("create")
        self.exists, self.place = True, place

    def delete_bucket(self, Bucket):
        self.writes.append("delete")
        self.exists = False

    def list_objects_v2(self, Bucket, MaxKeys):
        return {"KeyCount": self.kept.get("objects", 0)}

    def __getattr__(self, operation):
        verb, name = operation.split("_", 1)
        name = "bucket_lifecycle_configuration" if name == "bucket_lifecycle" else name
        argument, absent = KEEPS[name]

        def call(Bucket, **given):
            assert self.exists
            if verb == "get":
                if name not in self.kept:
                    if absent:
                        raise refused(absent)
                    return {}
                kept = self.kept[name]
                inside = name in ("bucket_versioning", "bucket_lifecycle_configuration", "bucket_cors")
                return kept if inside else {argument: kept}
            self.writes.append(operation)
            if verb == "put":
                self.kept[name] = given[argument]
            else:
                self.kept.pop(name, None)
            return None

        return call


def ensure(server, wanted, check=False, region="us-east-1"):
    return s3.ensure_present(server, "docs", wanted, region=region, check=check)


def test_a_bucket_comes_and_stays():
    server = Server()
    predicted = ensure(server, FULL, check=True)
    assert predicted["changed"] and server.writes == []
    assert ensure(server, FULL) == predicted
    assert len(server.writes) == 7 and server.writes[0] == "create"
    for check in (True, False):
        result = ensure(server, FULL, check)
        assert not result["changed"] and result["diff"]["before"] == result["diff"]["after"]
    assert len(server.writes) == 7


@pytest.mark.parametrize(
    ("change", "request_"),
    [
        ({"versioning": False}, "put_bucket_versioning"),
        ({"encryption": "AES256", "encryption_key_id": None}, "put_bucket_encryption"),
        ({"encryption": "none"}, "delete_bucket_encryption"),
        ({"encryption_key_id": "k2"}, "put_bucket_encryption"),
        ({"block_public_access": []}, "put_public_access_block"),
        ({"public": False}, "put_bucket_policy"),
        ({"public": False, "grants": []}, "delete_bucket_policy"),
        ({"lifecycle": {"expire_after_days": 4}}, "put_bucket_lifecycle_configuration"),
        ({"lifecycle": {}}, "delete_bucket_lifecycle"),
        ({"cors_origins": ["https://a"]}, "put_bucket_cors"),
        ({"cors_origins": []}, "delete_bucket_cors"),
        ({"cors_origins": ["https://a", "https://b"]}, None),
        ({"versioning": None, "encryption": None, "lifecycle": None, "cors_origins": None, "block_public_access": None}, None),
    ],
)
def test_only_a_difference_is_sent(change, request_):
    server = Server()
    ensure(server, FULL)
    server.writes = []
    wanted = {**FULL, **change}
    assert ensure(server, wanted, check=True)["changed"] is bool(request_) and server.writes == []
    ensure(server, wanted)
    assert server.writes == ([request_] if request_ else [])
    assert not ensure(server, wanted)["changed"]


def test_what_belongs_to_others_stays():
    foreign = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::docs/x"}
    rule = {"ID": "theirs", "Status": "Enabled", "Prefix": "x/", "Expiration": {"Days": 1}}
    server = Server()
    server.exists = True
    server.kept = {
        "bucket_policy": json.dumps({"Statement": foreign}),
        "bucket_lifecycle_configuration": {"Rules": [rule]},
    }
    ensure(server, FULL)
    assert json.loads(server.kept["bucket_policy"])["Statement"][0] == foreign
    ensure(server, {**FULL, "public": False, "grants": [], "lifecycle": {}})
    assert json.loads(server.kept["bucket_policy"])["Statement"] == [foreign]
    assert server.kept["bucket_lifecycle_configuration"]["Rules"] == [rule]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Action": ["s3:GetObject"]}, {"Action": "s3:GetObject"}),
        ({"Action": ["b", "a"]}, {"Action": ["a", "b"]}),
        ({"Principal": {"AWS": ["x"]}}, {"Principal": {"AWS": "x"}}),
        ([{"Sid": "b"}, {"Sid": "a"}], [{"Sid": "a"}, {"Sid": "b"}]),
    ],
)
def test_policies_that_mean_the_same(one, other):
    assert s3.plain(one) == s3.plain(other)


def test_rules_that_mean_the_same():
    assert s3.plain_rule({"ID": "x", "Prefix": "a/"}) == s3.plain_rule({"ID": "x", "Filter": {"Prefix": "a/"}})


@pytest.mark.parametrize(("region", "place"), [("us-east-1", {}), ("", {}), ("eu-central-1", {"LocationConstraint": "eu-central-1"})])
def test_the_region(region, place):
    server = Server()
    ensure(server, NOTHING, region=region)
    assert server.place.get("CreateBucketConfiguration", {}) == place


def test_aws_encrypts_in_any_case():
    server = Server()
    server.exists = True
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    server.kept["bucket_encryption"] = {"Rules": [rule]}
    wanted = {**NOTHING, "encryption": "none"}
    assert ensure(server, wanted, check=True)["changed"]
    assert not ensure(server, {**wanted, "endpoint_url": ""})["changed"]


def test_a_bucket_goes_when_it_is_empty():
    server = Server()
    assert not s3.ensure_absent(server, "docs", check=False)["changed"]
    server.exists, server.kept["objects"] = True, 1
    for check in (True, False):
        with pytest.raises(ParityError, match="holds objects"):
            s3.ensure_absent(server, "docs", check=check)
    server.kept.clear()
    assert s3.ensure_absent(server, "docs", check=True)["changed"] and server.exists
    assert s3.ensure_absent(server, "docs", check=False)["changed"] and not server.exists


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("403"), "refuses this key"),
        (refused("AccessDenied"), "because.*may not do that"),
        (refused("InvalidAccessKeyId"), "does not know this access key"),
        (refused("NotImplemented"), "take the setting away"),
        (refused("Odd"), "Are address, region and keys right"),
        (EndpointConnectionError(endpoint_url="http://s3"), "EndpointConnectionError"),
    ],
)
def test_errors(error, words):
    server = Server()
    server.error = error
    with pytest.raises(ParityError, match=words):
        ensure(server, NOTHING)


def test_other_errors_are_not_hidden():
    with pytest.raises(KeyError), s3.explained("x"):
        raise KeyError("a bug")


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("", None),
        ("https://s3.example.org", None),
        ("http://127.0.0.1:8000", None),
        ("https://abc.supabase.co/storage/v1/s3", "Supabase"),
        ("https://abc.storage.supabase.co/storage/v1/s3", "Supabase"),
        ("https://abc.supabase.co", "Supabase"),
        ("http://127.0.0.1:54321/storage/v1/s3", "Supabase"),
        ("s3.example.org", "Give an address"),
        ("https://h:x", "Give an address"),
        ("https://key:geheim@s3.example.org", "more than an address"),
    ],
)
def test_endpoints(endpoint, words):
    problem = s3.endpoint_problem(endpoint)
    assert problem is None if words is None else words in problem
    assert "geheim" not in str(problem)
