"""The mini corpus: English and German speech of several made-up speakers, generated on the spot."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from speechgen.audio.files import write_audio
from speechgen.audio.resample import resample
from speechgen.data.espeak import Espeak, EspeakVoice
from speechgen.data.folders import new_folder
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.sentences import sentences
from speechgen.errors import UserError

SAMPLE_RATE = 16000
LANGUAGES = {"en": "en-us", "de": "de"}
# espeak-ng's plain variants, women and men in turn so that few speakers differ much.
VARIANTS = ("f2", "m3", "m7", "f5", "f1", "m1", "m4", "f3", "f4", "m2", "m5", "m6", "m8")
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Speaker:
    """A made-up speaker."""

    id: str
    language: str
    gender: str
    voice: EspeakVoice


def make_mini(
    out: str | Path,
    speakers: int = 6,
    sentences_each: int = 40,
    seed: int = 0,
    on_utterance: Callable[[], None] = lambda: None,
) -> dict[str, DataDir]:
    """Write ``out``/train, dev and test with 16 kHz recordings below ``out``/audio; returns them by name.

    Every speaker says ``sentences_each`` sentences, a tenth of them (at least one) in dev and as many in test;
    no sentence of dev or test occurs in train. The same arguments give the same files.
    Raises UserError for too few or too many speakers or sentences, or without the [g2p] extra.
    """
    most = len(sentences("en")) // 2
    if not 1 <= speakers <= 99:
        raise UserError(f"--speakers {speakers}: between 1 and 99 are possible")
    if not 3 <= sentences_each <= most:
        raise UserError(f"--sentences {sentences_each}: between 3 and {most} are possible")
    out = Path(out)
    espeak = Espeak()
    random = np.random.default_rng(seed)
    utterances: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    with new_folder(out / "audio") as folder:
        for speaker in _speakers(speakers, random):
            chosen = _choose(speaker.language, sentences_each, random)
            for number, (split, text) in enumerate(chosen):
                id = f"{speaker.id}-{number:04d}"
                name = Path(speaker.id) / f"{id}.wav"
                (folder / speaker.id).mkdir(exist_ok=True)
                samples = torch.from_numpy(espeak.say(text, speaker.voice).astype(np.float32) / 32768)
                write_audio(folder / name, resample(samples, espeak.sample_rate, SAMPLE_RATE), SAMPLE_RATE)
                extras = {"spk2gender": speaker.gender}
                path = out / "audio" / name
                utterances[split].append(Utterance(id, path, text, speaker.id, speaker.language, extras))
                on_utterance()
    directories = {split: DataDir(utterances[split], out) for split in SPLITS}
    for split, directory in directories.items():
        directory.write(out / split)
    return directories


def _speakers(count: int, random: np.random.Generator) -> list[Speaker]:
    made = []
    for number in range(count):
        language = list(LANGUAGES)[number % len(LANGUAGES)]
        variant = VARIANTS[number % len(VARIANTS)]
        rate, pitch, liveliness = random.integers((140, 35, 35), (186, 66, 66)).tolist()
        voice = EspeakVoice(f"{LANGUAGES[language]}+{variant}", rate, pitch, liveliness)
        made.append(Speaker(f"mini{number + 1:02d}", language, variant[0], voice))
    return made


def _choose(language: str, count: int, random: np.random.Generator) -> list[tuple[str, str]]:
    """(split, sentence) pairs; a sentence belongs to one split for all speakers."""
    held_out = max(1, count // 10)
    pools: dict[str, list[str]] = {split: [] for split in SPLITS}
    for number, sentence in enumerate(sentences(language)):
        pools[{3: "dev", 7: "test"}.get(number % 8, "train")].append(sentence)
    wanted = {"train": count - 2 * held_out, "dev": held_out, "test": held_out}
    return [
        (split, pools[split][index])
        for split in SPLITS
        for index in random.choice(len(pools[split]), wanted[split], replace=False)
    ]
