# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a server of files, as the lookup process_files renders it.

tests/applications/test_board.py asks a real one.
"""

from __future__ import annotations

import re

import jinja2
import pytest
from ansible.plugins.filter.core import regex_escape
from checkout import ROOT

TEMPLATES = ROOT / "roles" / "api" / "templates"


def rendered(path: str, slot: str = "blue") -> str:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    environment.filters["regex_escape"] = regex_escape
    process = {
        "name": "static", "path": path, "slot_ports": {"blue": 8011, "green": 8012}, "health_path": path.rstrip("/") + "/parity/health",
    }  # fmt: skip
    slots = {"__api_slot": slot, "__api_other": "green" if slot == "blue" else "blue"}
    return environment.get_template("files.conf.j2").render(process=process, api_stack="shop", ansible_managed="managed", **slots)


def location(text: str, name: str) -> list[str]:
    """The lines of one location."""
    found = re.findall(rf"^        location {re.escape(name)} {{\n(.*?)^        }}", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{name}: {found}"
    return [line.strip() for line in found[0].splitlines()]


OWN, OTHER = "root /etc/shop/blue/static.files;", "root /etc/shop/green/static.files;"
INSIDE = "disable_symlinks on from=$document_root;"


@pytest.mark.parametrize(
    ("path", "prefix", "lines"),
    [
        ("/", "/", [OWN, INSIDE, "try_files $uri @other;"]),
        ("/static", "/static/", [OWN, INSIDE, "rewrite ^/static(/.*)$ $1 break;", "try_files $uri @other;"]),
        ("/static/", "/static/", [OWN, INSIDE, "rewrite ^/static(/.*)$ $1 break;", "try_files $uri @other;"]),
        ("/a/v1.0", "/a/v1.0/", [OWN, INSIDE, r"rewrite ^/a/v1\.0(/.*)$ $1 break;", "try_files $uri @other;"]),
    ],
)
def test_a_path_has_the_files_of_its_slot_and_then_of_the_other(path: str, prefix: str, lines: list[str]) -> None:
    text = rendered(path)
    assert location(text, prefix) == lines
    assert location(text, "@other") == [OTHER, INSIDE, "try_files $uri =404;"]
    assert location(text, r"~ /\.") == ["return 404;"]
    assert "autoindex off;" in text and "autoindex on" not in text and "access_log off;" in text
    if path != "/":
        assert location(text, "/") == ["return 404;"]
        assert location(text, f"= {path.rstrip('/')}") == [f"return 301 {path.rstrip('/')}/$is_args$args;"]


@pytest.mark.parametrize(("slot", "port", "own", "other"), [("blue", 8011, OWN, OTHER), ("green", 8012, OTHER, OWN)])
def test_each_slot_has_its_port_and_its_files(slot: str, port: int, own: str, other: str) -> None:
    text = rendered("/static", slot)
    assert re.findall(r"listen (.*);", text) == [f"127.0.0.1:{port}"]
    assert location(text, "/static/")[0] == own and location(text, "@other")[0] == other
    assert f"if (!-d {own.split()[1].rstrip(';')}) {{" in location(text, "= /static/parity/health")
