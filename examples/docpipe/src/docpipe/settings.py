# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything docpipe can be told, and only through the environment."""

import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _database_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # The driver's own words quote the URL, and with it the password.
        raise ValueError("is not a valid PostgreSQL connection URL") from None
    return value


def _broker_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must start with redis:// or rediss://")
    return value


def _signing_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < 32:
        raise ValueError("must be at least 32 bytes long")
    return value


def _supabase_key(value: SecretStr) -> SecretStr:
    if value.get_secret_value().count(".") != 2:
        raise ValueError("must be a JWT, such as the service_role key; the service takes no sb_secret_ key")
    return value


def _base_url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


_NEEDED = {
    "filesystem": ["storage_path"],
    "s3": ["s3_access_key_id", "s3_secret_access_key"],
    "supabase": ["supabase_url", "supabase_key"],
}


class Settings(BaseSettings):
    """One attribute for each environment variable; the names are the same, in capitals."""

    # A variable set to nothing counts as not set: templated environment files often hold `NAME=`.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    database_url: Annotated[SecretStr, AfterValidator(_database_url)]
    broker_url: Annotated[SecretStr, AfterValidator(_broker_url)]
    jwt_secret_key: Annotated[SecretStr, AfterValidator(_signing_key)]

    storage_backend: Literal["filesystem", "s3", "supabase"] = "filesystem"
    storage_path: Path | None = None
    storage_bucket: str = Field(default="documents", pattern=r"^[a-z0-9][a-z0-9._-]{1,62}$")
    s3_endpoint_url: BaseUrl = ""
    s3_region: str = "us-east-1"
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None
    supabase_url: BaseUrl = ""
    supabase_key: Annotated[SecretStr, AfterValidator(_supabase_key)] | None = None
    public_url: BaseUrl = ""
    max_upload_bytes: int = Field(default=20 * 1024 * 1024, gt=0)

    parser: Literal["local", "llamaparse"] = "local"
    llamaparse_api_key: SecretStr | None = None
    llamaparse_base_url: BaseUrl = "https://api.cloud.llamaindex.ai"
    embedder: Literal["local", "openai"] = "local"
    openai_api_key: SecretStr | None = None
    openai_base_url: BaseUrl = "https://api.openai.com/v1"

    app_release: str = "unreleased"
    app_slot: str | None = None

    task_queue: str = Field(default="docpipe", pattern=r"^[A-Za-z0-9_.:-]{1,64}$")
    probe_subject: str = "parity-probe"
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    worker_metrics_address: str = "0.0.0.0"

    max_attempts: int = Field(default=6, ge=1)
    retry_base_seconds: float = Field(default=2.0, ge=0)
    stage_timeout_seconds: int = Field(default=300, ge=1)
    visibility_timeout_seconds: int = Field(default=600, ge=1)
    sweep_interval_seconds: float = Field(default=30.0, ge=0)
    stuck_after_seconds: float = Field(default=900.0, gt=0)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name in _NEEDED[self.storage_backend]:
            if not getattr(self, name):
                raise ValueError(f"{name.upper()}: required when STORAGE_BACKEND is {self.storage_backend}")
        if self.parser == "llamaparse" and self.llamaparse_api_key is None:
            raise ValueError("LLAMAPARSE_API_KEY: required when PARSER is llamaparse")
        if self.embedder == "openai" and self.openai_api_key is None:
            raise ValueError("OPENAI_API_KEY: required when EMBEDDER is openai")
        if self.visibility_timeout_seconds <= self.stage_timeout_seconds:
            # Otherwise the broker would hand a task to a second worker while the first is still at it.
            raise ValueError("VISIBILITY_TIMEOUT_SECONDS: must be longer than STAGE_TIMEOUT_SECONDS")
        return self


@cache
def load_settings() -> Settings:
    """Read the environment once, or exit with one line that names what is wrong, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        problems = (_describe(e["loc"], e["type"], e["msg"]) for e in error.errors(include_input=False))
        sys.exit(f"docpipe: configuration error: {'; '.join(problems)}")


def _describe(location: tuple[int | str, ...], kind: str, message: str) -> str:
    text = "is not set" if kind == "missing" else message.removeprefix("Value error, ")
    return f"{str(location[0]).upper()}: {text}" if location else text
