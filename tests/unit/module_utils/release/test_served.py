# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directory a slot serves, and what is refused instead of served."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import served
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.module_utils.release.slots import Service


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    mine = Layout("shop", tmp_path)
    for place in ("opt/shop/releases/v1/app/shop/static", "var/lib/shop/media", "etc/shop/blue"):
        (tmp_path / place).mkdir(parents=True)
    return mine


def files(directory: str, name: str = "static") -> Service:
    return Service(name, f"shop-{name}", directory=directory)


@pytest.mark.parametrize(
    ("directory", "made", "expected"),
    [
        ("shop/static", [], "opt/shop/releases/v1/app/shop/static"),
        ("shop/static/", [], "opt/shop/releases/v1/app/shop/static"),
        ("shop/static", ["opt/shop/releases/v1/build/shop/static"], "opt/shop/releases/v1/build/shop/static"),
        ("dist", ["opt/shop/releases/v1/build/dist"], "opt/shop/releases/v1/build/dist"),
        ("/var/lib/shop/media", [], "var/lib/shop/media"),
    ],
)
def test_the_first_place_that_has_the_directory_counts(
    tmp_path: Path, layout: Layout, directory: str, made: list[str], expected: str
) -> None:
    for place in made:
        (tmp_path / place).mkdir(parents=True)
    assert served.directories(layout, [files(directory), Service("api", "shop-api")], "v1") == {"static": tmp_path / expected}


@pytest.mark.parametrize(
    ("directory", "words"),
    [
        ("shop/statc", "static serves files of shop/statc, and release v1 has neither build/shop/statc nor app/shop/statc"),
        ("shop/static/app.css", "has neither"),
        ("/var/lib/shop/nothing", "static serves files of /var/lib/shop/nothing, which is no directory on this host. Create it"),
        ("out", "which leads out of release v1, to"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, layout: Layout, directory: str, words: str) -> None:
    app = layout.release("v1") / "app"
    (app / "shop/static/app.css").touch()
    (app / "out").symlink_to(tmp_path / "var")
    with pytest.raises(ParityError) as error:
        served.directories(layout, [files(directory)], "v1")
    assert words in str(error.value)


def test_a_dry_run_knows_of_directories_outside_of_releases(layout: Layout) -> None:
    served.refuse_absent(layout, [files("not/there/yet"), files("/var/lib/shop/media"), Service("api", "shop-api")])
    with pytest.raises(ParityError, match="no directory on this host"):
        served.refuse_absent(layout, [files("/var/lib/shop/other")])


def test_a_slot_serves_what_its_release_has_and_nothing_else(tmp_path: Path, layout: Layout) -> None:
    served.link(layout, "blue", {"static": tmp_path / "a", "media": tmp_path / "b"})
    served.link(layout, "blue", {"static": tmp_path / "c"})
    assert {path.name: os.readlink(path) for path in (layout.config / "blue").iterdir()} == {"static.files": str(tmp_path / "c")}
