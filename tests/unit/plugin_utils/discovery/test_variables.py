# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of variables, and what of an example file may be shown."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import variables


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("SECRET_KEY", True), ("POSTGRES_PASSWORD", True), ("OPENAI_API_KEY", True), ("SENTRY_DSN", True), ("JWT_SECRET", True),
        ("DATABASE_URL", True), ("REDIS_URL", True), ("SLACK_WEBHOOK_URL", True), ("AWS_ACCESS_KEY_ID", True), ("FERNET_KEYS", True),
        ("smtp_password", True), ("PROJECT_NAME", False), ("ACCESS_TOKEN_EXPIRE_MINUTES", False), ("JWT_ALGORITHM", False),
        ("CACHE_REDIS_URL", True), ("TEST_DATABASE_URL", True), ("PUBLIC_DATA_AWS_SECRET_ACCESS_KEY", True), ("STRIPE_PUBLIC_KEY", False),
        ("NEXT_PUBLIC_API_KEY", False),
        ("MAX_TOKENS", False), ("PUBLIC_KEY", False), ("KEYBOARD", False), ("SECRET_NAME", False), ("PASSWORD_MIN_LENGTH", False),
    ],
)  # fmt: skip
def test_which_names_are_secrets(name: str, secret: bool) -> None:
    assert variables.is_secret(name) is secret


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PROJECT_NAME", "Shop", "Shop"),
        ("PROJECT_NAME", '"My shop"  # its name', "My shop"),
        ("LEVEL", "INFO", "INFO"),
        ("SECRET_KEY", "abc", ""),
        ("PROJECT_NAME", "", ""),
        ("PROJECT_NAME", "changethis", ""),
        ("OKTA_CLIENT_ID", "your-okta-client-id", ""),
        ("COMPANY_NAME", "Your Company Name", ""),
        ("ISSUER", "https://yourdomain.okta.com/oauth2", ""),
        ("COMPANY_NAME", "Yours truly", "Yours truly"),
        ("ENDPOINT", "https://user:hunter2@host/x", ""),
        ("THING", "sk-abcdefgh12345678", ""),
        ("THING", "4f3c2b1a4f3c2b1a4f3c2b1a", ""),
        ("THING", "{{ lookup('pipe', 'id') }}", ""),
        ("THING", "${OTHER}", ""),
    ],
)
def test_only_a_harmless_value_is_shown(name: str, value: str, shown: str) -> None:
    assert variables.harmless(name, value) == shown


def test_a_file_gives_names_and_values_only_where_it_is_an_example() -> None:
    text = "# A=1\nexport PROJECT_NAME=Shop\nDATABASE_URL='postgresql+asyncpg://a:b@c/d'\nnot a line\n"
    assert variables.read(text, values=True) == {"PROJECT_NAME": "Shop", "DATABASE_URL": ""}
    assert variables.read(text, values=False) == {"PROJECT_NAME": "", "DATABASE_URL": ""}
    assert variables.schemes(text) == {"DATABASE_URL": "postgresql+asyncpg"}


@pytest.mark.parametrize(
    ("file", "example", "real"),
    [
        (".env.example", True, False), (".env.sample", True, False), ("env.template", True, False), ("a/.env.prod.example", True, False),
        (".env-example", True, False), ("example.env", True, False), (".env", False, True), (".env.production", False, True),
        ("prod.env", False, True), ("environment.py", False, False),
    ],
)  # fmt: skip
def test_which_files_are_examples(file: str, example: bool, real: bool) -> None:
    assert (variables.is_example(file), variables.is_real(file)) == (example, real)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("POSTGRES_SERVER", "host"), ("DB_HOST", "host"), ("PGHOST", "host"), ("APP_DB_PORT", "port"), ("POSTGRES_DB", "database"),
        ("DATABASE_NAME", "database"), ("DB_PASSWORD", "password"), ("PGUSER", "user"), ("DATABASE_URL", ""), ("DB_POOL_SIZE", ""),
        ("TEST_DB_HOST", ""), ("LATEST_DB_HOST", "host"),
    ],
)  # fmt: skip
def test_parts_of_a_database_s_url(name: str, part: str) -> None:
    assert variables.database_part(name) == part


@pytest.mark.parametrize(
    ("name", "database", "broker"),
    [
        ("DATABASE_URL", True, False), ("SQLALCHEMY_DATABASE_URI", True, False), ("DB_DSN", True, False), ("POSTGRES_URL", True, False),
        ("CELERY_BROKER_URL", False, True), ("REDIS_URL", False, True), ("AMQP_URL", False, True), ("PUBLIC_URL", False, False),
        ("TEST_DATABASE_URL", False, False), ("TESTING_DATABASE_URL", False, False), ("DATABASE_URL_TEST", False, False),
    ],
)  # fmt: skip
def test_urls_of_servers(name: str, database: bool, broker: bool) -> None:
    assert (variables.is_database_url(name), variables.is_broker_url(name)) == (database, broker)


@pytest.mark.parametrize(("value", "local"), [("http://localhost:3000", True), ("development", True), ("INFO", False), ("local", True)])
def test_values_of_a_developer_s_machine(value: str, local: bool) -> None:
    assert variables.is_local(value) is local
