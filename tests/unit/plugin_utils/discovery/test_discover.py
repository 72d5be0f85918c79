# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name, dependencies, lock and migrations of a project; one list of processes; the whole of an application."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import discover, processes, project, render
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Found, Process
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree

HASHED = "six==1.0 --hash=sha256:0\n"
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
LITESTAR = "from litestar import Litestar\napp = Litestar([])\n"


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def value(found) -> str | None:
    return found.value if found else None


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"pyproject.toml": '[project]\nname = "a"\n', "uv.lock": "", "poetry.lock": ""}, ("", "a", "uv.lock")),
        ({"pyproject.toml": '[tool.poetry]\nname = "a"\n', "poetry.lock": ""}, ("", "a", "poetry.lock")),
        ({"requirements.txt": HASHED}, ("", None, "requirements.txt")),
        ({"requirements.txt": "six\n", "requirements-dev.txt": HASHED}, ("", None, None)),
        ({"requirements/base.txt": "six\n", "requirements/prod.txt": HASHED, "manage.py": ""}, ("", None, "requirements/prod.txt")),
        ({"backend/pyproject.toml": '[project]\nname = "b"\n', "uv.lock": "", "package.json": ""}, ("backend", "b", "uv.lock")),
        ({"a/pyproject.toml": "", "b/pyproject.toml": ""}, ("", None, None)),
        (
            {"pyproject.toml": "[tool.uv.workspace]\nmembers = ['api']\n", "api/pyproject.toml": '[project]\nname = "c"\n', "uv.lock": ""},
            ("api", "c", "uv.lock"),
        ),
        ({"pyproject.toml": "not toml", "x.py": ""}, ("", None, None)),
        ({"pyproject.toml": "project = 1\n[tool]\npoetry = 'x'\n"}, ("", None, None)),
    ],
)
def test_a_project(tmp_path: Path, files: dict[str, str], wanted: tuple) -> None:
    found = project.read(Tree(put(tmp_path, files)))
    assert (found.directory, value(found.name), value(found.lock)) == wanted
    assert bool(found.lock) != any("a release needs one" in question for question in found.questions)


def test_several_projects_and_toml_that_is_none_are_said(tmp_path: Path) -> None:
    tree = Tree(put(tmp_path, {"a/pyproject.toml": "x", "b/pyproject.toml": ""}))
    project.read(tree)
    assert "several Python projects were found (a, b)" in tree.notes[0]
    tree = Tree(put(tmp_path / "a", {}))
    project.read(tree)
    assert "pyproject.toml was not read: it is no TOML" in tree.notes[0]


def test_dependencies_are_normalised(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[project]\ndependencies = ["Celery[redis, sqs]>=5", "A_b.c ; python_version > \'3\'", 3]\n',
        "requirements.txt": "# x\n-r other.txt\nDjango==5\n",
    }
    assert project.read(Tree(put(tmp_path, files))).dependencies == {"celery", "celery[redis]", "celery[sqs]", "a-b-c", "django"}


ENV = {"env.py": "", "script.py.mako": ""}


@pytest.mark.parametrize(
    ("files", "wanted", "questions"),
    [
        ({"alembic.ini": "[alembic]\nscript_location = alembic\n", "alembic/env.py": ""}, "alembic", 0),
        ({"alembic.ini": "[alembic]\nscript_location = %(here)s/db/m\n", "db/m/env.py": ""}, "db/m", 0),
        ({"alembic.ini": "[alembic]\nscript_location = shop:migrations\n", "src/shop/migrations/env.py": ""}, "src/shop/migrations", 0),
        ({"a/alembic.ini": "[alembic]\nscript_location = ./m\n", "a/m/env.py": ""}, "a/m", 0),
        ({"migrations/env.py": "", "migrations/script.py.mako": "", "migrations/alembic.ini": "[alembic]\n"}, "migrations", 0),
        ({"pyproject.toml": "[tool.alembic]\nscript_location = 'm'\n", "m/env.py": ""}, "m", 0),
        ({"alembic.ini": "no ini", "a.py": ""}, None, 0),
        ({"alembic.ini": "[alembic]\nscript_location = gone\n"}, None, 0),
        ({"supabase/migrations/1_a.sql": "", "other/migrations/1_a.sql": ""}, "supabase/migrations", 1),
        ({"queries/a.sql": ""}, None, 0),
    ],
)
def test_migrations(tmp_path: Path, files: dict[str, str], wanted: str | None, questions: int) -> None:
    tree = Tree(put(tmp_path, files))
    found = project.read(tree)
    assert value(found.migrations) == wanted
    assert sum("migrations may also be" in question for question in found.questions) == questions
    assert wanted or not any("alembic.ini" in name for name in files) or any("alembic.ini" in note for note in tree.notes)


