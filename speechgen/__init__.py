"""Audio-first toolkit for generating speech: codecs, voices from a prompt, and the recipes that train them."""

from speechgen.errors import UserError

__all__ = ["UserError", "load"]


def load(model: str):
    """A model by the name it is shipped under, or by the folder of a packed model or of a training run.

    A codec has ``.encode`` and ``.decode``, a TTS comes as a ``Synthesiser`` with ``.voice``, ``.say`` and ``.stream``,
    a listener as it is. Raises UserError for an unknown name or damaged files.
    """
    # torch takes seconds to import: only whoever loads a model waits for it.
    from speechgen.models.load import load as load_module
    from speechgen.models.tts import TokenTTS
    from speechgen.serving.synthesiser import Synthesiser

    module = load_module(model)
    return Synthesiser.of(module) if isinstance(module, TokenTTS) else module
