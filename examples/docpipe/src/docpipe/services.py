# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API works with, made once at start, and how a request gets at it."""

from dataclasses import dataclass
from typing import Annotated

from celery import Celery
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from docpipe import auth
from docpipe.db import Database
from docpipe.embedding import Embedder, create_embedder
from docpipe.queue import create_celery
from docpipe.settings import Settings
from docpipe.storage import ObjectStorage, UrlSigner, create_storage, url_signer


@dataclass(frozen=True)
class Services:
    """The API's connections to everything else."""

    settings: Settings
    database: Database
    storage: ObjectStorage
    signer: UrlSigner
    embedder: Embedder
    celery: Celery

    @classmethod
    def from_settings(cls, settings: Settings) -> "Services":
        return cls(
            settings,
            Database(settings.database_url.get_secret_value()),
            create_storage(settings),
            url_signer(settings),
            create_embedder(settings),
            create_celery(settings),
        )


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _request_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


def _caller(
    services: Annotated[Services, Depends(_services)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> auth.Caller:
    problem = "send a token: Authorization: Bearer ..."
    if credentials is not None:
        try:
            return auth.verify(credentials.credentials, services.settings.jwt_secret_key.get_secret_value())
        except auth.InvalidToken as error:
            problem = str(error)
    raise HTTPException(401, problem, headers={"WWW-Authenticate": "Bearer"})


WithServices = Annotated[Services, Depends(_services)]
WithCaller = Annotated[auth.Caller, Depends(_caller)]
WithRequestId = Annotated[str, Depends(_request_id)]