def test_migrations_that_only_another_program_runs_are_a_question(tmp_path: Path) -> None:
    files = {"db/alembic.ini": "[alembic]\nscript_location = migrations", "db/migrations/env.py": "config: AlembicCommandConfig = 1"}
    found = project.read(Tree(put(tmp_path, files)))
    assert found.migrations is None
    assert any("db/migrations/env.py works inside the commands of advanced-alchemy" in question for question in found.questions)


def test_the_source_nearest_to_production_is_taken_and_the_other_is_said() -> None:
    first = [Process("web", "gunicorn", "Procfile, web", application="a:app"), Process("w", "celery", "Procfile, w", application="a.t")]
    second = [
        Process("api", "gunicorn", "compose.yaml, service api", application="a:app"),
        Process("mail", "celery", "compose.yaml, service mail", application="a.t2"),
        Process("tick", "command", "compose.yaml, service tick", command=["a"]),
    ]
    kept, notes = processes.merged([first, second])
    assert [(one.name, one.where) for one in kept] == [
        ("web", "Procfile, web; compose.yaml, service api"), ("w", "Procfile, w"), ("tick", "compose.yaml, service tick"),
    ]  # fmt: skip
    assert notes == ["compose.yaml, service mail says something else than Procfile, w, which was taken"]


@pytest.mark.parametrize(
    ("files", "wanted", "said"),
    [
        ({"m.py": FASTAPI}, [("api", "m:app", [])], "health: which path answers 200"),
        ({"m.py": FASTAPI + "from celery import Celery\nq = Celery()\n@q.task(queue='mail')\ndef f(): ..."},
         [("api", "m:app", []), ("worker", "m:q", ["celery", "mail"])], ""),
        ({"m.py": "from celery import Celery\nq = Celery()\n@q.task(queue='mail')\ndef f(): ...", "Procfile": "w: celery -A m worker -Q a"},
         [("w", "m:q", ["a"])], "Add them to its queues: mail (m.py, line 3)"),
        ({"m.py": "from celery import Celery\nq = Celery()", "Procfile": "w: celery -A m worker -B"},
         [("w", "m:q", ["celery"]), ("beat", "m:q", [])], ""),
        ({"a.py": FASTAPI, "main.py": FASTAPI}, [("api", "main:app", [])], "a:app (a.py, line 2)"),
        ({"Procfile": "web: uvicorn gone.main:app"}, [("web", "gone.main:app", [])], "gone.main is not among the sources"),
        ({"m.py": FASTAPI + "@app.get('/items/{a}')\n@app.get('/login')\n@app.get('/')\ndef f(): ..."},
         [("api", "m:app", [])], "None was found (it answers /, /login); write health"),
        ({"app.py": LITESTAR, "Dockerfile": 'CMD ["litestar", "run"]'}, [("api", "app:app", [])], "health: which path"),
        ({"Procfile": "w: celery -A m.gone worker"}, [("w", "m.gone", [])], "m.gone is not among the sources"),
        ({"m.py": "from sanic import Sanic\napp = Sanic('x')"}, [], "sanic.Sanic in m.py, line 2"),
        ({"README.md": "x"}, [], "no process was recognised"),
        ({"m.py": "from fastapi import FastAPI\ndef make(config):\n    return FastAPI()\n"}, [("api", "m:make", [])], "without arguments"),
        ({"shop/__main__.py": "", "shop/__init__.py": ""}, [("shop", "", [])], ""),
        ({"Procfile": "My-Worker: celery -A m worker\n9: celery -A m worker -Q x", "m.py": "from celery import Celery\nq = Celery()"},
         [("my_worker", "m:q", ["celery"]), ("p_9", "m:q", ["x"])], ""),
        ({"a/Dockerfile": "CMD web", "Dockerfile": "CMD uvicorn m:app", "m.py": FASTAPI}, [("api", "m:app", [])], ""),
        ({"frontend/Dockerfile": "CMD serve-all", "m.py": ""}, [], "no process was recognised"),
        ({"compose.yaml": "- x", "m.py": ""}, [], "compose.yaml was not read: it is no mapping"),
        ({"compose.deploy.yaml": "services: {a: {build: ., command: uvicorn m:app}}", "m.py": FASTAPI}, [("a", "m:app", [])], ""),
        ({"compose.dev.yaml": "services: {}", "m.py": ""}, [], "compose.dev.yaml was not read"),
    ],
)  # fmt: skip
def test_processes_of_an_application(tmp_path: Path, files: dict[str, str], wanted: list, said: str) -> None:
    found = discover.application(put(tmp_path, files))
    assert [(one.name, one.application, one.queues) for one in found.processes] == wanted
    assert said in "\n".join(found.questions + found.notes + [question for one in found.processes for question in one.questions])


