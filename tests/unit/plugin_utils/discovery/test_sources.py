# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python sources, read without running them: applications, routes, queues, variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import queues, routes, setting_classes, web
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Sources
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree


def sources(root: Path, files: dict[str, str]) -> Sources:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Sources(Tree(root))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()", [("uvicorn", "m:app", False)]),
        ("import fastapi as f\napi: f.FastAPI = f.FastAPI()", [("uvicorn", "m:api", False)]),
        ("from flask import Flask as F\nif True:\n    app = F(__name__)", [("gunicorn", "m:app", False)]),
        ("from starlette.applications import Starlette\napp = Starlette()", [("uvicorn", "m:app", False)]),
        ("from litestar import Litestar\napp = Litestar([])", [("uvicorn", "m:app", False)]),
        ("from celery import Celery\nqueue = Celery('m')", [("celery", "m:queue", False)]),
        ("from fastapi import FastAPI\nclass Shop(FastAPI): ...\napp = Shop()", [("uvicorn", "m:app", False)]),
        ("from fastapi import FastAPI\ndef make() -> FastAPI:\n    app = FastAPI()\n    return app", [("uvicorn", "m:make", True)]),
        ("from fastapi import FastAPI\ndef make():\n    return FastAPI()\napp = make()", [("uvicorn", "m:app", False)]),
        ("from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()", [("gunicorn", "m:application", False)]),
        ("class FastAPI: ...\napp = FastAPI()", []),
        ("from fastapi import FastAPI\nif __name__ == '__main__':\n    app = FastAPI()", []),
        ("from fastapi import FastAPI\ndef test():\n    app = FastAPI()", []),
    ],
)
def test_applications(tmp_path: Path, text: str, wanted: list) -> None:
    assert [(one.run, one.target, one.factory) for one in web.applications(sources(tmp_path, {"m.py": text}))] == wanted


def test_a_factory_of_another_module_makes_the_application(tmp_path: Path) -> None:
    found = web.applications(
        sources(
            tmp_path,
            {
                "src/shop/__init__.py": "from .factory import create_app",
                "src/shop/factory.py": "from flask import Flask\ndef create_app(config=None):\n    app = Flask('x')\n    return app",
                "src/shop/wsgi.py": "from shop import create_app\napp = create_app()",
            },
        )
    )
    assert [(one.target, one.factory) for one in found] == [("shop.wsgi:app", False)]


