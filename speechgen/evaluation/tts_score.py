"""The second half of a TTS evaluation: what recognisers understand, whom it sounds like, how clean it is.

The recordings and their resynthesis by the codec are judged beside the speech, every corpus by itself.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

from speechgen.audio.files import AudioError, read_audio
from speechgen.audio.pitch import pitch_track
from speechgen.data.kaldi import Utterance
from speechgen.errors import UserError
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import read_json, score_items, stamp_of, write_json
from speechgen.evaluation.metrics import (
    LEAST_VOICED,
    SPEECH_RATE,
    Dnsmos,
    SpeakerSimilarity,
    Unscorable,
    require_evaluation,
)
from speechgen.evaluation.recognisers import WHISPER, PocketSphinx, Recogniser, count_errors, load_recogniser
from speechgen.evaluation.recordings import Recordings, corpus_prefix, find_recordings, spread
from speechgen.evaluation.score import REPORT
from speechgen.evaluation.tts import RESYNTHESIS, read_list
from speechgen.evaluation.tts_report import (
    VERSIONS,
    Scores,
    closer_to_own,
    corpus_line,
    is_asked,
    speed,
    utterance_lines,
)
from speechgen.evaluation.tts_targets import tts_targets

JUDGEMENT = 2  # changes when what is measured does, so that older scores are not taken for whole
HEARD_OF_SPEAKER = 10  # recordings that stand for the voice of another speaker
PACKAGES = ("jiwer", "pocketsphinx", "resemblyzer", "speechmos", "onnxruntime")


@dataclass(frozen=True)
class Heard:
    """One recording for recognisers to hear, before they are asked about speech."""

    name: str
    source: str
    recognisers: tuple[str, ...]

    def stamp(self) -> str:
        return f"{_recordings(self.source).stamp(self.name)}, {' '.join(self.recognisers)}"


@dataclass(frozen=True)
class Judged:
    """One utterance to judge. ``own``: its speaker's other recordings; ``other``: those of a random other speaker;
    ``prompt``: the recording whose voice it was said in."""

    name: str
    folder: Path
    source: str
    own: tuple[str, ...]
    other: tuple[str, ...]
    prompt: str
    recognisers: tuple[str, ...]

    @property
    def audio(self) -> tuple[Path, Path]:
        """The speech and the resynthesis."""
        return self.folder / f"{self.name}.wav", self.folder / RESYNTHESIS / f"{self.name}.wav"

    def stamp(self) -> str:
        recorded = _recordings(self.source).stamp(self.name)
        voices = zlib.crc32(repr((self.own, self.other, self.prompt)).encode())
        return f"{JUDGEMENT}: {stamp_of(*self.audio)}, {recorded}, voices {voices:x}, {' '.join(self.recognisers)}"


def score_speech(
    folder: str | Path,
    listener: str | None = None,
    jobs: int = 1,
    seed: int = 0,
    on_utterance: Callable[[], None] = lambda: None,
    time_limit: float | None = None,
    whisper: str | Path | None = None,
    heard_in: Path | None = None,
) -> dict:
    """Score what ``speak_all`` made, write DIR/report.json and return it; scores that are already there are kept.

    Pocketsphinx listens to English, to everything the listener: the one that the model was aligned by, unless another
    is named; and Whisper from the folder ``whisper``, if given. All hear the recordings first, and the speech if
    ``is_asked`` says so. What they hear of the recordings is kept in the folder ``heard_in``, if given, so that the
    next model's speech finds it there. ``seed`` draws the other speaker that each voice is compared with. What takes
    longer than ``time_limit`` seconds has failed. Raises UserError for nothing to score or a missing package of the
    extra ``eval``.
    """
    folder = Path(folder)
    summary, lines = read_json(folder / SUMMARY), read_list(folder)
    for package in PACKAGES:
        require_evaluation(package)
    recognisers = (PocketSphinx.name, listener or summary["listener"], *([f"{WHISPER}{whisper}"] if whisper else []))
    for name in recognisers:
        load_recogniser(name)  # a wrong name is told now, not by a worker
    recordings = _recordings(summary["source"])
    gone = [name for name in lines if name not in recordings.utterances]
    if gone:
        raise UserError(f"{summary['source']}: {gone[0]} is not there any more; generate again")
    failed = {name: line["failed"] for name, line in lines.items() if "failed" in line}
    for _ in failed:
        on_utterance()
    said = [name for name in lines if name not in failed]
    by_corpus: dict[str, list[str]] = defaultdict(list)
    for name, line in lines.items():
        by_corpus[corpus_prefix(line["speaker"])].append(name)
    first = {f"{name} recording": Heard(name, recordings.source, recognisers) for name in said}
    heard, _ = score_items(heard_in or folder, first, listen, jobs, lambda: None, time_limit)
    items = {}
    for names in by_corpus.values():
        known = [heard[key] for name in names if (key := f"{name} recording") in heard]
        asked = tuple(name for name in recognisers if is_asked(name, known))
        items |= {
            name: _judged(name, lines[name]["prompt"], folder, recordings, asked, seed)
            for name in names
            if name in said
        }
    scores, unscorable = score_items(folder, items, judge, jobs, on_utterance, time_limit)
    for name, one in scores.items():
        one["recording"] |= heard.get(f"{name} recording", {"recording": {"errors": {}}})["recording"]
    failed |= unscorable
    corpora = [corpus_line(corpus, names, lines, scores) for corpus, names in by_corpus.items()]
    together = {"closer": closer_to_own(lines, scores), **speed(lines[name] for name in said)}
    report = {
        "source": summary["source"],
        "sample_rate": summary["sample_rate"],
        "facts": summary["facts"],
        "n": len(scores),
        "failed": len(failed),
        "targets": tts_targets(corpora, together),
        "corpora": corpora,
        "all": together,
        "utterances": utterance_lines(lines, scores, failed),
        "failures": [{"utterance": name, "reason": reason} for name, reason in failed.items()],
    }
    write_json(folder / REPORT, report)
    return report


def judge(item: Judged) -> Scores | str:
    """The scores of an utterance's three versions, or why there are none."""
    recordings = _recordings(item.source)
    utterance = recordings.utterances[item.name]
    try:
        speech, rate = read_audio(item.audio[0])
        waves = speech, recordings.read(item.name, rate), read_audio(item.audio[1], rate)[0]
        voices = {
            "sim": _voice(item.source, item.own, rate),
            "sim_other": _voice(item.source, item.other, rate),
            "sim_prompt": _voice(item.source, (item.prompt,), rate),
        }
        others = _other_voices(item.source, utterance.speaker, rate)
        scores: Scores = {}
        for version, wave in zip(VERSIONS, waves, strict=True):
            errors = {} if version == "recording" else _errors(utterance, wave, rate, item.recognisers)
            length = {"length": len(wave) / len(waves[1])}
            scores[version] = {
                "errors": errors,
                **_judgements(wave, rate, voices, others),
                **_pitch(wave, rate),
                **length,
            }
        return scores
    except UserError as error:  # of its recording, its audio or its text
        return str(error)


