# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories of files that a slot serves: a link for each service with a directory, beside the slot's environment files.

What is behind the links belongs to the release in the slot. The configuration of the server names the links of both slots, so that
it answers with files of the release before too, and stays as it is from one release to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import link_atomically
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.module_utils.release.slots import Service

#: Where a release has files, the first that has the directory counts: what its build has made, and the application.
PLACES = ("build", "app")


def directories(layout: Layout, services: Iterable[Service], release: str) -> dict[str, Path]:
    """The directory that each service with one serves, once `release` is in its slot. Raises ParityError where one is missing."""
    return {service.name: _directory(layout, service, release) for service in services if service.directory}


def refuse_absent(layout: Layout, services: Iterable[Service]) -> None:
    """Raise ParityError where a directory outside of releases is missing: no release brings it."""
    for service in services:
        if service.directory.startswith("/"):
            _directory(layout, service, "")


def link(layout: Layout, slot: str, wanted: dict[str, Path]) -> None:
    """Let the slot serve these directories, and no others."""
    for path in set(layout.served(slot, "*").parent.glob(layout.served(slot, "*").name)) - {layout.served(slot, name) for name in wanted}:
        path.unlink()
    for name, directory in wanted.items():
        link_atomically(layout.served(slot, name), str(directory))


def _directory(layout: Layout, service: Service, release: str) -> Path:
    at = f"the process {service.name} serves files of {service.directory}"
    if service.directory.startswith("/"):
        shared = layout.prefix / service.directory.lstrip("/")
        if shared.is_dir():
            return shared
        raise ParityError(f"{at}, which is no directory on this host. Create it, readable by the user of the processes.")
    root = layout.release(release)
    found = next((root / place / service.directory for place in PLACES if (root / place / service.directory).is_dir()), None)
    if found is None:
        places = " nor ".join(f"{place}/{service.directory}" for place in PLACES)
        raise ParityError(
            f"{at}, and release {release} has neither {places}. Write the directory as it is in the application's package or in what "
            "its build makes, for example shop/static, and check that the package takes its data files along."
        )
    if not found.resolve().is_relative_to(root.resolve()):
        raise ParityError(f"{at}, which leads out of release {release}, to {found.resolve()}. Serve a directory without such a link.")
    return found
