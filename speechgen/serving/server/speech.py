"""One request being answered: it waits for its turn, speaks, and stops when its client goes."""

import asyncio
import io
import logging
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from pathlib import Path

import anyio
import torch
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from torch import Tensor

from speechgen.audio.files import encode_audio
from speechgen.audio.resample import StreamResampler
from speechgen.audio.stream import PcmPipe, WavPipe
from speechgen.errors import UserError, nearest
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving.batcher import Batcher
from speechgen.serving.limits import RequestLimits
from speechgen.serving.server.figures import Figures
from speechgen.serving.server.requests import FORMATS, RequestError, SpeechRequest, read_request, refusal
from speechgen.serving.server.turns import Full, Turns
from speechgen.serving.session import Session
from speechgen.serving.synthesiser import Synthesiser
from speechgen.serving.voices import fitting_voices

PCM_RATE = 24000  # Hz; what clients of this API take bare samples to be


class Speaker:
    """What all requests share: the model and its batcher, the turns, the limits, the figures."""

    def __init__(self, synthesiser: Synthesiser, model: str, batcher: Batcher, limits: RequestLimits, watermark: bool):
        self.synthesiser, self.model, self.batcher = synthesiser, model, batcher
        self.limits, self.watermark = limits, watermark
        self.turns, self.figures = Turns(limits), Figures()
        self._threads = anyio.CapacityLimiter(limits.running)

    def voices(self) -> dict[str, Voice]:
        """Those that can be asked for by name."""
        return fitting_voices(self.synthesiser.codec_fingerprint)

    def check_model(self, asked: str) -> None:
        """Raise RequestError for any model but the one that is served."""
        if asked != self.model:
            hint = nearest(asked, [self.model])
            raise RequestError(404, f"model {asked!r} is not served here{hint}", "model", "model_not_found")

    def session(self, asked: SpeechRequest) -> Session:
        """A session for a request; raises RequestError or UserError for what cannot be said."""
        recording = asked.recording()
        if recording is not None:
            voice = self._cloned(recording, asked)
        else:
            voices = self.voices()
            if asked.voice_name not in voices:
                hint = nearest(asked.voice_name, voices)
                raise RequestError(404, f"voice {asked.voice_name!r} is not here{hint}", "voice", "voice_not_found")
            voice = voices[asked.voice_name]
        return self.synthesiser.stream(
            asked.input,
            voice,
            asked.language,
            Drawing(speed=asked.speed),
            asked.seed,
            batcher=self.batcher,
            watermark=self.watermark,
        )

    async def blocks(self, asked: SpeechRequest) -> AsyncIterator[Tensor]:
        """The audio of a request, block by block as it is made; closing it stops the work."""
        started = asyncio.get_running_loop().time()
        session = await self._in_thread(self.session, asked)
        busy = threading.Lock()  # a thread whose request was cancelled is still at its block

        def step() -> Tensor | None:
            with busy:
                return next(session, None)

        def close() -> None:
            with busy:
                session.close()

        try:
            first = True
            while (block := await self._in_thread(step)) is not None:
                if first:
                    self.figures.first_audio(asyncio.get_running_loop().time() - started)
                first = False
                self.figures.audio_seconds += len(block) / self.synthesiser.sample_rate
                yield block
        finally:
            with anyio.CancelScope(shield=True):
                await self._in_thread(close)

    async def _in_thread(self, work, *arguments):
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._threads)

    def _cloned(self, recording: bytes, asked: SpeechRequest) -> Voice:
        with tempfile.TemporaryDirectory(prefix="speechgen-prompt-") as folder:
            path = Path(folder, "prompt")
            path.write_bytes(recording)
            language = asked.prompt_language or asked.language
            return self.synthesiser.voice(path, asked.transcript, language, "prompt", warn=lambda line: None)


