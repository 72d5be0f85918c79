# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.storage_problems import storage_problems
from ansible_collections.parity.stack.plugins.module_utils.storage import rules
from supabase_storage import token

NOW = 1_900_000_000
PLACE = {"backend": "filesystem", "path": "/srv/shop", "mode": "0750", "owner": 3000, "group": 3000, "warn_percent": 10}
BUCKETS = {"buckets": [{"name": "originals"}]}
SUPABASE = {"backend": "supabase", "supabase_url": "https://abc.supabase.co", "supabase_key": token(exp=NOW + 60)}
S3 = {"backend": "s3", "s3_endpoint": "https://s3.example.org", "s3_access_key": "geheim1", "s3_secret_key": "geheim2"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (PLACE, None),
        ({**PLACE, "mode": "700", "owner": "3000"}, None),
        ({**PLACE, "buckets": [{"name": "aa", "quota": "5GB", "public": False, "versioning": None}]}, None),
        ({**PLACE, "backend": "ftp"}, "Supported: filesystem, s3, supabase"),
        ({**PLACE, "backend": None}, "Supported: filesystem"),
        ({**PLACE, "buckets": []}, "Name at least one"),
        ({**PLACE, "buckets": "aa"}, "Name at least one"),
        ({**PLACE, "buckets": [{}]}, "the name None"),
        ({**PLACE, "buckets": [{"name": "a/b"}]}, "'a/b'"),
        ({**PLACE, "buckets": [{"name": "a..b"}]}, "'a..b'"),
        ({**PLACE, "buckets": [{"name": "Bilder"}]}, "'Bilder'"),
        ({**PLACE, "buckets": [{"name": "aa"}, {"name": "aa"}]}, "more than once"),
        ({**PLACE, "path": ""}, "storage_path"),
        ({**PLACE, "path": None}, "storage_path"),
        ({**PLACE, "mode": "rwx"}, "octal"),
        ({**PLACE, "mode": 750}, "octal"),
        ({**PLACE, "mode": "0777"}, "everyone"),
        ({**PLACE, "mode": "0500"}, "the owner itself"),
        ({**PLACE, "owner": 0}, "storage_owner_id"),
        ({**PLACE, "group": -1}, "storage_group_id"),
        ({**PLACE, "warn_percent": 101}, "storage_free_space_warning_percent"),
        # What a backend cannot do is said, not passed over.
        ({**PLACE, "buckets": [{"name": "aa", "public": True}]}, "filesystem cannot do public"),
        ({**PLACE, "buckets": [{"name": "aa", "file_size_limit": "5MB"}]}, "refuse larger objects"),
        ({**PLACE, "buckets": [{"name": "aa", "versioning": True}]}, "cannot do versioning"),
        ({**PLACE, "buckets": [{"name": "aa", "quota": "5GiB"}]}, "5368709120"),
        ({**PLACE, "buckets": [{"name": "aa", "colour": "red"}]}, "no setting 'colour'"),
        (SUPABASE, None),
        (
            {**SUPABASE, "buckets": [{"name": "aa", "public": True, "file_size_limit": "5MB", "allowed_mime_types": ["a/b"]}]},
            None,
        ),
        ({**SUPABASE, "buckets": [{"name": "aa", "allowed_mime_types": "any", "file_size_limit": "none"}]}, None),
        ({**SUPABASE, "supabase_url": ""}, "storage_supabase_url"),
        ({**SUPABASE, "supabase_key": ""}, "storage_supabase_key is empty"),
        ({**SUPABASE, "supabase_key": token(exp=NOW + 60, role="anon")}, "'anon'"),
        ({**SUPABASE, "supabase_key": token(exp=NOW - 60)}, "expired"),
        ({**SUPABASE, "supabase_key": "sb_secret_x"}, "sb_secret_"),
        ({**SUPABASE, "buckets": [{"name": "aa", "lifecycle": {"expire_after_days": 3}}]}, "supabase cannot do lifecycle"),
        ({**SUPABASE, "buckets": [{"name": "aa", "quota": "5GB"}]}, "cannot do quota"),
        ({**SUPABASE, "buckets": [{"name": "aa", "public": "yes"}]}, "true or false"),
        ({**SUPABASE, "buckets": [{"name": "aa", "allowed_mime_types": ["pdf"]}]}, "'pdf'"),
        (S3, None),
        ({**S3, "s3_endpoint": ""}, None),
        (
            {
                **S3,
                "buckets": [
                    {
                        "name": "aaa",
                        "versioning": True,
                        "encryption": "aws:kms",
                        "encryption_key_id": "k",
                        "grants": [{"principal": "p", "may": ["read"]}],
                        "lifecycle": {"expire_after_days": 3},
                        "block_public_access": ["acls"],
                        "cors_origins": ["https://a"],
                    }
                ],
            },
            None,
        ),
        ({**S3, "s3_endpoint": "https://abc.supabase.co/storage/v1/s3"}, "Set the backend supabase"),
        ({**S3, "s3_access_key": ""}, "storage_s3_access_key is empty"),
        ({**S3, "s3_secret_key": None}, "storage_s3_secret_key is empty"),
        ({**S3, "buckets": [{"name": "aa"}]}, "3 letters"),
        ({**S3, "buckets": [{"name": "a_a"}]}, "without _"),
        ({**S3, "buckets": [{"name": "aaa", "allowed_mime_types": ["a/b"]}]}, "s3 cannot do allowed_mime_types"),
        ({**S3, "buckets": [{"name": "aaa", "encryption": "ROT13"}]}, "'ROT13'"),
        ({**S3, "buckets": [{"name": "aaa", "encryption_key_id": "k"}]}, "Only aws:kms"),
        ({**S3, "buckets": [{"name": "aaa", "grants": [{"principal": "p"}]}]}, "may: [read, write]"),
        ({**S3, "buckets": [{"name": "aaa", "grants": [{"principal": "p", "may": ["own"]}]}]}, "'own'"),
        ({**S3, "buckets": [{"name": "aaa", "lifecycle": {"expire": 3}}]}, "expire_after_days"),
        ({**S3, "buckets": [{"name": "aaa", "lifecycle": {"expire_after_days": 0}}]}, "1 or more"),
        ({**S3, "buckets": [{"name": "aaa", "block_public_access": ["all"]}]}, "'all'"),
    ],
)
def test_inputs(inputs, words):
    problems = rules.problems({**BUCKETS, **inputs}, NOW)
    assert problems == [] if words is None else len(problems) == 1 and words in problems[0], problems
    assert "geheim" not in str(problems) and str(inputs.get("supabase_key") or "-----") not in str(problems)


