# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets on S3: what is there, what should be, and the requests that lead from one to the other.

Nothing here asks Supabase's S3 endpoint: there, settings of a missing bucket make it, and removing settings removes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.parity.stack.plugins.module_utils import urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Statements and rules that are ours; everything else in a policy or a lifecycle belongs to somebody else and stays.
OURS = "Parity"
BLOCKS = {
    "new_acls": "BlockPublicAcls",
    "acls": "IgnorePublicAcls",
    "new_policies": "BlockPublicPolicy",
    "policies": "RestrictPublicBuckets",
}
ACTIONS = {
    "read": ["s3:GetObject"],
    "write": ["s3:AbortMultipartUpload", "s3:PutObject"],
    "delete": ["s3:DeleteObject"],
    "list": ["s3:ListBucket"],
}
_ABSENT = (
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
)
_ADVICE = {
    "AccessDenied": "The key may not do that. Give it the right, or set the bucket up with another key.",
    "InvalidAccessKeyId": "The server does not know this access key.",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key.",
    "NotImplemented": "This server cannot do that: take the setting away.",
    "MethodNotAllowed": "This server cannot do that: take the setting away.",
    "BucketAlreadyExists": "The name belongs to somebody else. Choose another.",
    "BucketNotEmpty": "The bucket holds objects; it was not removed. Remove them first.",
    "InvalidBucketName": "Use 3 to 63 lower-case letters, digits and - , a letter or digit first and last.",
    "MalformedPolicy": "Is every principal of the grants written as the server knows it?",
}


class NoDriver(ParityError):
    """boto3 is not there (yet)."""


def endpoint_problem(endpoint: object, option: str = "endpoint_url") -> str | None:
    """Why buckets cannot be set up there. Empty means the provider's own endpoint, which boto3 knows."""
    if endpoint is None or endpoint == "":
        return None
    parts = urls.web_address(endpoint)
    if parts is None:
        return f"{option} is {endpoint!r}. Give an address such as https://s3.example.org, or leave it empty for AWS."
    host = parts.hostname
    if "/storage/v1/s3" in parts.path or host.endswith((".supabase.co", ".supabase.in", ".supabase.red")):
        return (
            f"{option} is {parts.scheme}://{parts.netloc}{parts.path}, Supabase's S3 endpoint. Requests about a bucket's settings make "
            "and remove buckets there. Set the backend supabase, which uses the REST interface."
        )
    if parts.username or parts.password or parts.query:
        return f"{option} holds more than an address. Keys are given by themselves."
    return None


def client(
    *,
    endpoint: str,
    region: str,
    access_key: str,
    secret_key: str,
    session_token: str = "",
    ca_file: str | None = None,
    timeout: float = 10,
    attempts: int = 5,
) -> Any:
    """boto3's client."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise NoDriver(
            f"S3 needs the Python library boto3 ({error}). Install Debian's package python3-boto3, or boto3 beside Ansible."
        ) from None
    options: dict[str, Any] = {
        "connect_timeout": timeout,
        "read_timeout": timeout,
        "retries": {"mode": "standard", "total_max_attempts": max(1, attempts)},
        # Servers other than AWS are mostly not found under a name for each bucket.
        "s3": {"addressing_style": "path" if endpoint else "auto"},
    }
    with explained("the S3 client cannot be made"):
        return boto3.client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=region or None,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=session_token or None,
            verify=ca_file or None,
            config=Config(**options),
        )


def error_code(error: Exception) -> str:
    """The server's word for what went wrong; empty for errors that are not the server's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def is_boto_error(error: Exception) -> bool:
    return type(error).__module__.startswith(("botocore", "boto3", "s3transfer"))


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn boto3's errors into ours."""
    try:
        yield
    except Exception as error:
        if not is_boto_error(error):
            raise
        code = error_code(error)
        words = code or type(error).__name__
        message = getattr(error, "response", {}).get("Error", {}).get("Message") or ("" if code else str(error))
        advice = _ADVICE.get(code, "Are address, region and keys right, and does the server answer?")
        raise ParityError(f"{what}: {words}{f' ({message})' if message else ''}. {advice}", code=code) from None


# --- Settings, as they are compared -----------------------------------------------------------------------------------


def statements(bucket: str, *, public: bool, grants: list[dict]) -> list[dict]:
    """The statements of ours that a policy is to have."""
    result = []
    if public:
        result.append(_statement(f"{OURS}Public", "*", ACTIONS["read"], f"arn:aws:s3:::{bucket}/*"))
    for number, grant in enumerate(sorted(grants, key=lambda one: one["principal"]), start=1):
        principal = {"AWS": [grant["principal"]]}
        actions = sorted({action for may in grant["may"] if may != "list" for action in ACTIONS[may]})
        if actions:
            result.append(_statement(f"{OURS}{number}Objects", principal, actions, f"arn:aws:s3:::{bucket}/*"))
        if "list" in grant["may"]:
            result.append(_statement(f"{OURS}{number}List", principal, ACTIONS["list"], f"arn:aws:s3:::{bucket}"))
    return result


