"""What a recogniser understands of speech: word and character error rates against the text."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.evaluation.coding import model_name
from speechgen.evaluation.metrics import SPEECH_RATE, import_evaluation
from speechgen.models.listener import BLANK, Listener
from speechgen.models.load import load
from speechgen.text.normalise import LANGUAGES, normalise

WHISPER = "whisper:"  # before the folder that holds its weights
PADDING = 0.3  # seconds of silence at both ends; pocketsphinx loses words that begin or end a recording


class Recogniser(Protocol):
    """``name`` as a report shows it; ``languages`` that it understands."""

    name: str
    languages: tuple[str, ...]

    def transcribe(self, wave: Tensor, sample_rate: int) -> str:
        """What is said in (T,), in words."""


class PocketSphinx:
    """CMU Sphinx with the US-English models inside its wheel. A weak listener: compare with its score of recordings."""

    name = "pocketsphinx"
    languages = ("en",)

    def __init__(self):
        self.decoder = import_evaluation("pocketsphinx").Decoder(samprate=SPEECH_RATE, loglevel="FATAL")
        self.cepstral_mean = self.decoder.get_cmn(False)

    def transcribe(self, wave: Tensor, sample_rate: int) -> str:
        samples = resample(wave, sample_rate, SPEECH_RATE).clamp(-1, 1).numpy()
        samples = np.pad(samples, round(PADDING * SPEECH_RATE))
        # The decoder adapts its cepstral mean as it goes: set back, so that a score does not hang on the order.
        self.decoder.set_cmn(self.cepstral_mean)
        self.decoder.start_utt()
        self.decoder.process_raw((samples * 32767).astype("<i2").tobytes(), full_utt=True)
        self.decoder.end_utt()
        hypothesis = self.decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""


class ListenerRecogniser:
    """A listener of ours, read greedily from its characters: for accents and languages that pocketsphinx lacks."""

    languages = ("en", "de")

    def __init__(self, name: str, listener: Listener):
        self.name, self.listener = name, listener

    @torch.inference_mode()
    def transcribe(self, wave: Tensor, sample_rate: int) -> str:
        rate = self.listener.config.sample_rate
        best = self.listener(resample(wave, sample_rate, rate)[None]).characters[0].argmax(-1)
        symbols = self.listener.config.characters
        return "".join(symbols[i] for i in torch.unique_consecutive(best).tolist() if i != BLANK).strip()


class Whisper:
    """Whisper (Radford et al. 2022) from a folder that transformers saved it in; nothing is fetched."""

    def __init__(self, name: str, folder: Path):
        from transformers import AutoProcessor, WhisperForConditionalGeneration

        self.name, self.languages = name, LANGUAGES
        if not (folder / "config.json").exists():
            raise UserError(f"{name}: {folder} holds no config.json; name a folder that transformers saved Whisper in")
        try:
            self.processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
            self.model = WhisperForConditionalGeneration.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{name}: cannot be loaded ({' '.join(str(error).split())[:120]})") from None

    @torch.inference_mode()
    def transcribe(self, wave: Tensor, sample_rate: int) -> str:
        samples = resample(wave, sample_rate, SPEECH_RATE).numpy()
        features = self.processor(samples, sampling_rate=SPEECH_RATE, return_tensors="pt").input_features
        # Greedy, without the retries at higher temperatures that would draw: the same every time.
        heard = self.model.generate(features, do_sample=False, num_beams=1)
        return self.processor.batch_decode(heard, skip_special_tokens=True)[0].strip()


def knows_words(name: str) -> bool:
    """Whether a recogniser of this name spells words, or only characters, as a listener does."""
    return name == PocketSphinx.name or name.startswith(WHISPER)


def called(name: str) -> str:
    """How pages call a recogniser: without the place of its folder."""
    if name.startswith(WHISPER):
        return WHISPER + Path(name.removeprefix(WHISPER)).name
    return name if name == PocketSphinx.name else model_name(name)


def load_recogniser(name: str) -> Recogniser:
    """``pocketsphinx``, ``whisper:FOLDER``, or a listener by its name or folder; raises UserError for anything else."""
    if name == PocketSphinx.name:
        return PocketSphinx()
    if name.startswith(WHISPER):
        return Whisper(name, Path(name.removeprefix(WHISPER)))
    listener = load(name)
    if not isinstance(listener, Listener):
        raise UserError(
            f"{name}: is no listener; give pocketsphinx, whisper:FOLDER, or the name or folder of a listener"
        )
    return ListenerRecogniser(name, listener)


@dataclass(frozen=True)
class Errors:
    """Substitutions, deletions and insertions, in words and in characters, and how many there were to say."""

    word_errors: int
    words: int
    character_errors: int
    characters: int


def count_errors(text: str, heard: str, language: str = "en") -> Errors:
    """Compare what was heard with the text, both without case, punctuation and digits.

    Raises UserError for a text with nothing to say.
    """
    jiwer = import_evaluation("jiwer")
    reference, hypothesis = spoken_words(normalise(text, language)), spoken_words(heard)
    words = jiwer.process_words(reference, hypothesis)
    characters = jiwer.process_characters(reference, hypothesis)
    return Errors(
        words.substitutions + words.deletions + words.insertions,
        words.hits + words.substitutions + words.deletions,
        characters.substitutions + characters.deletions + characters.insertions,
        characters.hits + characters.substitutions + characters.deletions,
    )


def spoken_words(text: str) -> str:
    """Lower-cased words with single spaces; apostrophes inside words stay, hyphens divide."""
    text = re.sub(r"[^\w']|_", " ", text.lower())
    return " ".join(word.strip("'") for word in text.split() if word.strip("'"))
