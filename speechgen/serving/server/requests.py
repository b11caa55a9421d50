"""What a program may ask, as OpenAI's API has it, and how a refusal is said in its words."""

import asyncio
import base64
import binascii
import json
from typing import Literal

import pydantic
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from speechgen.config import Config
from speechgen.errors import nearest
from speechgen.serving.limits import RequestLimits

FORMATS = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
STREAMING = ("wav", "pcm")
BODY_SECONDS = 30.0
PROMPT = "prompt"  # the voice's name where the recording comes along


class VoiceId(Config):
    """A voice by its id, as newer clients may name it."""

    id: str


class SpeechRequest(Config):
    """The body of POST /v1/audio/speech. ``stream``: send audio as it is made; pcm does unless told not to.

    Beyond OpenAI's: ``language``, ``seed``, and ``prompt``: the base64 of a recording to speak in the voice of, with
    what it says (``transcript``) in ``prompt_language``; ``voice`` is then "prompt".
    """

    model: str
    input: str
    voice: str | VoiceId
    response_format: Literal["mp3", "opus", "flac", "wav", "pcm"] = "mp3"
    speed: float = pydantic.Field(1.0, ge=0.25, le=4.0)
    stream: bool | None = None
    stream_format: Literal["audio"] = "audio"
    language: str = "en"
    seed: int = pydantic.Field(0, ge=0, lt=2**63)
    prompt: str | None = None
    transcript: str | None = None
    prompt_language: str | None = None

    @property
    def voice_name(self) -> str:
        return self.voice if isinstance(self.voice, str) else self.voice.id

    @property
    def streams(self) -> bool:
        return self.response_format == "pcm" if self.stream is None else self.stream

    def recording(self) -> bytes | None:
        """The prompt's file; raises RequestError where it is no base64, or stands beside another voice."""
        if self.voice_name != PROMPT:
            if self.prompt or self.transcript:
                raise RequestError(400, "a prompt speaks with voice: 'prompt', and with no other", "prompt")
            return None
        try:
            content = base64.b64decode(self.prompt or "", validate=True)
        except (binascii.Error, ValueError):
            content = b""
        if not content:
            raise RequestError(400, "voice 'prompt' needs a prompt: a recording, in base64", "prompt")
        return content


class RequestError(Exception):
    """Why a request is refused: an HTTP status, a sentence, and the field that is wrong."""

    def __init__(self, status: int, message: str, field: str | None = None, code: str | None = None):
        super().__init__(message)
        self.status, self.message, self.field, self.code = status, message, field, code


def refusal(error: RequestError, retry_after: int | None = None) -> JSONResponse:
    """A refusal in the shape that OpenAI's clients read."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    content = {"message": error.message, "type": kind, "param": error.field, "code": error.code}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": content}, error.status, headers)


async def read_request(request: Request, limits: RequestLimits) -> SpeechRequest:
    """The body of a request, read no further than it may be long; raises RequestError naming what is wrong."""
    # A web page may send any other kind of content to this machine without asking.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "send Content-Type: application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > limits.body_bytes:
                    raise RequestError(413, f"the request is larger than {limits.body_bytes:,} bytes; send less")
    except TimeoutError:
        raise RequestError(408, f"the request was not all there after {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise RequestError(400, "the request broke off") from None
    try:
        asked = SpeechRequest.model_validate(json.loads(bytes(body).decode("utf-8")))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise RequestError(400, "the body is not JSON") from None
    except pydantic.ValidationError as error:
        raise _invalid(error) from None
    if len(asked.input) > limits.text_characters:
        count = f"{len(asked.input):,} characters"
        raise RequestError(400, f"input has {count}; it may have {limits.text_characters:,}: split it", "input")
    if asked.streams and asked.response_format not in STREAMING:
        raise RequestError(400, f"{asked.response_format} cannot be streamed; {' and '.join(STREAMING)} can", "stream")
    return asked


def _invalid(error: pydantic.ValidationError) -> RequestError:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else None
    match first["type"]:
        case "extra_forbidden":
            message = f"{field} is not understood here{nearest(field, SpeechRequest.model_fields)}"
        case "missing":
            message = f"{field} is missing"
        case _:
            message = f"{field or 'the body'} = {repr(first.get('input'))[:60]}: {first['msg']}"
    return RequestError(400, message, field)
