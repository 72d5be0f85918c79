# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong configuration ends the process with one line that names the variable and hides its value."""

import os
import socket
import subprocess
import sys

import pytest
from support import SECRET

GOOD = {
    "DATABASE_URL": "postgresql://app:hidden-password@db/docpipe?sslmode=verify-full",
    "BROKER_URL": "rediss://:hidden-password@broker:6379/0",
    "JWT_SECRET_KEY": SECRET,
    "STORAGE_PATH": "/srv/objects",
}


def start(module: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    arguments = {
        "api": ["uvicorn", "docpipe.api:app"],
        "worker": ["celery", "-A", "docpipe.worker:app", "worker"],
    }
    return subprocess.run(
        [sys.executable, "-m", *arguments[module]],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def load(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from docpipe.settings import load_settings; print(load_settings())"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("module", ["api", "worker"])
def test_api_and_worker_stop_with_one_line(module: str) -> None:
    result = start(module, {name: value for name, value in GOOD.items() if name != "BROKER_URL"})
    assert result.returncode == 1
    assert result.stderr == "docpipe: configuration error: BROKER_URL: is not set\n"
    assert "hidden" not in result.stdout


def test_a_worker_that_cannot_be_watched_does_not_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        watched = {
            "WORKER_METRICS_PORT": str(taken.getsockname()[1]),
            "WORKER_METRICS_ADDRESS": "127.0.0.1",
        }
        result = start("worker", {**GOOD, **watched})
    assert result.returncode == 1
    assert "docpipe: WORKER_METRICS_PORT: cannot listen there (Address already in use)" in result.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL: is not set"),
        ({"DATABASE_URL": "mysql://hidden"}, "DATABASE_URL: must start with postgresql://"),
        ({"DATABASE_URL": "postgresql://a:hidden@b/c?hidden=1"}, "DATABASE_URL: is not a valid PostgreSQL"),
        ({"BROKER_URL": "amqp://hidden"}, "BROKER_URL: must start with redis://"),
        ({"JWT_SECRET_KEY": "hidden"}, "JWT_SECRET_KEY: must be at least 32 bytes long"),
        ({"STORAGE_BACKEND": "hidden"}, "STORAGE_BACKEND: Input should be 'filesystem'"),
        ({"STORAGE_PATH": ""}, "STORAGE_PATH: required when STORAGE_BACKEND is filesystem"),
        ({"STORAGE_BACKEND": "s3"}, "S3_ACCESS_KEY_ID: required when STORAGE_BACKEND is s3"),
        ({"STORAGE_BACKEND": "supabase"}, "SUPABASE_URL: required when STORAGE_BACKEND is supabase"),
        ({"STORAGE_BUCKET": "Hidden"}, "STORAGE_BUCKET: String should match"),
        ({"SUPABASE_KEY": "sb_secret_hidden"}, "SUPABASE_KEY: must be a JWT"),
        ({"MAX_UPLOAD_BYTES": "hidden"}, "MAX_UPLOAD_BYTES: Input should be a valid integer"),
        ({"PARSER": "llamaparse"}, "LLAMAPARSE_API_KEY: required when PARSER is llamaparse"),
        ({"EMBEDDER": "openai"}, "OPENAI_API_KEY: required when EMBEDDER is openai"),
        ({"TASK_QUEUE": "hidden queue"}, "TASK_QUEUE: String should match"),
        ({"OPENAI_BASE_URL": "hidden"}, "OPENAI_BASE_URL: must start with http"),
        ({"STAGE_TIMEOUT_SECONDS": "600"}, "VISIBILITY_TIMEOUT_SECONDS: must be longer than"),
        ({"DATABASE_URL": "", "BROKER_URL": ""}, "DATABASE_URL: is not set; BROKER_URL: is not set"),
    ],
)
def test_wrong_values(changes: dict[str, str], message: str) -> None:
    result = load({**GOOD, **changes})
    assert result.returncode == 1
    assert result.stderr.startswith(f"docpipe: configuration error: {message}")
    assert result.stderr.count("\n") == 1
    assert "hidden" not in result.stderr + result.stdout


def test_good_values() -> None:
    result = load({**GOOD, "APP_SLOT": ""})
    assert result.returncode == 0, result.stderr
    assert "app_slot=None" in result.stdout
    assert "hidden" not in result.stdout and SECRET not in result.stdout