def test_sources_that_cannot_be_parsed_are_said(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("a = 1")
    (tmp_path / "bad.py").write_text("def (:\n")
    (tmp_path / "deep.py").write_text("(" * 3000)
    (tmp_path / "old.py").write_text("print 'x'\n")
    (tmp_path / "long.py").write_text("a = " + "+".join(["'x'"] * 900) + "\n")
    tree = Tree(tmp_path)
    assert [one.name for one in Sources(tree)] == ["good"]
    assert sorted(note.partition(".py")[0] for note in tree.notes) == ["bad", "deep", "long", "old"]


FASTAPI = "from fastapi import APIRouter, FastAPI\napp = FastAPI()\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"m.py": FASTAPI + "@app.get('/healthz')\ndef h(): ..."}, ["/healthz"]),
        ({"m.py": FASTAPI + "@app.post('/healthz')\ndef h(): ..."}, []),
        ({"m.py": FASTAPI + "@app.api_route('/h', methods=['GET', 'HEAD'])\ndef h(): ..."}, ["/h"]),
        ({"m.py": FASTAPI + "app.add_api_route('/h', print)"}, ["/h"]),
        ({"m.py": FASTAPI + "@app.api_route('/h', methods=['POST'])\ndef h(): ..."}, []),
        (
            {"m.py": FASTAPI + "r = APIRouter(prefix='/u')\napp.include_router(r, prefix='/v' + '1')\n@r.get('/health/')\ndef h(): ..."},
            ["/v1/u/health/"],
        ),
        (
            {
                "m.py": FASTAPI + "from api import r\nfrom c import settings\napp.include_router(r, prefix=f'{settings.PREFIX}/x')",
                "api/__init__.py": "from .routes import router as r",
                "api/routes.py": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/h')\ndef h(): ...",
                "c.py": "class Settings:\n    PREFIX: str = '/api'\nsettings = Settings()",
            },
            ["/api/x/h"],
        ),
        ({"m.py": FASTAPI + "import os\nr = APIRouter(prefix=os.environ['P'])\napp.include_router(r)\n@r.get('/h')\ndef h(): ..."}, [None]),
        ({"m.py": FASTAPI + "r = APIRouter()\n@r.get('/h')\ndef h(): ..."}, [None]),
        ({"m.py": FASTAPI + "sub = FastAPI()\napp.mount('/v2', sub)\n@sub.get('/h')\ndef h(): ..."}, ["/v2/h"]),
        ({"m.py": FASTAPI + "from prometheus_client import make_asgi_app\napp.mount('/metrics', make_asgi_app())"}, ["/metrics/"]),
        (
            {"m.py": FASTAPI + "from prometheus_fastapi_instrumentator import Instrumentator\nInstrumentator().expose(app)"},
            ["/metrics"],
        ),
        ({"m.py": FASTAPI + "def add(application):\n    @application.get('/h')\n    def h(): ..."}, ["/h"]),
        (
            {"m.py": "from flask import Blueprint, Flask\nb = Blueprint('b', __name__, url_prefix='/old')\n@b.route('/h')\ndef h(): ...\n"
                     "app = Flask('x')\napp.register_blueprint(b, url_prefix='/new')"},
            ["/new/h"],
        ),
        ({"m.py": "from starlette.routing import Route\nroutes = [Route('/h', print)]"}, ["/h"]),
        ({"m.py": "from litestar import get\n@get('/h')\nasync def h(): ..."}, ["/h"]),
        ({"m.py": "from litestar import get, Router\n@get('/h')\nasync def h(): ...\nr = Router(path='/api', route_handlers=[h])"}, [None]),
        (
            {
                "site/urls.py": "from django.urls import include, path\nurlpatterns = [path('a/', include('p.urls')), path('h', print)]",
                "p/urls.py": "from django.urls import re_path\nurlpatterns = [re_path('^b$', print)]",
            },
            ["/a/b", "/h"],
        ),
        ({"urls.py": "from django.urls import include, path\nurlpatterns = [path('ht/', include('health_check.urls'))]"}, ["/ht/"]),
        (
            {"m.py": FASTAPI + "a = APIRouter()\nb = APIRouter()\na.include_router(b)\nb.include_router(a)\n@a.get('/h')\ndef h(): ..."},
            [None],
        ),
    ],
)  # fmt: skip
def test_routes_with_their_prefixes(tmp_path: Path, files: dict[str, str], wanted: list) -> None:
    found, _included = routes.read(sources(tmp_path, files))
    assert sorted({one.path for one in found}, key=str) == wanted


CELERY = "import os\nfrom celery import Celery\napp = Celery('m')\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("app.conf.task_routes = {'a': {'queue': 'mail'}, 'b.*': {'queue': 'slow', 'x': 1}}", {"mail", "slow"}),
        ("app.conf.update(task_routes={'a': {'queue': 'mail'}})", {"mail"}),
        ("app.conf.update({'task_routes': {'a': {'queue': 'mail'}}})", {"mail"}),
        ("from kombu import Queue\napp.conf.task_queues = (Queue('a'), Queue(name='b'))", {"a", "b"}),
        ("@app.task(queue='mail')\ndef f(): ...\nf.apply_async(queue='now')", {"mail", "now"}),
        ("app.conf.task_default_queue = 'main'", {"main"}),
        ("print(queue='no')", set()),
    ],
)
def test_queues(tmp_path: Path, text: str, names: set[str]) -> None:
    assert set(queues.read(sources(tmp_path, {"m.py": CELERY + text})).queues) == names


@pytest.mark.parametrize(
    ("text", "scheduled", "broker", "questions"),
    [
        ("app.conf.beat_schedule = {'a': {}}", True, [], 0),
        ("app.conf.beat_schedule = {}", False, [], 0),
        ("app.add_periodic_task(1, f)", True, [], 0),
        ("INSTALLED_APPS = ['django_celery_beat']", True, [], 0),
        ("CELERY_BROKER_URL = os.environ.get('QUEUE_AT', 'redis://x')", False, ["QUEUE_AT"], 0),
        ("app.conf.broker_url = settings.celery_broker", False, ["CELERY_BROKER"], 0),
        ("app.conf.task_routes = routes()", False, [], 1),
        ("app.conf.task_default_queue = name()", False, [], 1),
    ],
)
def test_schedule_and_broker(tmp_path: Path, text: str, scheduled: bool, broker: list[str], questions: int) -> None:
    found = queues.read(sources(tmp_path, {"m.py": CELERY + text}))
    assert (bool(found.beat), list(found.broker), len(found.questions)) == (scheduled, broker, questions)


