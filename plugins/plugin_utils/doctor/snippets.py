# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that add a part to an application, by framework, and those that name it in the inventory."""

from __future__ import annotations

from dataclasses import dataclass

FRAMEWORKS = ("fastapi", "flask", "django")


@dataclass(frozen=True)
class Snippet:
    """`code` goes into the application and needs the packages of `needs`; `inventory` goes into application.yml."""

    code: str = ""
    inventory: str = ""
    needs: str = ""


def of(part: str, framework: str) -> Snippet | None:
    """What adds a part to an application of a framework; None where nobody has written that down."""
    return _ANY.get(part) or _PARTS.get((part, framework))


_VERSION = "api: {..., version: /version}"
_METRICS = "api: {..., metrics: /metrics}"
_HEALTH = "api: {..., health: /healthz}"
_SIGNED = """\
stack_jwt_secret_key: >-
  {{ lookup('parity.stack.secret', 'JWT_SECRET_KEY',
            file=stack_secrets_file) }}
stack_secrets: {all: {JWT_SECRET_KEY: "{{ stack_jwt_secret_key }}"}}"""
_PIPELINE = """\
stack_pipeline:
  submit_path: /documents
  state_path: /documents/{id}
  done: [complete]
  failed: [failed]"""

_PARTS = {
    ("version", "fastapi"): Snippet(
        """\
import os

@app.get("/version")
def version() -> dict[str, str]:
    return {"release": os.environ.get("APP_RELEASE", "")}""",
        _VERSION,
    ),
    ("version", "flask"): Snippet(
        """\
import os

@app.get("/version")
def version() -> dict[str, str]:
    return {"release": os.environ.get("APP_RELEASE", "")}""",
        _VERSION,
    ),
    ("version", "django"): Snippet(
        """\
import os
from django.http import JsonResponse

def version(request):
    release = os.environ.get("APP_RELEASE", "")
    return JsonResponse({"release": release})

# urls.py
urlpatterns += [path("version", version)]""",
        _VERSION,
    ),
    ("metrics", "fastapi"): Snippet(
        """\
from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

@app.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(),
                    media_type=CONTENT_TYPE_LATEST)""",
        _METRICS,
        "prometheus-client",
    ),
    ("metrics", "flask"): Snippet(
        """\
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

@app.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(),
                    content_type=CONTENT_TYPE_LATEST)""",
        _METRICS,
        "prometheus-client",
    ),
    ("metrics", "django"): Snippet(
        """\
from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

def metrics(request):
    return HttpResponse(generate_latest(),
                        content_type=CONTENT_TYPE_LATEST)

# urls.py
urlpatterns += [path("metrics", metrics)]""",
        _METRICS,
        "prometheus-client",
    ),
    ("health", "fastapi"): Snippet(
        """\
@app.get("/healthz")
def healthz() -> dict[str, str]:
    # Ask what it cannot work without, such as the database.
    # An exception answers 500, and the release is not promoted.
    return {"status": "ok"}""",
        _HEALTH,
    ),
    ("health", "flask"): Snippet(
        """\
@app.get("/healthz")
def healthz() -> dict[str, str]:
    # Ask what it cannot work without, such as the database.
    # An exception answers 500, and the release is not promoted.
    return {"status": "ok"}""",
        _HEALTH,
    ),
    ("health", "django"): Snippet(
        """\
from django.db import connection
from django.http import JsonResponse

def healthz(request):
    connection.ensure_connection()  # an exception answers 500
    return JsonResponse({"status": "ok"})

# urls.py; the host's own name has to be in ALLOWED_HOSTS
urlpatterns += [path("healthz", healthz)]""",
        _HEALTH,
    ),
    ("token", "fastapi"): Snippet(
        """\
import os, jwt
from fastapi import Depends, HTTPException
from fastapi.security import HTTPBearer

def user(sent=Depends(HTTPBearer())) -> str:
    try:
        return jwt.decode(sent.credentials,
                          os.environ["JWT_SECRET_KEY"],
                          algorithms=["HS256"])["sub"]
    except (jwt.InvalidTokenError, KeyError):
        raise HTTPException(401) from None""",
        _SIGNED,
        "pyjwt",
    ),
    ("token", "flask"): Snippet(
        """\
import os, jwt
from flask import abort, request

def user() -> str:
    sent = request.headers.get("Authorization", "")
    try:
        return jwt.decode(sent.removeprefix("Bearer "),
                          os.environ["JWT_SECRET_KEY"],
                          algorithms=["HS256"])["sub"]
    except (jwt.InvalidTokenError, KeyError):
        abort(401)""",
        _SIGNED,
        "pyjwt",
    ),
    ("token", "django"): Snippet(
        """\
import os, jwt

def user(request) -> str | None:  # None: the view answers 401
    sent = request.headers.get("Authorization", "")
    try:
        return jwt.decode(sent.removeprefix("Bearer "),
                          os.environ["JWT_SECRET_KEY"],
                          algorithms=["HS256"])["sub"]
    except (jwt.InvalidTokenError, KeyError):
        return None""",
        _SIGNED,
        "pyjwt",
    ),
    ("pipeline", "fastapi"): Snippet(
        """\
@app.post("/documents", status_code=202)
def submit(file: UploadFile) -> dict[str, str]:
    job = start_work(file)  # yours: hands it to the worker
    return {"id": str(job.id)}

@app.get("/documents/{id}")
def state(id: str) -> dict[str, str]:
    return {"id": id, "state": state_of(id)}  # complete or failed""",
        _PIPELINE,
        "python-multipart",
    ),
    ("pipeline", "flask"): Snippet(
        """\
@app.post("/documents")
def submit():
    job = start_work(request.files["file"])  # yours: for the worker
    return {"id": str(job.id)}, 202

@app.get("/documents/<id>")
def state(id: str):
    return {"id": id, "state": state_of(id)}  # complete or failed""",
        _PIPELINE,
    ),
    ("pipeline", "django"): Snippet(
        """\
def submit(request):  # POST, csrf_exempt where it takes tokens
    job = start_work(request.FILES["file"])  # yours: for the worker
    return JsonResponse({"id": str(job.id)}, status=202)

def state(request, id):
    state = state_of(id)  # in the end complete or failed
    return JsonResponse({"id": id, "state": state})

# urls.py
urlpatterns += [path("documents", submit),
                path("documents/<id>", state)]""",
        _PIPELINE,
    ),
}
#: What is the same for every framework.
_ANY = {
    "celery settings": Snippet(
        """\
app.conf.update(
    task_acks_late=True,  # a task is done when it has ended
    task_reject_on_worker_lost=True,  # killed: it runs again
    worker_prefetch_multiplier=1,
)
# A task may then run twice: let it see first whether its work is
# done, or write with INSERT ... ON CONFLICT DO NOTHING.""",
    ),
    "worker health": Snippet(
        """\
import os
from celery.signals import worker_init
from prometheus_client import start_http_server

@worker_init.connect
def serve_metrics(**_):
    start_http_server(int(os.environ["PORT"]), addr="127.0.0.1")""",
        "worker: {..., port: 8010, health: /metrics, metrics: /metrics}",
        "prometheus-client",
    ),
    "command health": Snippet(
        """\
import os
from prometheus_client import start_http_server

start_http_server(int(os.environ["PORT"]), addr="127.0.0.1")""",
        "NAME: {..., port: 8020, health: /metrics, metrics: /metrics}",
        "prometheus-client",
    ),
    "endpoints": Snippet(inventory='stack_endpoints: [{path: /items}, {path: "/search?q=a"}]'),
    "baseline": Snippet(inventory="stack_baseline: baselines/NAME.json  # made by the playbook baseline"),
}
