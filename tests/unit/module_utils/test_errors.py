# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


def test_an_error_carries_its_message_and_data() -> None:
    error = ParityError("broken is down. Start it.", unit="broken", code=3)
    assert str(error) == "broken is down. Start it."
    assert error.details == {"unit": "broken", "code": 3}
    assert ParityError("plain").details == {}