def test_all_problems_at_once():
    inputs = {**PLACE, "path": "srv", "mode": "0777", "buckets": [{"name": "aa", "public": True, "versioning": True}]}
    assert len(storage_problems(inputs)) == 4


def test_quotas(tmp_path):
    buckets = [{"name": "aa", "quota": "100"}, {"name": "bb", "quota": "none"}, {"name": "missing", "quota": "1"}, {"name": "cc"}]
    (tmp_path / "aa" / "deep").mkdir(parents=True)
    (tmp_path / "aa" / "deep" / "object").write_bytes(b"x" * 80)
    assert rules.quota_warnings(tmp_path, buckets, 20) == []
    [words] = rules.quota_warnings(tmp_path, buckets, 21)
    assert "takes 80 of 100 bytes (80 %)" in words


@pytest.mark.parametrize(
    "path", ["/srv/shop", "/var/lib/shop", "/opt/shop/documents", "/data", "/home/shop", "//srv//shop"]
)
def test_paths(path):
    assert rules.path_problem(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "srv",
        "/",
        "//",
        "/.",
        "/etc",
        "/etc/shop",
        "/usr/local/shop",
        "/var",
        "/var/lib",
        "/srv",
        "/srv/",
        "/srv/../etc",
        "/tmp/x",
    ],
)
def test_paths_that_are_refused(path):
    assert rules.path_problem(path)


def test_what_stands_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "place" / "bucket").mkdir(parents=True)
    (tmp_path / "place" / "other").touch()
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    (tmp_path / "system").symlink_to("/etc")
    assert rules.place_problem(tmp_path / "new", ["bucket"]) is None
    assert rules.place_problem(tmp_path / "place", ["bucket"]) is None
    assert "is a file" in rules.place_problem(tmp_path / "file", [])
    assert "is a file" in rules.place_problem(tmp_path / "file" / "below", [])
    assert "other is a file" in rules.place_problem(tmp_path / "place", ["other"])
    assert "does not exist" in rules.place_problem(tmp_path / "unmounted", [])
    assert "leads to /etc" in rules.place_problem(tmp_path / "system", [])


def test_the_nearest_directory(tmp_path):
    assert rules.nearest(tmp_path / "a" / "b") == tmp_path
