"""Sound that is heard while it is made: a WAV file that a browser plays as far as it is there.

Gradio's own streaming needs ffmpeg; this needs nothing but the browser.
"""

import asyncio
import struct
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator

import torch
from starlette.responses import PlainTextResponse, StreamingResponse
from torch import Tensor

PATH = "/live/"
KEPT = 16  # sounds; the oldest goes first
PATIENCE = 60.0  # seconds to wait for more of a sound before it is given up


class LiveSound:
    """A sound of known length that grows; one thread adds to it while others send what is there."""

    def __init__(self, sample_rate: int, samples: int):
        self.sample_rate, self.samples = sample_rate, samples
        self.blocks: list[bytes] = []
        self.ended = False

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return 44 + 2 * self.samples

    def add(self, block: Tensor) -> None:
        """More of it: (n,) in [-1, 1]."""
        self.blocks.append((block.clamp(-1, 1) * 32767).round().to(torch.int16).numpy().tobytes())

    def end(self) -> None:
        """Nothing more will come; what is missing is silence."""
        missing = 2 * self.samples - sum(map(len, self.blocks))
        if missing > 0:
            self.blocks.append(bytes(missing))
        self.ended = True

    async def file(self) -> AsyncIterator[bytes]:
        """The file from its header on, each block as soon as it is there."""
        size, rate = 2 * self.samples, self.sample_rate
        yield struct.pack(
            "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", size
        )
        sent, waited = 0, 0.0
        while waited < PATIENCE:
            if sent < len(self.blocks):
                yield self.blocks[sent]
                sent, waited = sent + 1, 0.0
            elif self.ended:
                return
            else:
                await asyncio.sleep(0.02)
                waited += 0.02


class LiveSounds:
    """The latest sounds, each under an address that nobody can guess."""

    def __init__(self):
        self.sounds: OrderedDict[str, LiveSound] = OrderedDict()

    def open(self, sample_rate: int, samples: int) -> tuple[LiveSound, str]:
        """A new sound, and the path where it is served."""
        sound, name = LiveSound(sample_rate, samples), f"{uuid.uuid4().hex}.wav"
        self.sounds[name] = sound
        while len(self.sounds) > KEPT:
            self.sounds.popitem(last=False)[1].end()
        return sound, PATH + name


class ServeLive:
    """ASGI middleware that serves the sounds and leaves everything else to the app."""

    def __init__(self, app, sounds: LiveSounds):
        self.app, self.sounds = app, sounds

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        sound = self.sounds.sounds.get(scope["path"].removeprefix(PATH))
        if sound is None or scope["method"] != "GET":
            await PlainTextResponse("no such sound", 404)(scope, receive, send)
            return
        headers = {"Content-Length": str(sound.size), "Cache-Control": "no-store"}
        await StreamingResponse(sound.file(), media_type="audio/wav", headers=headers)(scope, receive, send)
