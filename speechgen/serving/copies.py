"""Who speaks in a voice: the TTS itself, or a copy of it that has learned the voice."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

from speechgen.models.load import fingerprint
from speechgen.models.tts import TokenTTS
from speechgen.models.voice import Voice
from speechgen.nn.packed import Precision, pack_linears
from speechgen.serving.remembered import PromptStates

MOST = 4  # copies; one of the shipped voice model takes 60 MB


@dataclass(frozen=True)
class Copy:
    """A TTS, packed for speaking, and what it remembers of prompts."""

    tts: TokenTTS
    prompts: PromptStates


class Copies:
    """The TTS, which it packs, and copies for the voices that it has learned, the latest few. Threads may share it."""

    def __init__(self, tts: TokenTTS, precision: Precision, most: int = MOST):
        self._precision, self._most = precision, most
        self._learned: OrderedDict[bytes, Copy] = OrderedDict()
        self._lock = threading.Lock()
        self.original = self._copy(tts)

    @cached_property
    def fingerprint(self) -> str:
        """Of the TTS: what it has learned of a voice is of no use to another."""
        return fingerprint(self.original.tts)

    def knows(self, voice: Voice) -> bool:
        """Whether the TTS has learned this voice."""
        return voice.adapter is not None and voice.adapter.model == self.fingerprint

    def of(self, voice: Voice | None) -> Copy:
        """Who speaks in a voice; raises UserError for one whose adapter is damaged."""
        if voice is None or not self.knows(voice):
            return self.original
        key = voice.adapter.digest()
        with self._lock:
            if key not in self._learned:
                self._learned[key] = self._copy(voice.adapter.added_to(self.original.tts))
            self._learned.move_to_end(key)
            while len(self._learned) > self._most:
                self._learned.popitem(last=False)
            return self._learned[key]

    def _copy(self, tts: TokenTTS) -> Copy:
        packed = pack(tts, self._precision)
        return Copy(packed, PromptStates(packed))


def pack(tts: TokenTTS, precision: Precision) -> TokenTTS:
    """The same TTS, with the matrices of every step packed in a precision."""
    pack_linears(tts.transformer, precision)
    pack_linears(tts.head, precision)
    return tts
