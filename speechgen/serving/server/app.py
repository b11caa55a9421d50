"""The HTTP server: OpenAI's speech endpoint, and what an operator looks at. Nothing of it fetches an address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from speechgen.serving.batcher import Batcher
from speechgen.serving.limits import RequestLimits
from speechgen.serving.server.requests import RequestError, refusal
from speechgen.serving.server.speech import Speaker, Speech
from speechgen.serving.synthesiser import Synthesiser

LOCAL = ["127.0.0.1", "localhost", "[::1]", "::1"]


def build_server(
    synthesiser: Synthesiser,
    model: str,
    limits: RequestLimits = RequestLimits(),
    watermark: bool = True,
    any_host: bool = False,
) -> FastAPI:
    """The application; ``model`` is the name it answers to. Unless ``any_host``, it answers only to callers who call
    this machine local."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Batcher(synthesiser.tts) as batcher:
            app.state.speaker = Speaker(synthesiser, model, batcher, limits, watermark)
            yield

    app = FastAPI(title="speechgen", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    # Without this a web page anywhere could talk to a server on this machine under a name of its own.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["*"] if any_host else LOCAL)

    @app.exception_handler(RequestError)
    async def refuse(request: Request, error: RequestError) -> Response:
        return refusal(error)

    @app.exception_handler(HTTPException)
    async def refuse_elsewhere(request: Request, error: HTTPException) -> Response:
        return refusal(RequestError(error.status_code, f"{request.method} {request.url.path}: {error.detail}"))

    @app.post("/v1/audio/speech")
    async def speech() -> Response:
        return Speech(app.state.speaker)

    @app.get("/v1/voices")
    def voices() -> JSONResponse:
        found = app.state.speaker.voices().items()
        return _list([{"id": name, "object": "voice", "language": v.language, **v.facts} for name, v in found])

    @app.get("/v1/models")
    def models() -> JSONResponse:
        return _list([_card(model)])

    @app.get("/v1/models/{name}")
    def one_model(name: str) -> JSONResponse:
        app.state.speaker.check_model(name)
        return JSONResponse(_card(model))

    @app.get("/health")
    def health() -> JSONResponse:
        return JSONResponse({"status": "ok", "model": model, "languages": synthesiser.languages})

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        speaker = app.state.speaker
        text = speaker.figures.text(speaker.turns.running, speaker.turns.waiting)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    return app


def _card(model: str) -> dict:
    return {"id": model, "object": "model", "created": 0, "owned_by": "speechgen"}


def _list(data: list[dict]) -> JSONResponse:
    return JSONResponse({"object": "list", "data": data})