class Speech(Response):
    """The answer to a request for speech: all the work is done while it is sent, and none when nobody listens."""

    def __init__(self, speaker: Speaker):
        self.speaker = speaker
        self.background = None
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limits, retry = self.speaker.limits, None
        try:
            with self.speaker.turns.place():  # before the body is read: a crowd of bodies is a burden, too
                asked = await read_request(Request(scope, receive), limits)
                self.speaker.check_model(asked.model)
                await self._unless_gone(receive, self._answer(asked, send))
            return
        except Full as error:
            failure, retry = RequestError(503, str(error), code="overloaded"), error.seconds
        except TimeoutError:
            failure = RequestError(504, f"not done after {limits.seconds:g} s; send less text at once")
        except RequestError as error:
            failure = error
        except UserError as error:
            failure = RequestError(400, str(error))
        except Exception:
            logging.getLogger(__name__).exception("a request failed")
            failure = RequestError(500, "the server failed; its log says why")
        if self._started:  # half a sound is sent already: a connection that breaks off is all that can be said
            raise failure
        self.speaker.figures.requests[failure.status] += 1
        await refusal(failure, retry)(scope, receive, send)

    async def _unless_gone(self, receive: Receive, answer: Coroutine) -> None:
        """Give the answer, or stop as soon as the client has left."""

        async def left() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        answering, leaving = asyncio.ensure_future(answer), asyncio.ensure_future(left())
        try:
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
            else:
                self.speaker.figures.gone += 1
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, asked: SpeechRequest, send: Send) -> None:
        async with self.speaker.turns.turn(), asyncio.timeout(self.speaker.limits.seconds):
            await (self._stream(asked, send) if asked.streams else self._whole(asked, send))

    async def _stream(self, asked: SpeechRequest, send: Send) -> None:
        pcm, rate = asked.response_format == "pcm", self.speaker.synthesiser.sample_rate
        resampler = StreamResampler(rate, PCM_RATE if pcm else rate)
        file = io.BytesIO()
        async with aclosing(self.speaker.blocks(asked)) as blocks:
            first = await anext(blocks, torch.zeros(0))
            await self._start(asked.response_format, send, None)
            pipe = PcmPipe(file) if pcm else WavPipe(file, rate, 1, None)
            pipe.write(resampler(first)[None])
            await _send_on(send, file)
            async for block in blocks:
                pipe.write(resampler(block)[None])
                await _send_on(send, file)
        pipe.write(resampler.end()[None])
        await send({"type": "http.response.body", "body": file.getvalue()})

    async def _whole(self, asked: SpeechRequest, send: Send) -> None:
        kind, rate = asked.response_format, self.speaker.synthesiser.sample_rate
        async with aclosing(self.speaker.blocks(asked)) as blocks:
            wave = torch.cat([torch.zeros(0), *[block async for block in blocks]])
        if kind == "pcm":
            resampler, file = StreamResampler(rate, PCM_RATE), io.BytesIO()
            PcmPipe(file).write(torch.cat([resampler(wave), resampler.end()])[None])
            content = file.getvalue()
        else:
            content = await anyio.to_thread.run_sync(encode_audio, wave, rate, f".{kind}")
        await self._start(kind, send, len(content))
        await send({"type": "http.response.body", "body": content})

    async def _start(self, kind: str, send: Send, size: int | None) -> None:
        headers = {"Content-Type": FORMATS[kind], "Cache-Control": "no-store"}
        if kind == "pcm":
            headers["Content-Type"] += f";rate={PCM_RATE};channels=1"
        if size is not None:
            headers["Content-Length"] = str(size)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._started = True
        self.speaker.figures.requests[200] += 1
        await send({"type": "http.response.start", "status": 200, "headers": raw})


async def _send_on(send: Send, file: io.BytesIO) -> None:
    """Send what has been written, and empty the file."""
    content = file.getvalue()
    file.seek(0)
    file.truncate()
    if content:
        await send({"type": "http.response.body", "body": content, "more_body": True})
