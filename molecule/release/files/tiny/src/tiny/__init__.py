# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of twenty lines, to deploy: it answers with its release, and with whatever status it is told to."""
