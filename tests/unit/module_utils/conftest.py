# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a bucket on each backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.parity.stack.plugins.module_utils.storage import stores
from object_stores import FakeS3, parameters
from supabase_storage import Service, serving, token


@pytest.fixture
def service() -> Service:
    service = Service()
    service.create_bucket({"name": "documents"}, "service_role")
    return service


@pytest.fixture(params=["filesystem", "s3", "supabase"])
def store(request, tmp_path, service) -> Iterator[stores.Store]:
    if request.param == "filesystem":
        (tmp_path / "objects" / "documents").mkdir(parents=True)
        yield stores.open_store(parameters("filesystem", path=str(tmp_path / "objects")), "documents")
    elif request.param == "s3":
        yield stores.S3(FakeS3(), "documents", "http://s3")
    else:
        with serving(service) as url:
            yield stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "documents")