def listen(item: Heard) -> Scores | str:
    """What recognisers make of a recording, or why they could not hear it."""
    try:
        utterance = _recordings(item.source).utterances[item.name]
        wave = _recordings(item.source).read(item.name, SPEECH_RATE)
        return {"recording": {"errors": _errors(utterance, wave, SPEECH_RATE, item.recognisers)}}
    except UserError as error:
        return str(error)


def _errors(utterance: Utterance, wave: Tensor, rate: int, recognisers: tuple[str, ...]) -> dict[str, dict]:
    """By recogniser that knows the language, what it heard and its errors."""
    errors = {}
    for recogniser in _recognisers(recognisers):
        if utterance.language in recogniser.languages:
            heard = recogniser.transcribe(wave, rate)
            counts = count_errors(utterance.text, heard, utterance.language)
            errors[recogniser.name] = {"heard": heard, **asdict(counts)}
    return errors


def _judged(
    name: str, prompt: str, folder: Path, recordings: Recordings, recognisers: tuple[str, ...], seed: int
) -> Judged:
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for other, utterance in recordings.utterances.items():
        by_speaker[utterance.speaker].append(other)
    speaker = recordings.utterances[name].speaker
    own = tuple(other for other in by_speaker[speaker] if other != name)
    strangers = sorted(set(by_speaker) - {speaker})
    # Drawn for each utterance by itself, so that it does not hang on which others were said.
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())])
    other = tuple(by_speaker[strangers[draw.integers(len(strangers))]]) if strangers else ()
    return Judged(name, folder, recordings.source, own, other, prompt, recognisers)


