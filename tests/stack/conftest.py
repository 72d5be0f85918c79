# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` leaves to `make prove`, and what a file needs that is run alone."""

from pathlib import Path

import pytest
from servers import FULL, deploy, versions

# A second whole stack, with an S3 server, takes longer than the rest of `make test` may.
collect_ignore = [] if FULL else ["test_with_s3.py"]


#: The files tell one story on one stack: it is deployed, used, validated, rolled back, judged, and moved to S3.
ORDER = ["test_stack.py", "test_stack_database.py", "test_validate.py", "test_rollback.py", "test_worse_releases.py", "test_with_s3.py"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the files of this folder in `ORDER`. A file that is not in it has no place in the story."""
    here = Path(__file__).parent
    items.sort(key=lambda item: ORDER.index(item.path.name) if item.path.parent == here else -1)
    left_out = [] if FULL else [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def deployed_stack() -> None:
    """A stack that answers: what test_stack.py leaves, or the same where that file is left out."""
    try:
        versions()
    except AssertionError:
        run = deploy()
        assert run.code == 0, run.output[-6000:]
