"""The states of the prompts that were spoken with last, for all who speak with one model."""

import threading
from collections import OrderedDict

from speechgen.models.lines import Drawing, is_guided
from speechgen.models.prompt_state import PromptState
from speechgen.models.speak import remember
from speechgen.models.tts import TokenTTS
from speechgen.models.voice import Voice

MOST = 8  # prompts; one of six seconds takes 10 MB with the shipped voice model


class PromptStates:
    """Reads each prompt once and remembers the latest. Threads may share it."""

    def __init__(self, model: TokenTTS, most: int = MOST):
        self._model, self._most = model, most
        self._states: OrderedDict[tuple, PromptState | None] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, voice: Voice, language: str, drawing: Drawing) -> PromptState | None:
        """The state after a voice's prompt, before text of this language; None where there can be none."""
        key = voice.digest(), language, is_guided(self._model, drawing)
        with self._lock:
            if key not in self._states:
                self._states[key] = remember(self._model, voice, language, drawing)
            self._states.move_to_end(key)
            while len(self._states) > self._most:
                self._states.popitem(last=False)
            return self._states[key]
