# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application, and the endpoints for machines: health, readiness, version, metrics.

Start it with `uvicorn docpipe.api:app`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import psycopg
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from docpipe import __version__, faults, logs, metrics
from docpipe.middleware import LimitBody, Observe
from docpipe.models import Readiness, Version
from docpipe.queue import check_broker
from docpipe.routes import router
from docpipe.services import Services
from docpipe.settings import Settings, load_settings
from docpipe.storage import StorageUnavailable

_CHECK_SECONDS = 2.0


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings."""
    logs.configure()
    metrics.set_build_info(settings)
    services = Services.from_settings(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        services.database.close()

    app = FastAPI(title="docpipe", version=__version__, lifespan=lifespan)
    app.state.services = services
    app.include_router(router)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """This process is alive. Depends on nothing: a broken database is no reason to restart the API."""
        if faults.UNHEALTHY:
            raise HTTPException(503, "this build of docpipe carries the fault 'unhealthy'")
        return {"status": "ok"}

    @app.get("/ready", responses={503: {"model": Readiness}})
    async def ready(response: Response) -> Readiness:
        """This process can do its work: everything it needs answers."""
        checks = await _check_all(
            {
                "database": services.database.check,
                "broker": partial(check_broker, settings.broker_url.get_secret_value()),
                "storage": services.storage.check,
            }
        )
        good = all(outcome == "ok" for outcome in checks.values()) and not faults.UNHEALTHY
        response.status_code = 200 if good else 503
        return Readiness(status="ready" if good else "not ready", checks=checks)

    @app.get("/version")
    async def version() -> Version:
        """Which build this is, and as which release it was deployed."""
        return Version(
            name="docpipe", version=__version__, release=settings.app_release, slot=settings.app_slot
        )

    @app.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)

    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(psycopg.OperationalError, _database_away)
    app.add_exception_handler(StorageUnavailable, _storage_away)
    app.add_exception_handler(Exception, _internal_error)
    app.add_middleware(LimitBody, max_upload_bytes=settings.max_upload_bytes)
    app.add_middleware(faults.slow)
    app.add_middleware(Observe)
    return app


async def _check_all(checks: dict[str, Callable[[], None]]) -> dict[str, str]:
    """Run all checks at once, each for a short time. Errors show their kind only: texts may hold secrets."""
    outcomes = dict.fromkeys(checks, "timeout")

    async def run(name: str, check: Callable[[], None]) -> None:
        with anyio.move_on_after(_CHECK_SECONDS):
            try:
                await anyio.to_thread.run_sync(check, abandon_on_cancel=True)
                outcomes[name] = "ok"
            except Exception as error:
                outcomes[name] = f"failed ({type(error).__name__})"

    async with anyio.create_task_group() as group:
        for name, check in checks.items():
            group.start_soon(run, name, check)
    return outcomes


async def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = (f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
    return JSONResponse({"detail": "; ".join(problems)}, 422)


async def _database_away(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the database does not answer, try again later"}, 503)


async def _storage_away(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the object storage does not answer, try again later"}, 503)


async def _internal_error(request: Request, error: Exception) -> JSONResponse:
    request_id = request.state.request_id
    return JSONResponse({"detail": f"internal error, request {request_id}"}, 500)


app = create_app(load_settings())