def test_celery_takes_a_dot_before_its_object(tmp_path: Path) -> None:
    procfile = "w: celery -A make.celery worker\nb: celery -A make.celery beat"
    found = discover.application(put(tmp_path, {"Procfile": procfile, "make.py": "from x import build\ncelery = build()"}))
    assert [(one.name, one.application, one.questions) for one in found.processes] == [("w", "make.celery", []), ("b", "make.celery", [])]


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("os.environ.get('APP_ENV', 'development')", True),
        ("os.getenv('DEBUG', default=True)", True),
        ("class S(BaseSettings):\n    env: Env = Env.DEVELOPMENT", True),
        ("class S(BaseSettings):\n    debug: bool = Field(default=True)", True),
        ("os.environ.get('APP_ENV', 'production')", False),
        ("os.environ.get('DEBUG', False)", False),
        ("os.environ.get('APP_ENV')", False),
        ("os.environ.get('LOG_LEVEL', 'debug')", False),
    ],
)
def test_a_default_for_development_is_a_question(tmp_path: Path, source: str, asked: bool) -> None:
    found = discover.application(put(tmp_path, {"m.py": f"import os\nfrom pydantic_settings import BaseSettings\n{source}\n"}))
    assert [one.value for one in found.variables.values()] == ([None] if asked else [])
    assert all("where its default is" in one.where for one in found.variables.values())


def test_what_tests_read_never_gets_a_server_of_production(tmp_path: Path) -> None:
    fields = "database_url: str\n    test_database_url: str\n    test_redis_url: str\n    test_dsn: PostgresDsn\n"
    files = {"s.py": f"from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    {fields}"}
    found = discover.application(put(tmp_path, files))
    assert {name: one.value for name, one in found.secrets.items()} == {
        "DATABASE_URL": "database", "TEST_DATABASE_URL": "secret", "TEST_REDIS_URL": "secret", "TEST_DSN": "secret",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "value"),
    [
        ({"wsgi.py": "shop.settings.production", "manage.py": "shop.settings.local"}, "shop.settings.production"),
        ({"celery.py": "shop.settings.local", "wsgi.py": "shop.settings"}, "shop.settings"),
        ({"celery.py": "shop.settings.local"}, None),
    ],
)
def test_settings_of_django_are_never_those_of_a_developer_s_machine(tmp_path: Path, files: dict[str, str], value: str | None) -> None:
    text = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', '{}')\n"
    found = discover.application(put(tmp_path, {name: text.format(module) for name, module in files.items()}))
    assert found.variables["DJANGO_SETTINGS_MODULE"].value == value


CELERY = "import os\nfrom celery import Celery\nq = Celery(broker=os.environ['Q'])\n"


@pytest.mark.parametrize(
    ("files", "database", "broker", "said"),
    [
        ({"pyproject.toml": '[project]\ndependencies = ["asyncpg"]'}, True, None, "which variable gives the application its database"),
        ({"a.py": "import os\nos.environ['DATABASE_URL']", ".env": "DATABASE_URL=sqlite:///x"}, False, None, "the database is sqlite"),
        (
            {
                "a.py": "import os\nos.environ['DATABASE_URL']",
                ".env.example": "DATABASE_URL=sqlite:///x",
                "requirements.txt": "psycopg2==2",
            },
            True,
            None,
            "the example's database is sqlite; the dependency psycopg2 says",
        ),
        (
            {"compose.yaml": "services: {db: {image: mysql}}"},
            False,
            None,
            "compose.yaml, service db is a database that Parity does not run",
        ),
        ({"m.py": CELERY, "compose.yaml": "services: {r: {image: rabbitmq}}"}, False, "amqp", ""),
        ({"m.py": CELERY, ".env.example": "Q=redis://x"}, False, "redis", ""),
        ({"m.py": CELERY}, False, "", "is the broker Redis or RabbitMQ"),
        ({"m.py": "from celery import Celery\nq = Celery()"}, False, "", "which variable gives the application its broker"),
        ({"m.py": CELERY, "compose.yaml": "services: {a: {image: rabbitmq}, b: {image: redis}}"}, False, "amqp", "Parity runs one of them"),
        ({"m.py": "import os\nos.environ['REDIS_HOST']\nos.environ['REDIS_PASSWORD']"}, False, "", "Redis or RabbitMQ"),
        ({"a.py": "print()"}, False, None, ""),
    ],
)
def test_database_and_broker(tmp_path: Path, files: dict[str, str], database: bool, broker: str | None, said: str) -> None:
    found = discover.application(put(tmp_path, files))
    assert (found.database is not None, value(found.broker)) == (database, broker)
    assert said in "\n".join(found.questions + found.notes)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("os.environ['REGION']", ".env"),
        ("os.environ.get('REGION', 'x')", ".env; the sources have a default"),
        ("", ".env"),
    ],
)
def test_a_question_says_whether_the_sources_have_a_default(tmp_path: Path, source: str, where: str) -> None:
    found = discover.application(put(tmp_path, {"m.py": f"import os\n{source}\n", ".env": "REGION=x\n"}))
    assert (found.variables["REGION"].value, found.variables["REGION"].where) == (None, where)


