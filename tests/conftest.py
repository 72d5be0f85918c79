# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `ansible_collections.parity.stack` importable from the checkout, as Ansible itself would find it."""

from __future__ import annotations

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from checkout import ROOT, roles

COLLECTIONS = ROOT / ".cache" / "collections"


def _install_collection() -> None:
    link = COLLECTIONS / "ansible_collections" / "parity" / "stack"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("../../../..")
    # As an entry of sys.path it could lose to a package of the same name.
    _AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()


_install_collection()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `role` runs once for each role."""
    if "role" in metafunc.fixturenames:
        found = roles()
        metafunc.parametrize("role", found, ids=[role.name for role in found])
