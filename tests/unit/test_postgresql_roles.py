# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils import scram
from ansible_collections.parity.stack.plugins.modules.postgresql_roles import decide

RIGHT = scram.verifier("right")


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, "created"),
        ((True, True, RIGHT), "unchanged"),
        ((False, True, RIGHT), "attributes"),
        ((True, False, RIGHT), "attributes"),
        ((True, True, scram.verifier("wrong")), "password"),
        ((True, True, None), "password"),
        ((False, False, "md5abc"), "password"),
    ],
)
def test_what_a_role_needs(current, expected):
    assert decide("right", current) == expected