def test_no_file_s_text_leaves_its_line_of_an_inventory(tmp_path: Path) -> None:
    """Names in an application may hold line breaks, quotes and braces: the files stay what they are."""
    text = """
services:
  "x\\nstack_name: stolen\\n# {{ 1 }}": {build: ., command: [a, "{{ 1 }}", "b\\nc: d"]}
  "n\\nstack_name: stolen": {image: x}
"""
    pyproject = '[project]\nname = "Shop\\nstack_name: stolen"\nrequires-python = "3\\nstack_application: stolen"\n'
    files = {"pyproject.toml": pyproject, "compose.yaml": text}
    texts = render.files(discover.application(put(tmp_path / "shop", files)), tmp_path / "inventories/shop")
    for name, text in texts.items():
        data = yaml.load(text.replace("!unsafe", ""), Loader=yaml.SafeLoader) if name.endswith(".yml") else {}
        assert "stolen" not in [data.get("stack_name"), data.get("stack_application")]
        assert all(key.startswith("stack_") for key in data)
    assert "!unsafe '{{ 1 }}'" in texts["group_vars/all/application.yml"]


@pytest.mark.parametrize(
    ("directory", "name", "written"),
    [
        ("", "uv.lock", '"{{ stack_application }}/uv.lock"'),
        ("", "app/alembic", '"{{ stack_application }}/app/alembic"'),
        ("backend", "backend/uv.lock", '"{{ stack_application }}/uv.lock"'),
        ("backend", "uv.lock", '"{{ inventory_dir }}/../../shop/uv.lock"'),
        ("backend", "backend-2/uv.lock", '"{{ inventory_dir }}/../../shop/backend-2/uv.lock"'),
        ("backend", "backend", '"{{ stack_application }}"'),
        ("", "", '"{{ stack_application }}"'),
        ("", "{{ 1 }}/uv.lock", "!unsafe '{root}/{{ 1 }}/uv.lock'"),
    ],
)
def test_a_part_of_the_application_is_written_below_it(tmp_path: Path, directory: str, name: str, written: str) -> None:
    found = discover.application(put(tmp_path / "shop", {"pyproject.toml": '[project]\nname = "shop"\n'}))
    found.project.directory, found.project.lock = directory, Found(name, "a test")
    text = render.files(found, tmp_path / "inventories/shop")["group_vars/all/stack.yml"]
    assert f"stack_application_lock: {written.replace('{root}', str(tmp_path / 'shop'))}" in text


DJANGO = {"manage.py": "", "requirements.txt": "Django==5\npsycopg==3\n", "shop/migrations/0001_initial.py": ""}
FROM_ENVIRONMENT = "import os\nSTATIC_ROOT = os.environ.get('ROOT', 'x')\n"


@pytest.mark.parametrize(
    ("files", "build", "variable", "migrations", "said"),
    [
        (DJANGO | {"s.py": FROM_ENVIRONMENT}, True, "{build}", True, ""),
        (DJANGO | {"s.py": "STATIC_ROOT = '/srv/static'\n"}, False, None, True, "(s.py, line 1) comes from no environment variable"),
        (DJANGO | {"s.py": ""}, False, None, True, ""),
        ({**DJANGO, "requirements.txt": "Django==5\n", "s.py": FROM_ENVIRONMENT}, True, "{build}", False, ""),
        ({"requirements.txt": "psycopg==3\n", "s.py": FROM_ENVIRONMENT, "shop/migrations/0001_a.py": ""}, False, None, False, ""),
    ],
)
def test_what_django_needs(
    tmp_path: Path, files: dict[str, str], build: bool, variable: str | None, migrations: bool, said: str
) -> None:
    found = discover.application(put(tmp_path, files))
    assert bool(found.build) is build and value(found.variables.get("ROOT")) == variable and "ROOT" not in (found.optional if build else [])
    assert bool(found.project.migrations) is migrations
    assert said in "\n".join(found.questions)
    text = render.files(found, tmp_path / "inventory")
    given = yaml.safe_load(text["group_vars/all/application.yml"])
    assert (given.get("stack_build_commands") == [["python", "-m", "django", "collectstatic", "--noinput"]]) is build
    assert ("stack_application_migrations" in text["group_vars/all/stack.yml"]) is migrations
