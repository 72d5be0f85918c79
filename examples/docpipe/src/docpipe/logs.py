# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain lines on standard output; the service manager adds time and process."""

import logging
import sys


def configure() -> None:
    """Set up logging for this process, and quieten libraries that would log requests or content."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    # Its lines would contain query strings: search terms and URL signatures. docpipe.access leaves
    # them out.
    logging.getLogger("uvicorn.access").disabled = True
