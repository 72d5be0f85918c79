# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` leaves to `make prove`."""

import pytest
from application_servers import FULL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [] if FULL else [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
