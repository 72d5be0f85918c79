# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` leaves to `make prove`, and what a file needs that is run alone."""

import os

import pytest
from servers import deploy, versions

# A second whole stack, with an S3 server, takes longer than the rest of `make test` may.
collect_ignore = [] if os.environ.get("PARITY_PROVE") == "1" else ["test_with_s3.py"]


@pytest.fixture(scope="session")
def deployed_stack() -> None:
    """A stack that answers: what test_stack.py leaves, or the same where that file is left out."""
    try:
        versions()
    except AssertionError:
        run = deploy()
        assert run.code == 0, run.output[-6000:]
