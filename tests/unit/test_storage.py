# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils import storage

INPUTS = {
    "backend": "filesystem",
    "path": "/srv/shop",
    "buckets": [{"name": "originals"}],
    "mode": "0750",
    "owner": 3000,
    "group": 3000,
    "warn_percent": 10,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"mode": "700"}, None),
        ({"backend": "s3"}, "Supported: filesystem"),
        ({"backend": ""}, "Supported: filesystem"),
        ({"buckets": []}, "is empty"),
        ({"buckets": [{}]}, "the name None"),
        ({"buckets": [{"name": "a/b"}]}, "'a/b'"),
        ({"buckets": [{"name": "a..b"}]}, "'a..b'"),
        ({"buckets": [{"name": "Bilder"}]}, "'Bilder'"),
        ({"buckets": [{"name": "aa"}, {"name": "aa"}]}, "more than once"),
        ({"mode": "rwx"}, "octal"),
        ({"mode": "0777"}, "everyone"),
        ({"mode": "0500"}, "the owner itself"),
        ({"owner": 0}, "storage_owner_id"),
        ({"group": -1}, "storage_group_id"),
        ({"warn_percent": 101}, "storage_free_space_warning_percent"),
    ],
)
def test_inputs(change, words):
    problems = storage.problems(**{**INPUTS, **change})
    assert problems == [] if words is None else len(problems) == 1 and words in problems[0]


@pytest.mark.parametrize(
    "path", ["/srv/shop", "/var/lib/shop", "/opt/shop/documents", "/data", "/home/shop", "//srv//shop"]
)
def test_paths(path):
    assert storage.path_problem(path) is None


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
    assert storage.path_problem(path)


def test_what_stands_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "place" / "bucket").mkdir(parents=True)
    (tmp_path / "place" / "other").touch()
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    (tmp_path / "system").symlink_to("/etc")
    assert storage.place_problem(tmp_path / "new", ["bucket"]) is None
    assert storage.place_problem(tmp_path / "place", ["bucket"]) is None
    assert "is a file" in storage.place_problem(tmp_path / "file", [])
    assert "is a file" in storage.place_problem(tmp_path / "file" / "below", [])
    assert "other is a file" in storage.place_problem(tmp_path / "place", ["other"])
    assert "does not exist" in storage.place_problem(tmp_path / "unmounted", [])
    assert "leads to /etc" in storage.place_problem(tmp_path / "system", [])


def test_the_nearest_directory(tmp_path):
    assert storage.nearest(tmp_path / "a" / "b") == tmp_path
