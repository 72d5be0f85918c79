# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of Procfile, Dockerfile and compose files."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import compose, dockerfile, procfile

RUN = "uvicorn shop:app"


def nothing(_name: str) -> None:
    return None


def test_a_procfile_has_a_process_a_line() -> None:
    found = procfile.read(f"# all\nrelease: ./migrate\nweb: {RUN}\n\nworker : celery -A shop worker\nstrange\nodd: ./run.sh\n", "Procfile")
    assert [(one.name, one.run, one.where) for one in found.processes] == [
        ("web", "uvicorn", "Procfile, web"),
        ("worker", "celery", "Procfile, worker"),
    ]
    assert found.notes == [
        "Procfile, release is left out: it runs once, before a release (such as migrations)",
        "Procfile has a line that is not written name: command",
    ]
    assert found.questions == ["Procfile, odd is left out: it runs the script ./run.sh, which is not read"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('CMD ["a", "b"]', ["a", "b"]),
        ("CMD a b", "a b"),
        ('FROM x AS build\nCMD ["old"]\nFROM y\nCMD ["new"]', ["new"]),
        ('FROM x\nCMD ["old"]\nFROM y\n', None),
        ('ENTRYPOINT ["uvicorn"]\nCMD ["shop:app"]', ["uvicorn", "shop:app"]),
        ('ENTRYPOINT ["/docker-entrypoint.sh"]\nCMD ["uvicorn", "shop:app"]', ["uvicorn", "shop:app"]),
        ("entrypoint exec a b", "exec a b"),
        ("CMD a \\\n  # why\n  b", "a    b"),
        ("CMD [broken", "[broken"),
        ("", None),
    ],
)
def test_the_command_of_a_dockerfile(text: str, wanted: object) -> None:
    assert dockerfile.command(text) == wanted


def test_services_of_a_compose_file() -> None:
    found = compose.read(
        """
x-app: &app {build: {context: ., dockerfile: docker/Dockerfile}, environment: [A=1, B]}
services:
  api: {<<: *app}
  beat: {<<: *app, command: celery -A shop beat, environment: !override {C: "2"}}
  same: {image: shop, command: uvicorn shop:app}
  own: {image: shop, build: other}
  late: {image: me/redis-worker, build: ., command: celery -A shop worker}
  db: {image: "example.org:5000/timescale/timescaledb-ha@sha256:0"}
  queue: {image: "rabbitmq:3-management"}
  cache: {image: "bitnami/redis"}
  proxy: {image: "traefik:3"}
  more: {labels: [a=b]}
""",
        "compose.yaml",
        {"docker/Dockerfile": "CMD uvicorn shop:app"}.get,
    )
    assert [(one.name, one.run) for one in found.processes] == [
        ("api", "uvicorn"),
        ("beat", "celery-beat"),
        ("same", "uvicorn"),
        ("late", "celery"),
    ]
    assert {kind: one.where for kind, one in found.services.items()} == {
        "postgresql": "compose.yaml, service db", "rabbitmq": "compose.yaml, service queue", "redis": "compose.yaml, service cache",
    }  # fmt: skip
    assert set(found.names) == {"A", "B", "C"}
    assert found.questions == ["compose.yaml, service own is left out: it names no command, and no Dockerfile of it was found"]
    assert found.notes == ["compose.yaml, service proxy (image traefik:3) is no part of the application that Parity runs"]


BOMB = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "no mapping with services"),
        ("text", "no mapping with services"),
        ("", "no mapping with services"),
        ("services: [a]", "no mapping with services"),
        ("services: {a: &x", "no YAML that can be read safely"),
        ("services: !!python/object/apply:os.system [ls]", "no YAML that can be read safely"),
        ("a: " + "[" * 5000, "no YAML that can be read safely"),
    ],
)
def test_a_compose_file_that_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(ParityError, match=said):
        compose.read(text, "compose.yaml", nothing)


def test_anchors_that_multiply_each_other_do_not_take_for_ever() -> None:
    found = compose.read(f"{BOMB}services: {{web: {{<<: *a11, build: ., command: {RUN}}}}}\n", "compose.yaml", nothing)
    assert [one.application for one in found.processes] == ["shop:app"]
