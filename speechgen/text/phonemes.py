"""Text to phonemes by espeak-ng (through phonemizer), whose library and voices come as wheels."""

from collections.abc import Iterable
from functools import lru_cache
from threading import Lock

from speechgen.errors import UserError, nearest
from speechgen.text.normalise import normalise
from speechgen.text.override import segments

WORD_BOUNDARY = " "
ESPEAK_VOICES = {"en": "en-us", "de": "de"}
ONE_AT_A_TIME = Lock()  # the espeak-ng library keeps its state in globals


def phonemize(text: str, language: str, stress: bool = False) -> list[str]:
    """One utterance to phonemes: see ``phonemize_many``."""
    return phonemize_many([text], language, stress)[0]


def phonemize_many(texts: list[str], language: str, stress: bool = False) -> list[list[str]]:
    """Utterances to lists of IPA phonemes, one entry each (long vowels, diphthongs and affricates are one),
    with " " between words. Text is normalised first; punctuation does not appear. A word written as
    ``[word](/wɜːd/)`` is said as its phonemes tell.

    ``language`` is "en" (American) or "de". With ``stress`` the marks ˈ and ˌ stay in front of their phoneme.
    Raises UserError for another language, unsayable text, or when the [g2p] extra is not installed.
    """
    spoken = [normalise(text, language) for text in texts]
    parts = [segments(text) for text in spoken]
    words = [written for found in parts for written, given in found if given is None]
    with ONE_AT_A_TIME:
        backend, separator = _backend(language, stress)
        lines = iter(backend.phonemize(words, separator=separator, strip=True))
    return [_joined(_entries(next(lines)) if given is None else given for _, given in found) for found in parts]


def _joined(stretches: Iterable[list[str]]) -> list[str]:
    entries: list[str] = []
    for stretch in filter(None, stretches):
        entries += [WORD_BOUNDARY, *stretch] if entries else stretch
    return entries


def _entries(line: str) -> list[str]:
    return _joined([phoneme for phoneme in word.split("|") if phoneme] for word in line.split())


@lru_cache(maxsize=8)
def _backend(language: str, stress: bool):
    """The espeak backend of a language, and its separator; opening the library costs more than saying a sentence."""
    if language not in ESPEAK_VOICES:
        raise UserError(f"no phonemes for language {language!r}{nearest(language, ESPEAK_VOICES)}")
    try:
        import espeakng_loader
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
        from phonemizer.logger import get_logger
        from phonemizer.separator import Separator
    except ImportError:
        raise UserError("phonemes need espeak-ng (GPL-3): pip install 'speechgen[g2p]', or use characters") from None
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    backend = EspeakBackend(
        ESPEAK_VOICES[language],
        with_stress=stress,
        language_switch="remove-flags",
        words_mismatch="ignore",
        logger=get_logger(verbosity="quiet"),
    )
    return backend, Separator(phone="|", word=" ", syllable="")
