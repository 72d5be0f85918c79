# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb init, run as its users run it, on small applications of different shapes. Their inventories are read by Ansible itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
    "NO_COLOR": "1",
    "ANSIBLE_STDOUT_CALLBACK": "default",
}
ENVIRONMENT.pop("ANSIBLE_CONFIG", None)

SHOP = {
    "pyproject.toml": """
[project]
name = "shop"
requires-python = ">=3.12"
dependencies = ["fastapi", "celery[redis]", "asyncpg", "alembic"]
""",
    "uv.lock": "version = 1\n",
    "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
    "migrations/env.py": "",
    "migrations/script.py.mako": "",
    "src/shop/__init__.py": "",
    "src/shop/main.py": """
import os
from fastapi import FastAPI
app = FastAPI()
signing_key = os.environ["SECRET_KEY"]
database = os.environ["DATABASE_URL"]
title = os.environ["PROJECT_NAME"]
origin = os.environ["ALLOWED_ORIGIN"]
region = os.environ["REGION"]

@app.get("/healthz")
async def health(): ...

@app.get("/version")
async def version(): ...
""",
    "src/shop/tasks.py": """
import os
from celery import Celery
app = Celery("shop", broker=os.environ["REDIS_URL"])
app.conf.task_routes = {"shop.mail.*": {"queue": "mail"}, "shop.reports.*": {"queue": "reports"}}
app.conf.beat_schedule = {"nightly": {"task": "shop.tasks.nightly", "schedule": 60}}
""",
    "Dockerfile": 'FROM python:3.12\nCMD ["uvicorn", "shop.main:app", "--host", "0.0.0.0", "--port", "8000"]\n',
    "docker-compose.yml": """
x-app: &app
  build: .
  environment: {PROJECT_NAME: Shop, DATABASE_URL: "postgresql://shop:hunter2hunter2@db/shop"}
services:
  web: {<<: *app}
  worker: {<<: *app, command: celery -A shop.tasks worker -Q celery -c 4 --loglevel info}
  mailer: {<<: *app, command: "celery -A shop.tasks worker -Q mail,reports"}
  beat: {<<: *app, command: [celery, -A, shop.tasks, beat]}
  migrate: {<<: *app, command: alembic upgrade head}
  db: {image: "postgres:16", environment: {POSTGRES_PASSWORD: hunter2hunter2}}
  redis: {image: "redis:7"}
  adminer: {image: adminer}
""",
    ".env.example": "PROJECT_NAME=Shop\nSECRET_KEY=s3cr3t-value-of-somebody\nALLOWED_ORIGIN=http://localhost:3000\n",
    ".env": "REGION=RealShop\nSECRET_KEY=the-real-secret-of-shop\n",
}
ITEMS = {
    "README.md": "",
    "backend/pyproject.toml": '[project]\nname = "items"\ndependencies = ["fastapi[standard]", "sqlmodel", "psycopg[binary]", "alembic"]\n',
    "backend/uv.lock": "version = 1\n",
    "backend/alembic.ini": "[alembic]\nscript_location = app/alembic\n",
    "backend/app/alembic/env.py": "",
    "backend/app/alembic/script.py.mako": "",
    "backend/app/__init__.py": "",
    "backend/app/core/config.py": """
from pydantic import PostgresDsn, computed_field
from pydantic_core import MultiHostUrl
from pydantic_settings import BaseSettings, SettingsConfigDict

class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file="../.env")
    API_V1_STR: str = "/api/v1"
    SECRET_KEY: str = "x"
    PROJECT_NAME: str
    POSTGRES_SERVER: str
    POSTGRES_PORT: int = 5432
    POSTGRES_USER: str
    POSTGRES_PASSWORD: str = ""
    POSTGRES_DB: str = ""
    ACCESS_TOKEN_EXPIRE_MINUTES: int = 60

    @computed_field
    @property
    def SQLALCHEMY_DATABASE_URI(self) -> PostgresDsn:
        return MultiHostUrl.build(
            scheme="postgresql+psycopg", username=self.POSTGRES_USER, password=self.POSTGRES_PASSWORD,
            host=self.POSTGRES_SERVER, port=self.POSTGRES_PORT, path=self.POSTGRES_DB)

settings = Settings()
""",
    "backend/app/main.py": """
from fastapi import FastAPI
from app.api.main import api_router
from app.core.config import settings
app = FastAPI()
app.include_router(api_router, prefix=settings.API_V1_STR)
""",
    "backend/app/api/main.py": """
from fastapi import APIRouter
from app.api.routes import utils
api_router = APIRouter()
api_router.include_router(utils.router)
""",
    "backend/app/api/routes/__init__.py": "",
    "backend/app/api/routes/utils.py": """
from fastapi import APIRouter
router = APIRouter(prefix="/utils", tags=["utils"])

@router.get("/health-check/")
async def health_check() -> bool: ...
""",
    "backend/Dockerfile": 'FROM python:3.12\nCMD ["fastapi", "run", "--workers", "4", "app/main.py"]\n',
}
SITE = {
    "requirements.txt": "django==5.0\ngunicorn==22.0\ncelery==5.4\npsycopg2-binary==2.9\ndj-database-url==2.1\nredis==5.0\n",
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings.local")\n',
    "site_/__init__.py": "",
    "site_/settings/__init__.py": """
import os
import dj_database_url
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DATABASES = {"default": dj_database_url.config()}
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://localhost")
CELERY_BEAT_SCHEDULE = {"clean": {"task": "site_.clean"}}
""",
    "site_/celery.py": 'from celery import Celery\napp = Celery("site_")\n',
    "site_/wsgi.py": """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
application = get_wsgi_application()
""",
    "site_/urls.py": 'from django.urls import include, path\nurlpatterns = [path("status/", include("pages.urls"))]\n',
    "pages/urls.py": 'from django.urls import path\nfrom . import views\nurlpatterns = [path("healthz", views.healthz)]\n',
    "Procfile": """
release: python manage.py migrate
web: gunicorn site_.wsgi --bind 0.0.0.0:$PORT --timeout 90
worker: celery -A site_ worker --loglevel=info
beat: celery -A site_ beat
""",
}
PAGES = {
    "pyproject.toml": '[tool.poetry]\nname = "Pages"\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "*"\n',
    "poetry.lock": "",
    "pages/__init__.py": """
from flask import Flask

def create_app():
    app = Flask(__name__)
    from pages.views import blueprint
    app.register_blueprint(blueprint, url_prefix="/pages")

    @app.route("/ping")
    def ping(): ...
    return app
""",
    "pages/views.py": 'from flask import Blueprint\nblueprint = Blueprint("views", __name__)\n',
}
TICKER = {
    "pyproject.toml": '[project]\nname = "ticker"\ndependencies = ["httpx"]\n',
    "pylock.toml": "lock-version = '1.0'\n",
    "ticker/__init__.py": "",
    "ticker/__main__.py": "import os\nprint(os.environ['INTERVAL_SECONDS'])\n",
    "Dockerfile": "FROM python:3.12 AS build\nCMD nothing\nFROM python:3.12\nENTRYPOINT exec python -m ticker --forever\n",
    ".env.example": "INTERVAL_SECONDS=30  # how often\n",
}


