"""Speech from the espeak-ng library that the espeakng-loader wheel carries, in memory, without any program.

Function and constant names are those of espeak-ng's public header speak_lib.h.
"""

import ctypes
import shutil
import tempfile
from dataclasses import dataclass

import numpy as np

from speechgen.errors import UserError

AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4  # espeak_PARAMETER
BUFFER_MILLISECONDS = 200

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class EspeakVoice:
    """A voice: espeak-ng's language and variant ("en-us+f3") and how it speaks."""

    name: str
    rate: int = 165  # words per minute, 80 to 450
    pitch: int = 50  # 0 to 99
    range: int = 50  # liveliness of the pitch, 0 to 99


class Espeak:
    """The espeak-ng library, loaded from a fresh copy: it keeps its state (voice, noise, flutter) in itself, and so
    every object says the same sequence of texts in exactly the same way."""

    def __init__(self):
        """Raises UserError when the [g2p] extra is not installed or the library does not start."""
        try:
            import espeakng_loader
        except ImportError:
            raise UserError("speech from espeak-ng (GPL-3) needs: pip install 'speechgen[g2p]'") from None
        with tempfile.TemporaryDirectory() as folder:
            self.library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), folder))
        self.library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate = self.library.espeak_Initialize(
            AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MILLISECONDS, data, INITIALIZE_DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise UserError("espeak-ng does not start; reinstall espeakng-loader")
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # otherwise the time of day
        self._blocks: list[np.ndarray] = []
        self._callback = Callback(self._take)  # kept here, for the library keeps only its address
        self.library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: EspeakVoice) -> np.ndarray:
        """Speak a text: int16 (T,) at ``sample_rate`` Hz; raises UserError for an unknown voice."""
        if self.library.espeak_SetVoiceByName(voice.name.encode()):
            raise UserError(f"espeak-ng has no voice {voice.name!r}")
        for parameter, value in ((RATE, voice.rate), (PITCH, voice.pitch), (RANGE, voice.range)):
            self.library.espeak_SetParameter(parameter, value, 0)
        self._blocks = []
        encoded = text.encode()
        failed = self.library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, CHARS_UTF8, None, None)
        if failed or not self._blocks:
            raise UserError(f"espeak-ng could not say {text[:40]!r}")
        return np.concatenate(self._blocks)

    def _take(self, samples, count: int, events) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # go on
