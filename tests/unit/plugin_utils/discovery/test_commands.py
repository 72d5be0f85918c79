# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines and the processes they are."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import commands


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("uvicorn shop.main:app --host 0.0.0.0 --port $PORT", {"run": "uvicorn", "application": "shop.main:app"}),
        (
            ["uvicorn", "shop:make", "--factory", "--root-path", "/v1"],
            {"application": "shop:make", "arguments": ["--factory", "--root-path", "/v1"]},
        ),
        (
            "gunicorn shop.wsgi -w 4 -b :8000 --timeout=90",
            {"run": "gunicorn", "application": "shop.wsgi", "arguments": ["--timeout", "90"]},
        ),
        ("gunicorn 'shop:create_app()'", {"run": "gunicorn", "application": "shop:create_app()"}),
        ("gunicorn -k uvicorn.workers.UvicornWorker shop.main:app", {"run": "uvicorn", "application": "shop.main:app", "arguments": []}),
        ("python -m uvicorn shop.main:app", {"run": "uvicorn", "application": "shop.main:app"}),
        ("/opt/venv/bin/python3.12 -u -m celery -A shop worker", {"run": "celery", "application": "shop"}),
        ("exec uv run --no-dev uvicorn shop.main:app", {"run": "uvicorn", "application": "shop.main:app"}),
        ("poetry run celery --app=shop worker -Q a,b -c4", {"run": "celery", "queues": ["a", "b"], "concurrency": 4}),
        ("DEBUG=0 env A=b celery -A shop worker --queues a -B", {"run": "celery", "queues": ["a"], "with_beat": True}),
        ("celery -A shop worker -P solo", {"arguments": ["-P", "solo"]}),
        ("celery -A shop beat -S redbeat.RedBeatScheduler", {"run": "celery-beat", "arguments": ["-S", "redbeat.RedBeatScheduler"]}),
        ("celery -A shop worker -Q ${QUEUES:-a,b}", {"queues": ["a", "b"]}),
        ("alembic upgrade head && uvicorn shop.main:app", {"run": "uvicorn", "application": "shop.main:app"}),
        (["sh", "-c", "python manage.py migrate; exec gunicorn shop.wsgi"], {"run": "gunicorn", "application": "shop.wsgi"}),
        ("bash -lc 'celery -A shop worker'", {"run": "celery"}),
        ("dumb-init -- uvicorn shop.main:app", {"run": "uvicorn"}),
        ("fastapi run --workers 4 app/main.py", {"run": "uvicorn", "application": "app.main:app"}),
        ("fastapi run src/shop/main.py --app api", {"application": "shop.main:api"}),
        ("litestar run --host 0.0.0.0", {"run": "uvicorn", "application": "", "arguments": []}),
        ("uv run litestar --app shop.main:app run -p 80", {"run": "uvicorn", "application": "shop.main:app"}),
        ("litestar users create", {"run": "command", "command": ["litestar", "users", "create"]}),
        ("daphne -b 0.0.0.0 shop.asgi:application", {"run": "uvicorn", "application": "shop.asgi:application"}),
        ("python manage.py runserver 0.0.0.0:8000", {"run": "gunicorn", "application": ""}),
        ("python manage.py consume --fast", {"run": "command", "command": ["python", "manage.py", "consume", "--fast"]}),
        ("flask --app shop run", {"run": "gunicorn", "application": "shop"}),
        ("python -m shop.ticker", {"run": "command", "command": ["python", "-m", "shop.ticker"]}),
        ("shop-consumer --all", {"run": "command", "command": ["shop-consumer", "--all"]}),
    ],
)
def test_a_command_is_a_process(command: object, wanted: dict) -> None:
    process, why = commands.process_of(command, "one", "Procfile, one")
    assert process is not None, why
    assert {name: getattr(process, name) for name in wanted} == wanted
    assert (process.name, process.where) == ("one", "Procfile, one")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("uvicorn 'shop", "cannot be read as words"),
        ("alembic upgrade head", "runs once"),
        ("python manage.py migrate --noinput", "runs once"),
        ("", "runs once"),
        ("./start.sh", "the script ./start.sh"),
        ("bash scripts/prestart.sh", "the script scripts/prestart.sh"),
        ("celery -A shop flower", "celery flower is no process"),
        ("uvicorn --port 80", "names no module:object"),
        ("gunicorn -c gunicorn.conf.py", "names no application"),
        ("worker --name $NAME", "variables that only a shell expands"),
        ("python", "without a program"),
        ("nginx -g 'daemon off;'", "no program of a Python release"),
    ],
)
def test_what_is_not_recognised_is_said(command: str, why: str) -> None:
    process, said = commands.process_of(command, "one", "x")
    assert process is None and why in said


@pytest.mark.parametrize(
    ("command", "note"),
    [
        ("uvicorn shop:app --limit-concurrency 5", "left out: --limit-concurrency"),
        ("flask run", "server for development"),
        ("hypercorn shop:app", "hypercorn runs it there"),
        ("gunicorn shop:app --statsd-host x", "--statsd-host"),
    ],
)
def test_what_is_not_taken_over_is_a_note(command: str, note: str) -> None:
    process, _why = commands.process_of(command, "one", "x")
    assert process is not None and note in " ".join(process.notes)


def test_queues_that_variables_name_are_a_question() -> None:
    process, _why = commands.process_of("celery -A shop worker -Q $QUEUES", "one", "x")
    assert process is not None and process.queues == [] and "which queues?" in process.questions[0]