def application(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(folder: Path, program: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name(program), *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT | more, capture_output=True, text=True, check=False)


def init(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "ansible-playbook", "parity.stack.init", "-e", "application=shop", "-e", "inventory=inventories/shop", *words)


def listed(folder: Path) -> tuple[dict, set[str]]:
    """Variables of every host, and the groups, as Ansible reads them: an example host is put into each group."""
    inventory = folder / "inventories/shop"
    hosts = inventory / "hosts"
    hosts.write_text(
        hosts.read_text().replace("# app1", "app1").replace("# data1", "data1").replace("# edge1", "edge1").replace("# ops1", "ops1")
    )
    done = run(folder, "ansible-inventory", "-i", str(inventory), "--list")
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    data = json.loads(done.stdout)
    return data["_meta"]["hostvars"]["app1"], set(data["all"]["children"]) - {"ungrouped"}


@pytest.mark.parametrize(
    ("files", "processes", "groups", "more"),
    [
        (
            SHOP,
            {
                "web": {"run": "uvicorn", "application": "shop.main:app", "health": "/healthz"},
                "worker": {"run": "celery", "application": "shop.tasks:app", "queues": ["celery"], "concurrency": 4},
                "mailer": {"run": "celery", "application": "shop.tasks:app", "queues": ["mail", "reports"]},
                "beat": {"run": "celery-beat", "application": "shop.tasks:app", "instances": 1},
            },
            {"api", "worker", "database", "broker", "gateway", "monitoring"},
            {
                "stack_name": "shop",
                "stack_application": "{{ inventory_dir }}/../../shop",
                "stack_application_lock": "{{ stack_application }}/uv.lock",
                "stack_application_migrations": "{{ stack_application }}/migrations",
                "stack_environment_variables": {"PROJECT_NAME": "Shop"},
                "stack_secrets": {
                    "all": {
                        "DATABASE_URL": "{{ stack_database_url }}",
                        "REDIS_URL": "{{ stack_broker_url }}",
                        "SECRET_KEY": "{{ lookup('parity.stack.secret', 'SECRET_KEY', file=stack_secrets_file) }}",
                    }
                },
            },
        ),
        (
            ITEMS,
            {"api": {"run": "uvicorn", "application": "app.main:app", "health": "/api/v1/utils/health-check/"}},
            {"api", "database", "gateway", "monitoring"},
            {
                "stack_name": "items",
                "stack_application": "{{ inventory_dir }}/../../shop/backend",
                "stack_application_lock": "{{ stack_application }}/uv.lock",
                "stack_application_migrations": "{{ stack_application }}/app/alembic",
                "stack_environment_variables": {
                    "POSTGRES_SERVER": "{{ (stack_database_url | parity.stack.connection_parts).host }}",
                    "POSTGRES_PORT": "{{ (stack_database_url | parity.stack.connection_parts).port }}",
                    "POSTGRES_USER": "{{ (stack_database_url | parity.stack.connection_parts).user }}",
                    "POSTGRES_DB": "{{ (stack_database_url | parity.stack.connection_parts).database }}",
                },
                "stack_secrets": {
                    "all": {
                        "POSTGRES_PASSWORD": "{{ (stack_database_url | parity.stack.connection_parts).password }}",
                        "SECRET_KEY": "{{ lookup('parity.stack.secret', 'SECRET_KEY', file=stack_secrets_file) }}",
                    }
                },
            },
        ),
        (
            SITE,
            {
                "web": {
                    "run": "gunicorn", "application": "site_.wsgi", "arguments": ["--timeout", "90"], "health": "/status/healthz",
                },
                "worker": {"run": "celery", "application": "site_.celery:app", "queues": ["celery"]},
                "beat": {"run": "celery-beat", "application": "site_.celery:app", "instances": 1},
            },
            {"api", "worker", "database", "broker", "gateway", "monitoring"},
            {
                "stack_name": "shop",
                "stack_application_lock": None,
                "stack_application_migrations": None,
                "stack_environment_variables": {"DJANGO_SETTINGS_MODULE": "site_.settings"},
                "stack_secrets": {
                    "all": {
                        "DATABASE_URL": "{{ stack_database_url }}",
                        "CELERY_BROKER_URL": "{{ stack_broker_url }}",
                        "DJANGO_SECRET_KEY": "{{ lookup('parity.stack.secret', 'DJANGO_SECRET_KEY', file=stack_secrets_file) }}",
                    }
                },
            },
        ),
        (
            PAGES,
            {"api": {"run": "gunicorn", "application": "pages:create_app()", "health": "/ping"}},
            {"api", "gateway", "monitoring"},
            {
                "stack_name": "pages",
                "stack_application_lock": "{{ stack_application }}/poetry.lock",
                "stack_database_url": None,
                "stack_broker_url": None,
                "stack_secrets": {},
            },
        ),
        (
            TICKER,
            {"ticker": {"run": "command", "command": ["python", "-m", "ticker", "--forever"]}},
            {"api", "worker", "monitoring"},
            {
                "stack_application_lock": "{{ stack_application }}/pylock.toml",
                "stack_environment_variables": {"INTERVAL_SECONDS": "30"},
                "stack_database_url": None,
            },
        ),
    ],
    ids=["fastapi-celery", "fastapi-parts", "django", "flask", "command"],
)  # fmt: skip
def test_init_writes_what_an_application_says_of_itself(
    tmp_path: Path, files: dict[str, str], processes: dict, groups: set[str], more: dict
) -> None:
    application(tmp_path / "shop", files)
    done = init(tmp_path)
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout + done.stderr
    texts = {path: path.read_text() for path in (tmp_path / "inventories/shop").rglob("*") if path.is_file()}
    everything = done.stdout + "".join(texts.values())
    assert not [value for value in ("hunter2", "real-secret", "s3cr3t", "RealShop") if value in everything]
    assert sum(1 for text in texts.values() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")) <= 36
    assert all(len(line) <= 160 for text in texts.values() for line in text.splitlines())
    seen, seen_groups = listed(tmp_path)
    assert seen["stack_processes"] == processes
    assert seen_groups == groups
    assert {name: seen.get(name) for name in more} == more


def test_each_finding_says_where_it_was_found_and_questions_are_asked(tmp_path: Path) -> None:
    application(tmp_path / "shop", SHOP)
    assert init(tmp_path).returncode == 0
    folder = tmp_path / "inventories/shop/group_vars/all"
    text = (folder / "application.yml").read_text()
    assert "# from docker-compose.yml, service mailer" in text
    assert "# Question: ALLOWED_ORIGIN: which value?  # from .env.example" in text
    assert "Note: docker-compose.yml, service migrate is left out" in text
    assert "Note: docker-compose.yml, service adminer (image adminer) is no part of the application" in text
    assert "stack_name: shop  # from pyproject.toml" in (folder / "stack.yml").read_text()


def test_a_second_run_changes_nothing_and_a_file_of_a_person_stays(tmp_path: Path) -> None:
    application(tmp_path / "shop", SHOP)
    assert init(tmp_path).returncode == 0
    inventory = tmp_path / "inventories/shop"
    edited = inventory / "group_vars/all/application.yml"
    edited.write_text(edited.read_text().replace("queues: [mail, reports]", "queues: [mail]"))
    (inventory / "hosts").unlink()
    before = {path: path.read_text() for path in inventory.rglob("*") if path.is_file()}
    done = init(tmp_path)
    assert done.returncode == 0 and "changed=1" in done.stdout
    assert {path: path.read_text() for path in before} == before
    assert (inventory / "hosts").exists()
    assert "-  mailer: {run: celery, application: 'shop.tasks:app', queues: [mail]}" in done.stdout
    assert "+  mailer: {run: celery, application: 'shop.tasks:app', queues: [mail, reports]}" in done.stdout
    again = init(tmp_path)
    assert "changed=0" in again.stdout and again.returncode == 0


@pytest.mark.parametrize("words", [["--check"], ["--check", "--diff"]])
def test_a_dry_run_shows_the_files_and_writes_none(tmp_path: Path, words: list[str]) -> None:
    application(tmp_path / "shop", SHOP)
    done = init(tmp_path, *words)
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout
    assert "stack_name: shop" in done.stdout
    assert not (tmp_path / "inventories").exists()


def test_the_parts_of_a_database_s_url_are_what_the_application_gets(tmp_path: Path) -> None:
    application(tmp_path / "shop", ITEMS)
    assert init(tmp_path).returncode == 0
    listed(tmp_path)
    words = ["-i", "inventories/shop", "app1", "-c", "local", "-m", "ansible.builtin.debug", "-a", "var=stack_environment_variables"]
    done = run(tmp_path, "ansible", *words, DATABASE_URL="postgresql://shop:secret@10.1.2.3:6432/items")
    assert '"POSTGRES_SERVER": "10.1.2.3"' in done.stdout and '"POSTGRES_DB": "items"' in done.stdout, done.stdout + done.stderr


def test_nothing_of_an_application_becomes_a_template(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "shop"\n',
        "Procfile": "tick: python -m shop \"{{ lookup('pipe', 'touch evaluated') }}\"\n",
        "shop/__init__.py": "",
    }
    application(tmp_path / "shop", files)
    assert init(tmp_path).returncode == 0
    listed(tmp_path)
    words = ["-i", "inventories/shop", "app1", "-c", "local", "-m", "ansible.builtin.debug", "-a", "var=stack_processes"]
    done = run(tmp_path, "ansible", *words)
    assert done.returncode == 0 and "lookup('pipe'" in done.stdout, done.stdout
    assert not list(tmp_path.rglob("evaluated"))


@pytest.mark.parametrize(
    ("make", "words", "said"),
    [
        (lambda folder: None, [], "is no directory. Name the one that holds the application"),
        (lambda folder: folder.mkdir(), [], "holds no file to read"),
        (lambda folder: folder.write_text("x"), [], "is no directory"),
        (lambda folder: application(folder, TICKER), ["-e", "application="], "Name the application's directory and the inventory to write"),
        (lambda folder: application(folder, TICKER), ["-e", "inventory=shop/pyproject.toml"], "is a file, and the inventory has to be"),
    ],
)
def test_absurd_input_gets_a_clear_answer(tmp_path: Path, make, words: list[str], said: str) -> None:
    make(tmp_path / "shop")
    done = init(tmp_path, *words)
    assert done.returncode == 2 and said in " ".join(done.stdout.split()), done.stdout
    assert "Traceback" not in done.stdout + done.stderr