def test_without_celery_nothing_is_a_queue(tmp_path: Path) -> None:
    assert queues.read(sources(tmp_path, {"m.py": "send_task(queue='mail')\nbeat_schedule = {1: 2}"})) == queues.Celery()


PYDANTIC = "from pydantic import Field, PostgresDsn, SecretStr\nfrom pydantic_settings import BaseSettings, SettingsConfigDict\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "import os\na = os.environ['A']\nb = os.getenv('B')\nc = os.environ.get('C', 1)\nos.environ['D'] = 'x'",
            {"A": True, "B": False, "C": False},
        ),
        ("from os import environ as e\na = e['A']", {"A": True}),
        ("from decouple import config\na = config('A')\nb = config('B', default=1)", {"A": True, "B": False}),
        ("import environ\nenv = environ.Env()\na = env.str('A')\nb = env('B', default='x')", {"A": True, "B": False}),
        ("import dj_database_url\nd = dj_database_url.config()", {"DATABASE_URL": False}),
        (
            PYDANTIC + "class S(BaseSettings):\n    name: str\n    port: int = 1\n    key: SecretStr = Field(...)",
            {"NAME": True, "PORT": False, "KEY": True},
        ),
        (
            PYDANTIC + "class S(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='SHOP_')\n    name: str",
            {"SHOP_NAME": True},
        ),
        (PYDANTIC + "class S(BaseSettings):\n    name: str = Field(validation_alias='SHOP')", {"SHOP": True}),
        (PYDANTIC + "class B(BaseSettings): ...\nclass S(B):\n    name: str = Field(default='x')", {"NAME": False}),
        ("class S:\n    name: str", {}),
    ],
)
def test_variables_that_sources_read(tmp_path: Path, text: str, wanted: dict[str, bool]) -> None:
    found = setting_classes.read(sources(tmp_path, {"m.py": text}))
    assert {name: one.required for name, one in found.variables.items()} == wanted


FIELDS = PYDANTIC + "class S(BaseSettings):\n    db_user: str\n    db_password: str\n    db_host: str\n    db_port: int\n    db_name: str\n"


@pytest.mark.parametrize(
    ("text", "parts", "scheme"),
    [
        (
            FIELDS + "    def url(self):\n        return PostgresDsn.build(scheme='postgresql+asyncpg', username=self.db_user, "
            "password=self.db_password, host=self.db_host, port=self.db_port, path=f'/{self.db_name}')",
            ["database:DB_NAME", "host:DB_HOST", "password:DB_PASSWORD", "port:DB_PORT", "user:DB_USER"],
            "postgresql+asyncpg",
        ),
        (
            FIELDS + "    def url(self):\n        return f'postgresql://{self.db_user}:{self.db_password}@{self.db_host}/{self.db_name}'",
            ["database:DB_NAME", "host:DB_HOST", "password:DB_PASSWORD", "user:DB_USER"],
            "postgresql",
        ),
        (
            FIELDS
            + "    def url(self):\n        return URL.create('mysql', user=self.db_user, password=self.db_password, host=self.db_host)",
            [],
            "",
        ),
        (FIELDS + "    def url(self):\n        return f'redis://{self.db_user}:{self.db_password}@{self.db_host}/0'", [], ""),
        (
            "import os\nD = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['N'], 'HOST': os.getenv('H')}}",
            ["database:N", "host:H"],
            "postgresql",
        ),
        ("import os\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.environ['N']}}", [], ""),
    ],
)
def test_a_database_s_url_from_parts(tmp_path: Path, text: str, parts: list[str], scheme: str) -> None:
    found = setting_classes.read(sources(tmp_path, {"m.py": text}))
    assert sorted(f"{part}:{name}" for part, name in found.parts.items()) == parts
    assert found.scheme == scheme