def _judgements(
    wave: Tensor, rate: int, voices: dict[str, np.ndarray | None], others: list[np.ndarray]
) -> dict[str, float | None]:
    """DNSMOS, the similarity to each voice, and whether the speaker's own is the ``first`` of all (1 or 0); None for
    what cannot be judged."""
    dnsmos, similarity = _judges()
    scores: dict[str, float | None] = {"dnsmos": None, "first": None, **dict.fromkeys(voices)}
    try:
        scores["dnsmos"] = dnsmos(None, wave, rate)
        embedding = similarity.embed(wave, rate)
    except Unscorable:
        return scores
    for key, voice in voices.items():
        scores[key] = None if voice is None else float(embedding @ voice)
    if scores["sim"] is not None and others:
        scores["first"] = float(scores["sim"] > max(float(embedding @ other) for other in others))
    return scores


def _pitch(wave: Tensor, rate: int) -> dict[str, float | None]:
    """The median of F0 in Hz, and its standard deviation in semitones; None where hardly anything is voiced."""
    track = pitch_track(wave, rate)
    voiced = track[~np.isnan(track)]
    if len(voiced) < LEAST_VOICED:
        return {"f0": None, "f0_spread": None}
    return {"f0": float(np.median(voiced)), "f0_spread": float(np.std(12 * np.log2(voiced)))}


@cache
def _other_voices(source: str, speaker: str, rate: int) -> list[np.ndarray]:
    """The voices of all other speakers, each from some of its recordings."""
    by_speaker: dict[str, dict[str, None]] = defaultdict(dict)
    for name, utterance in _recordings(source).utterances.items():
        by_speaker[utterance.speaker][name] = None
    found = [
        _voice(source, tuple(spread(names, HEARD_OF_SPEAKER)), rate)
        for other, names in by_speaker.items()
        if other != speaker
    ]
    return [voice for voice in found if voice is not None]


@cache
def _voice(source: str, names: tuple[str, ...], rate: int) -> np.ndarray | None:
    """The mean direction of the embeddings of recordings, or None where no voice is found in any."""
    found = [embedding for name in names if (embedding := _embedding(source, name, rate)) is not None]
    if not found:
        return None
    mean = np.mean(found, axis=0)
    return mean / np.linalg.norm(mean)


@cache
def _embedding(source: str, name: str, rate: int) -> np.ndarray | None:
    try:
        return _judges()[1].embed(_recordings(source).read(name, rate), rate)
    except (AudioError, Unscorable):
        return None


# Loaded once in each process.
@cache
def _recordings(source: str) -> Recordings:
    return find_recordings(source)


@lru_cache(maxsize=1)
def _judges() -> tuple[Dnsmos, SpeakerSimilarity]:
    return Dnsmos(), SpeakerSimilarity()


@lru_cache(maxsize=4)
def _recognisers(names: tuple[str, ...]) -> list[Recogniser]:
    return [load_recogniser(name) for name in names]
