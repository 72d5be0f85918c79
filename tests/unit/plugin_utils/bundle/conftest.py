# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that the tests of bundles share."""

from package_index import served

__all__ = ["served"]
