# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files belong to processes that are gone, and that nothing of another stack does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.release import leftovers
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout

UNITS = "etc/systemd/system"


def unit(root: Path, stack: str, name: str, *, files: bool = False) -> list[str]:
    """A process as the roles write it; the names of its files."""
    path = root / UNITS
    (path / "multi-user.target.wants").mkdir(parents=True, exist_ok=True)
    reads = f"ExecStart=nginx -c /etc/{stack}/%i/{name}.nginx.conf" if files else f"EnvironmentFile=/etc/{stack}/%i/{name}.env"
    (path / f"{stack}-{name}@.service").write_text(f"[Service]\n{reads}\n")
    (path / f"{stack}-{name}-live.service").touch()
    (path / f"multi-user.target.wants/{stack}-{name}-live.service").symlink_to("/nowhere")
    return [f"{stack}-{name}-live.service", f"{stack}-{name}-live.service", f"{stack}-{name}@.service"]


def names(found: leftovers.Leftovers) -> list[str]:
    return sorted(path.name for path in found.paths)


@pytest.mark.parametrize(
    ("needed", "gone"),
    [({"web", "mail", "static"}, []), ({"web", "static"}, ["mail"]), ({"web", "mail"}, ["static"]), (set(), ["mail", "static", "web"])],
)
def test_what_is_not_needed_goes_and_other_stacks_stay(tmp_path: Path, needed: set[str], gone: list[str]) -> None:
    files = {name: unit(tmp_path, "shop", name, files=name == "static") for name in ("web", "mail", "static")}
    unit(tmp_path, "shop-admin", "web")  # also a process `admin-web` of a stack `shop`, by its name
    unit(tmp_path, "shop-admin", "files", files=True)
    (tmp_path / UNITS / "shop-backup@.service").write_text("[Service]\nExecStart=/usr/local/bin/somebody-elses %i\n")
    served = tmp_path / "etc/shop/green/static.nginx.conf"
    served.parent.mkdir(parents=True)
    served.touch()
    found = leftovers.of_processes(Layout("shop", tmp_path), needed)
    expected = [file for name in gone for file in files[name]] + ["static.nginx.conf"] * ("static" in gone)
    assert names(found) == sorted(expected)
    assert sorted(found.units) == sorted(f"shop-{name}@{slot}.service" for name in gone for slot in ("blue", "green"))


def test_a_host_that_runs_nothing_any_more(tmp_path: Path) -> None:
    layout = Layout("shop", tmp_path)
    assert leftovers.of_host(layout) == leftovers.Leftovers()
    unit(tmp_path, "shop", "web")
    unit(tmp_path, "other", "web")
    (tmp_path / UNITS / "shop-proxy.service").touch()
    for slot in ("blue", "green"):
        layout.environment(slot, "web").parent.mkdir(parents=True)
        layout.environment(slot, "web").write_text('KEY="hunter22"\n')
        layout.processes_file(slot).write_text(json.dumps([{"name": "web", "unit": "shop-web"}]))
    layout.set_live("blue")
    kept = layout.kept("v1") / "environment" / "web.env"
    kept.parent.mkdir(parents=True)
    kept.touch()
    (layout.kept("v1") / "0-0").touch()
    layout.journal.touch()
    found = leftovers.of_host(layout)
    for path in found.paths:
        path.unlink()
    assert found.units == ("shop-proxy.service", "shop-web@blue.service", "shop-web@green.service")
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_symlink() or path.is_file())
    assert left == [
        f"{UNITS}/multi-user.target.wants/other-web-live.service", f"{UNITS}/other-web-live.service", f"{UNITS}/other-web@.service",
        "var/lib/shop/configuration/v1/0-0", "var/lib/shop/journal.jsonl",
    ]  # fmt: skip
    assert leftovers.of_host(layout) == leftovers.Leftovers()
