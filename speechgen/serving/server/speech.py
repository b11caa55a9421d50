"""One request being answered: it waits for its turn, speaks, and stops when its client goes."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread
import torch
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from torch import Tensor

from speechgen.audio.files import encode_audio
from speechgen.audio.resample import StreamResampler
from speechgen.audio.stream import PcmPipe, WavPipe
from speechgen.errors import UserError, nearest
from speechgen.models.speak import Drawing
from speechgen.models.voice import Voice
from speechgen.serving.batcher import Batcher
from speechgen.serving.limits import RequestLimits
from speechgen.serving.server.figures import Figures
from speechgen.serving.server.requests import FORMATS, RequestError, SpeechRequest, refusal
from speechgen.serving.server.turns import Full, Turns
from speechgen.serving.session import Session
from speechgen.serving.synthesiser import Synthesiser
from speechgen.serving.voices import fitting_voices

PCM_RATE = 24000  # Hz; what clients of this API take bare samples to be


class Speaker:
    """What all requests share: the model and its batcher, the turns, the limits, the figures."""

    def __init__(self, synthesiser: Synthesiser, batcher: Batcher, limits: RequestLimits, watermark: bool):
        self.synthesiser, self.batcher, self.limits, self.watermark = synthesiser, batcher, limits, watermark
        self.turns, self.figures = Turns(limits), Figures()
        self._threads = anyio.CapacityLimiter(limits.running)

    def voices(self) -> dict[str, Voice]:
        """Those that can be asked for by name."""
        return fitting_voices(self.synthesiser.codec_fingerprint)

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
        try:
            first = True
            while (block := await self._in_thread(next, session, None)) is not None:
                if first:
                    self.figures.first_audio(asyncio.get_running_loop().time() - started)
                first = False
                self.figures.audio_seconds += len(block) / self.synthesiser.sample_rate
                yield block
        finally:
            session.close()

    async def _in_thread(self, work, *arguments):
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._threads)

    def _cloned(self, recording: bytes, asked: SpeechRequest) -> Voice:
        with tempfile.TemporaryDirectory(prefix="speechgen-prompt-") as folder:
            path = Path(folder, "prompt")
            path.write_bytes(recording)
            language = asked.prompt_language or asked.language
            return self.synthesiser.voice(path, asked.transcript, language, "prompt", warn=lambda line: None)


class Speech(Response):
    """The answer to a request for speech: all the work is done while it is sent."""

    def __init__(self, speaker: Speaker, asked: SpeechRequest):
        self.speaker, self.asked = speaker, asked
        self.background = None
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as tasks:

            async def leave_with_client() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.speaker.figures.gone += 1
                tasks.cancel_scope.cancel()

            tasks.start_soon(leave_with_client)
            await self._answer(scope, receive, send)
            tasks.cancel_scope.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        figures, retry = self.speaker.figures, None
        try:
            async with self.speaker.turns.turn(), asyncio.timeout(self.speaker.limits.seconds):
                await (self._stream(send) if self.asked.streams else self._whole(send))
            return
        except Full as error:
            failure, retry = RequestError(503, str(error), code="overloaded"), error.seconds
        except TimeoutError:
            failure = RequestError(504, f"not done after {self.speaker.limits.seconds:g} s; send less text at once")
        except RequestError as error:
            failure = error
        except UserError as error:
            failure = RequestError(400, str(error))
        if self._started:  # half a sound is sent already: a connection that breaks off is all that can be said
            raise failure
        figures.requests[failure.status] += 1
        await refusal(failure, retry)(scope, receive, send)

    async def _stream(self, send: Send) -> None:
        pcm, rate = self.asked.response_format == "pcm", self.speaker.synthesiser.sample_rate
        resampler = StreamResampler(rate, PCM_RATE if pcm else rate)
        file = io.BytesIO()
        async with aclosing(self.speaker.blocks(self.asked)) as blocks:
            first = await anext(blocks, torch.zeros(0))
            await self._start(send, None)
            pipe = PcmPipe(file) if pcm else WavPipe(file, rate, 1, None)
            pipe.write(resampler(first)[None])
            await _send_on(send, file)
            async for block in blocks:
                pipe.write(resampler(block)[None])
                await _send_on(send, file)
        pipe.write(resampler.end()[None])
        await send({"type": "http.response.body", "body": file.getvalue()})

    async def _whole(self, send: Send) -> None:
        kind, rate = self.asked.response_format, self.speaker.synthesiser.sample_rate
        async with aclosing(self.speaker.blocks(self.asked)) as blocks:
            wave = torch.cat([torch.zeros(0), *[block async for block in blocks]])
        if kind == "pcm":
            resampler, file = StreamResampler(rate, PCM_RATE), io.BytesIO()
            PcmPipe(file).write(torch.cat([resampler(wave), resampler.end()])[None])
            content = file.getvalue()
        else:
            content = await anyio.to_thread.run_sync(encode_audio, wave, rate, f".{kind}")
        await self._start(send, len(content))
        await send({"type": "http.response.body", "body": content})

    async def _start(self, send: Send, size: int | None) -> None:
        kind = self.asked.response_format
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
