"""The routes of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

import samantic
from samantic.data.camera import RawPair
from samantic.errors import InputError, SizeError
from samantic.predict.health import look_at, well_of
from samantic.serve import scenes
from samantic.serve.answers import refuse_missing, respond
from samantic.serve.engine import Engine
from samantic.serve.guard import Head, SecurityHeaders, Token
from samantic.serve.hosts import Hosts
from samantic.serve.limits import Limits
from samantic.serve.metrics import Counted, Metrics
from samantic.serve.page import START, describe, page_files
from samantic.serve.refusals import Kind, RefusedError
from samantic.serve.schemas import ERRORS, PREDICT, Models, Predicted, SceneOf, Status
from samantic.serve.settings import Settings
from samantic.serve.uploads import Asked, decode, read_form

READERS = 2
"""Number of threads that decode and encode images, besides the model's thread."""

PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
BUSY: dict[int | str, dict[str, Any]] = {503: ERRORS[503]}
OPEN: dict[int | str, dict[str, Any]] = {401: ERRORS[401]}


def create_app(
    settings: Settings,
    loaded: Callable[[], None] = lambda: None,
    failed: Callable[[BaseException], None] = lambda error: None,
) -> ASGIApp:
    """The application; its models are loaded once it runs.

    Args:
        settings: Settings of the server.
        loaded: Called when the models are loaded.
        failed: Called with the error if a model cannot be loaded.
    """
    metrics = Metrics()
    service = Service(settings, metrics, loaded, failed)
    app = FastAPI(
        title="samantic",
        description="RGB-thermal semantic segmentation over HTTP.",
        version=samantic.__version__,
        lifespan=service.lifespan,
        docs_url=None,
        redoc_url=None,
        responses={403: ERRORS[403]},
    )
    _handle_errors(app, metrics)
    _add_model_routes(app, service)
    _add_state_routes(app, service)
    _add_page_routes(app)
    guarded = Hosts(Token(Head(app), settings.token, metrics), settings, metrics)
    return Counted(SecurityHeaders(Limits(guarded, settings, metrics)), metrics)


class Service:
    """What the routes share: the engine, and threads that decode and encode."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        loaded: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.settings, self.metrics = settings, metrics
        self.engine = Engine(settings, metrics)
        self._loaded, self._failed = loaded, failed
        self._pool = ThreadPoolExecutor(READERS, "samantic-pictures")

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Load the models and answer requests while the server runs."""
        work = asyncio.create_task(self.engine.run(self._loaded))
        work.add_done_callback(self._ended)
        try:
            yield
        finally:
            work.cancel()
            self.engine.close()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _ended(self, work: asyncio.Task[None]) -> None:
        if not work.cancelled() and (error := work.exception()) is not None:
            self._failed(error)

    async def in_pool(self, do: Callable[[], Any]) -> Any:
        """Run a function in a thread, so that it does not block the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, do)

    async def predict(self, request: Request, asked: Asked) -> Response:
        """The response to a request.

        Raises:
            RefusedError: The request cannot be answered.
            InputError: The images cannot be used.
        """
        served = self.engine.find(asked.model)
        camera = served.model.camera

        def read() -> tuple[RawPair, dict[str, str]]:
            pair = decode(asked.files, camera, self.settings.max_pixels)
            return pair, look_at(pair, camera, asked.gate)

        with self.metrics.decode.time():
            pair, states = await self.in_pool(read)
        for name in served.cameras:
            self.metrics.cameras.labels(name, states[name]).inc()
        refuse_missing(asked, served, states)
        well = well_of(pair, states)
        found = await self.engine.ask(served.name, well, request.is_disconnected)
        found = replace(found, cameras=states)
        with self.metrics.encode.time():
            answer: Response = await self.in_pool(partial(respond, found, asked, served))
        return answer


def _add_model_routes(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        response_model=Predicted,
        responses={**ERRORS, 200: {"content": {"image/png": {}}}},
        openapi_extra=PREDICT,
    )
    async def predict(request: Request) -> Response:
        """Segment a pair, or the image of one camera."""
        service.engine.find()
        async with read_form(request) as asked:
            return await service.predict(request, asked)

    @app.get("/models", response_model=Models, responses=BUSY | OPEN)
    async def models() -> dict[str, Any]:
        """The models, their classes and cameras; the default is taken where none is named."""
        default = service.engine.find()
        told = [one.told for one in service.engine.models.values()]
        return {"default": default.name, "models": told}

    @app.get("/scenes", response_model=list[SceneOf], responses=OPEN)
    async def list_scenes() -> list[dict[str, str]]:
        """Generated scenes to try a model on."""
        return [{"name": name, "title": one.title} for name, one in scenes.SCENES.items()]

    @app.get(
        "/scenes/{name}/{camera}.png",
        response_class=Response,
        responses={**PNG, **OPEN, 404: ERRORS[404]},
    )
    async def scene(name: str, camera: str) -> Response:
        """The picture of a camera, rgb or thermal, of a scene."""
        if name not in scenes.SCENES or camera not in ("rgb", "thermal"):
            raise RefusedError("missing", "no such scene; GET /scenes lists all scenes", 404)
        content = await service.in_pool(partial(scenes.picture, name, camera))
        return Response(content, media_type="image/png")


def _add_state_routes(app: FastAPI, service: Service) -> None:
    @app.get("/health", response_model=Status)
    async def health() -> dict[str, str]:
        """Whether the process is there."""
        return {"status": "ok"}

    @app.get("/ready", response_model=Status, responses=BUSY)
    async def ready() -> dict[str, str]:
        """Whether the models are loaded."""
        service.engine.find()
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses=OPEN)
    async def metrics() -> Response:
        """Counters and times, as Prometheus reads them."""
        registry = service.metrics.registry
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_page_routes(app: FastAPI) -> None:
    files = page_files()

    def file(name: str) -> Response:
        if name not in files:
            raise RefusedError("missing", "no such file", 404)
        content, kind = files[name]
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    @app.get("/", include_in_schema=False)
    async def start() -> Response:
        return file(START)

    @app.get("/page/{name:path}", include_in_schema=False)
    async def part(name: str) -> Response:
        return file(name)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(describe(app.openapi()))


def _handle_errors(app: FastAPI, metrics: Metrics) -> None:
    """Answer each error in one line; the server also logs unexpected errors."""

    def answer(refused: RefusedError) -> Response:
        metrics.errors.labels(refused.kind).inc()
        return refused.response()

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return answer(error)

    @app.exception_handler(InputError)
    async def unusable(request: Request, error: InputError) -> Response:
        kind: Kind = "size" if isinstance(error, SizeError) else "unreadable"
        return answer(RefusedError(kind, str(error)))

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return answer(RefusedError("unreadable", "the connection ended before the request did"))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        kind: Kind = "missing" if error.status_code in (404, 405) else "unreadable"
        line = f"{error.detail}; GET /docs says what there is"
        response = answer(RefusedError(kind, line, error.status_code))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        return answer(RefusedError("internal", "an error of the server; its log has more"))
