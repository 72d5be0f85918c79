# SPDX-License-Identifier: GPL-3.0-or-later
"""docpipe turns uploaded PDFs into searchable chunks. It is the reference application of Parity."""

__version__ = "1.0.0"
