# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` leaves to `make prove`."""

import os

# A second whole stack, with an S3 server, takes longer than the rest of `make test` may.
collect_ignore = [] if os.environ.get("PARITY_PROVE") == "1" else ["test_with_s3.py"]
