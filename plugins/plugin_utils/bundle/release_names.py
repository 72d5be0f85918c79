# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a release: as it is given, or what Git calls the application's checkout."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import sources
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.fetching import Runner

#: The name that stands for what Git calls the checkout.
GIT = "git"


def of(given: object, application: object, run: Runner) -> object:
    """The name of a release; everything but `git` is returned as it is. Raises ParityError, whose message continues a sentence."""
    return describe(str(application), run) if given == GIT else given


def describe(application: str, run: Runner) -> str:
    """What `git describe --tags --always --dirty` calls the checkout that the application's directory is in."""
    if not Path(application).is_dir():
        raise ParityError(
            f"is {GIT}, and the application ({sources.shown(application)}) is no directory in a checkout. Give the name itself"
        )
    code, out, err = run(["env", "LC_ALL=C", "git", "-C", application, "describe", "--tags", "--always", "--dirty"])
    name = out.strip()
    if code != 0:
        raise ParityError(f"is {GIT}, and Git cannot describe {application}: {err.strip()[-500:]}. Commit once, or give the name itself")
    if not sources.RELEASE.fullmatch(name):
        raise ParityError(f"is {GIT}, and Git calls the checkout {name[:80]!r}: {sources.RELEASE_FORM}. Give the name itself")
    return name