def _statement(sid: str, principal: object, actions: list[str], resource: str) -> dict:
    return {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": [resource]}


def plain(node: object) -> object:
    """A policy in one form: servers turn lists of one into text, and the other way round."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        items = sorted((plain(item) for item in node), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 and isinstance(items[0], str) else items
    return node


def is_ours(item: dict, key: str) -> bool:
    return str(item.get(key, "")).startswith(OURS)


def lifecycle_rule(wanted: dict) -> dict | None:
    """One rule of ours, or None where nothing is to expire."""
    rule: dict[str, Any] = {}
    if wanted.get("expire_after_days"):
        rule["Expiration"] = {"Days": wanted["expire_after_days"]}
    if wanted.get("expire_old_versions_after_days"):
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": wanted["expire_old_versions_after_days"]}
    if wanted.get("abort_uploads_after_days"):
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": wanted["abort_uploads_after_days"]}
    return {"ID": OURS, "Status": "Enabled", "Filter": {"Prefix": wanted.get("prefix") or ""}, **rule} if rule else None


def plain_rule(rule: dict) -> dict:
    """A rule in one form: servers say where it holds in one of two ways."""
    rest = {key: value for key, value in rule.items() if key not in ("Prefix", "Filter")}
    return {**rest, "Prefix": rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))}


class Bucket:
    """A bucket, asked and told by a client of boto3."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self.name = name

    def exists(self) -> bool:
        with explained(f"asking for bucket {self.name!r}"):
            try:
                self._s3.head_bucket(Bucket=self.name)
            except Exception as error:
                if is_boto_error(error) and error_code(error) in ("404", "NoSuchBucket", "NotFound"):
                    return False
                if is_boto_error(error) and error_code(error) == "403":
                    raise ParityError(
                        f"The server refuses this key for bucket {self.name!r} (403). Either the access key or the secret key is wrong, "
                        "or the bucket is somebody else's: then choose another name."
                    ) from None
                raise
        return True

    def create(self, region: str) -> None:
        place = {} if region in ("", "us-east-1") else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with explained(f"making bucket {self.name!r}"):
            try:
                self._s3.create_bucket(Bucket=self.name, **place)
            except Exception as error:
                if error_code(error) != "BucketAlreadyOwnedByYou":
                    raise

    def delete(self) -> None:
        with explained(f"removing bucket {self.name!r}"):
            self._s3.delete_bucket(Bucket=self.name)

    def call(self, operation: str, **arguments: Any) -> None:
        with explained(f"{operation} of bucket {self.name!r}"):
            getattr(self._s3, operation)(Bucket=self.name, **arguments)

    def read(self, operation: str) -> dict:
        """What a server keeps, or {} where it keeps nothing."""
        with explained(f"{operation} of bucket {self.name!r}"):
            try:
                return getattr(self._s3, operation)(Bucket=self.name)
            except Exception as error:
                if error_code(error) in _ABSENT:
                    return {}
                raise


class Settings:
    """One method a setting: what it is now, compared with what is wanted; the request that changes it is returned."""

    def __init__(self, bucket: Bucket | None, name: str, *, aws: bool = False) -> None:
        self._aws = aws
        #: None while the bucket does not exist: then nothing is set.
        self._bucket = bucket
        self._name = name
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.requests: list[Callable[[Bucket], None]] = []

    def _read(self, operation: str) -> dict:
        return self._bucket.read(operation) if self._bucket else {}

    def _compare(self, name: str, seen: object, wanted: object, operation: str, **arguments: Any) -> None:
        self.before[name], self.after[name] = seen, wanted
        if seen != wanted:
            self.requests.append(lambda bucket: bucket.call(operation, **arguments))

    def versioning(self, wanted: bool) -> None:
        seen = self._read("get_bucket_versioning").get("Status") == "Enabled"
        state = {"Status": "Enabled" if wanted else "Suspended"}
        self._compare("versioning", seen, wanted, "put_bucket_versioning", VersioningConfiguration=state)

    def encryption(self, algorithm: str, key_id: str) -> None:
        rules = self._read("get_bucket_encryption").get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        found = (rules[0] if rules else {}).get("ApplyServerSideEncryptionByDefault", {})
        seen = " ".join(filter(None, (found.get("SSEAlgorithm", "none"), found.get("KMSMasterKeyID"))))
        if algorithm == "none":
            # AWS encrypts in any case, and says so when nothing is set.
            unset = seen if self._aws and seen == "AES256" else "none"
            self._compare("encryption", seen, unset, "delete_bucket_encryption")
            return
        default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key_id} if key_id else {})}
        configuration = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        self._compare(
            "encryption",
            seen,
            f"{algorithm} {key_id}".strip(),
            "put_bucket_encryption",
            ServerSideEncryptionConfiguration=configuration,
        )

    def public_access(self, blocked: list[str]) -> None:
        found = self._read("get_public_access_block").get("PublicAccessBlockConfiguration", {})
        seen = sorted(name for name, flag in BLOCKS.items() if found.get(flag))
        wanted = {flag: name in blocked for name, flag in BLOCKS.items()}
        self._compare(
            "block_public_access", seen, sorted(set(blocked)), "put_public_access_block", PublicAccessBlockConfiguration=wanted
        )

    def policy(self, public: bool, grants: list[dict]) -> None:
        text = self._read("get_bucket_policy").get("Policy")
        found = json.loads(text).get("Statement", []) if text else []
        found = found if isinstance(found, list) else [found]
        foreign = [one for one in found if not is_ours(one, "Sid")]
        ours = statements(self._name, public=public, grants=grants)
        seen = plain([one for one in found if is_ours(one, "Sid")])
        if foreign or ours:
            document = json.dumps({"Version": "2012-10-17", "Statement": [*foreign, *ours]})
            self._compare("policy", seen, plain(ours), "put_bucket_policy", Policy=document)
        else:
            self._compare("policy", seen, plain(ours), "delete_bucket_policy")

    def lifecycle(self, wanted: dict) -> None:
        found = self._read("get_bucket_lifecycle_configuration").get("Rules", [])
        foreign = [one for one in found if not is_ours(one, "ID")]
        rule = lifecycle_rule(wanted)
        seen = [plain_rule(one) for one in found if is_ours(one, "ID")]
        rules = [*foreign, *([rule] if rule else [])]
        aim = [plain_rule(rule)] if rule else []
        if rules:
            configuration = {"Rules": rules}
            self._compare(
                "lifecycle", seen, aim, "put_bucket_lifecycle_configuration", LifecycleConfiguration=configuration
            )
        else:
            self._compare("lifecycle", seen, aim, "delete_bucket_lifecycle")

    def cors(self, origins: list[str]) -> None:
        found = self._read("get_bucket_cors").get("CORSRules", [])
        seen = sorted(origin for rule in found for origin in rule.get("AllowedOrigins", []))
        aim = sorted(set(origins))
        if aim:
            # Browsers only read with signed URLs; whatever writes is one of the services.
            rule = {"AllowedOrigins": aim, "AllowedMethods": ["GET", "HEAD"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 3600}
            self._compare("cors_origins", seen, aim, "put_bucket_cors", CORSConfiguration={"CORSRules": [rule]})
        else:
            self._compare("cors_origins", seen, aim, "delete_bucket_cors")


def ensure_present(s3: Any, name: str, wanted: dict, *, region: str, check: bool) -> dict:
    """Make the bucket exist with these settings; settings that are None stay as they are."""
    bucket = Bucket(s3, name)
    exists = bucket.exists()
    settings = Settings(bucket if exists else None, name, aws=not wanted["endpoint_url"])
    if wanted["block_public_access"] is not None:
        settings.public_access(wanted["block_public_access"])
    if wanted["versioning"] is not None:
        settings.versioning(wanted["versioning"])
    if wanted["encryption"] is not None:
        settings.encryption(wanted["encryption"], wanted["encryption_key_id"] or "")
    settings.policy(bool(wanted["public"]), wanted["grants"] or [])
    if wanted["lifecycle"] is not None:
        settings.lifecycle(wanted["lifecycle"])
    if wanted["cors_origins"] is not None:
        settings.cors(wanted["cors_origins"])
    if not check:
        if not exists:
            bucket.create(region)
        for request in settings.requests:
            request(bucket)
    return {
        "changed": not exists or bool(settings.requests),
        "bucket": {"name": name, **settings.after},
        "diff": {"before": {"name": name, **settings.before} if exists else {}, "after": {"name": name, **settings.after}},
    }


def ensure_absent(s3: Any, name: str, *, check: bool) -> dict:
    """Make the bucket not exist, unless it holds objects."""
    bucket = Bucket(s3, name)
    exists = bucket.exists()
    if exists:
        with explained(f"looking into bucket {name!r}"):
            if s3.list_objects_v2(Bucket=name, MaxKeys=1).get("KeyCount"):
                raise ParityError(f"Bucket {name!r} holds objects; it was not removed. Remove them first.")
        if not check:
            bucket.delete()
    return {"changed": exists, "bucket": None, "diff": {"before": {"name": name} if exists else {}, "after": {}}}
