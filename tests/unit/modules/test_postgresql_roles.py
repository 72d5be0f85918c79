# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.postgresql import scram
from ansible_collections.parity.stack.plugins.modules.postgresql_roles import decide

RIGHT = scram.verifier("right")
HAS = ["statement_timeout=1s", "jit=off", "work_mem=8MB"]


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, "created"),
        ((True, True, False, RIGHT, HAS, ["pg_monitor", "other"]), "unchanged"),
        ((False, True, False, RIGHT, HAS, ["pg_monitor"]), "attributes"),
        ((True, False, False, RIGHT, HAS, ["pg_monitor"]), "attributes"),
        ((True, True, False, RIGHT, None, ["pg_monitor"]), "attributes"),
        ((True, True, True, RIGHT, HAS, ["pg_monitor"]), "attributes"),
        ((True, True, False, RIGHT, ["statement_timeout=2s"], ["pg_monitor"]), "attributes"),
        ((True, True, False, RIGHT, HAS, None), "attributes"),
        ((True, True, False, scram.verifier("wrong"), HAS, ["pg_monitor"]), "password"),
        ((True, True, False, None, HAS, ["pg_monitor"]), "password"),
        ((False, False, False, "md5abc", None, None), "password"),
    ],
)
def test_what_a_role_needs(current, expected):
    role = {"password": "right", "settings": {"statement_timeout": "1s", "jit": False}, "member_of": ["pg_monitor"], "replication": False}
    assert decide(role, current) == expected
