"""The first half of a TTS evaluation: test sentences said in their speakers' voices, on disk, resumable.

The prompt is always another utterance of the same speaker. Layout: DIR/<utterance>.wav is what the model said,
DIR/resynthesis/<utterance>.wav the recording through the model's codec and back (the most that a model of its units
can reach), DIR/list.jsonl a line for each utterance, and DIR/generate.json what ran on what.
"""

import json
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.files import AudioError, read_audio_info, write_audio
from speechgen.errors import UserError, nearest
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import read_json, write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.recordings import Recordings, corpus_prefix, spread
from speechgen.models.lines import Drawing
from speechgen.models.load import fingerprint
from speechgen.models.voice import Voice
from speechgen.serving.synthesiser import ADAPTING, Synthesiser

LIST, RESYNTHESIS = "list.jsonl", "resynthesis"
PROMPT_SECONDS = (3.0, 10.0)  # how long a good prompt is
MANY_SPEAKERS = 10  # a corpus with more of them is represented by a few utterances of each
LEAST_SECONDS = 0.1


@dataclass(frozen=True)
class Choice:
    """Which utterances to say: of which ``corpora`` (all when empty), at most ``per_speaker`` of each speaker in a
    corpus of more than 10 speakers, and at most ``limit`` altogether."""

    corpora: tuple[str, ...] = ()
    per_speaker: int = 2
    limit: int | None = None

    def of(self, recordings: Recordings) -> list[str]:
        """Names of utterances, spread evenly where there are too many; raises UserError for an unknown corpus."""
        by_corpus: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name, utterance in recordings.utterances.items():
            by_corpus[corpus_prefix(utterance.speaker)][utterance.speaker].append(name)
        for corpus in self.corpora:
            if corpus not in by_corpus:
                raise UserError(f"--corpora {corpus}: {recordings.source} has none of it{nearest(corpus, by_corpus)}")
        chosen: list[str] = []
        for corpus, speakers in by_corpus.items():
            if self.corpora and corpus not in self.corpora:
                continue
            most = self.per_speaker if len(speakers) > MANY_SPEAKERS else None
            for names in speakers.values():
                chosen += spread(dict.fromkeys(names), most)
        return list(spread(dict.fromkeys(chosen), self.limit))


@dataclass
class SpokenList:
    """What was said so far, a line for each utterance: facts, or under ``failed`` why there is no speech.

    ``settings`` are what the speech depends on; what was said under others is forgotten and its audio deleted.
    Raises UserError for a folder that holds something else.
    """

    folder: Path
    settings: dict
    lines: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (self.folder / SUMMARY).exists()
        if not known and self.folder.exists() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder}: holds something else; choose another --out")
        lines = read_list(self.folder) if (self.folder / LIST).exists() else {}
        if known and read_json(self.folder / SUMMARY).get("settings") == self.settings:
            self.lines = lines
            return
        for name in lines:
            for path in self.audio(name):
                path.unlink(missing_ok=True)
        (self.folder / LIST).unlink(missing_ok=True)

    def audio(self, name: str) -> tuple[Path, Path]:
        """Where an utterance's speech lies, and the resynthesis of its recording."""
        return self.folder / f"{name}.wav", self.folder / RESYNTHESIS / f"{name}.wav"

    def is_done(self, name: str, stamp: str) -> bool:
        """Whether an utterance was said on the grounds that ``stamp`` stands for, and its audio is still there."""
        line = self.lines.get(name, {})
        return line.get("stamp") == stamp and "failed" not in line and all(path.exists() for path in self.audio(name))

    def put(self, name: str, facts: dict) -> None:
        """Write an utterance's line; the list on disk is always whole."""
        self.lines[name] = {"id": name, **facts}
        lines = [json.dumps(line, ensure_ascii=False, allow_nan=False) for line in self.lines.values()]
        write_text(self.folder / LIST, "\n".join(lines) + "\n")


def read_list(folder: Path) -> dict[str, dict]:
    """The lines of DIR/list.jsonl by utterance; raises UserError for a missing or damaged file."""
    path = folder / LIST
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {line["id"]: line for line in lines}
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file; run 'speechgen tts generate' first") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: is damaged; delete it and generate again") from None


def speak_all(
    synthesiser: Synthesiser,
    recordings: Recordings,
    chosen: list[str],
    out: str | Path,
    drawing: Drawing = Drawing(),
    seed: int = 0,
    facts: dict | None = None,
    on_utterance: Callable[[], None] = lambda: None,
    adapt: bool = False,
) -> SpokenList:
    """Say the text of each chosen utterance; what is already there and unchanged is kept.

    ``facts``: plain values for the report, such as the model's card. ``adapt``: to each prompt first. An utterance that
    fails is written down with the reason, and tried again the next time.
    """
    out = Path(out)
    prompts = choose_prompts(recordings)
    settings = {
        "tts": fingerprint(synthesiser.tts),
        "codec": fingerprint(synthesiser.codec),
        "drawing": asdict(drawing),
        "seed": seed,
        **({"adapt": ADAPTING.model_dump(mode="json")} if adapt else {}),
    }
    voices = _Voices(synthesiser, recordings, adapt)
    spoken = SpokenList(out, settings)
    (out / RESYNTHESIS).mkdir(parents=True, exist_ok=True)
    summary = {
        "source": recordings.source,
        "sample_rate": synthesiser.sample_rate,
        "listener": synthesiser.tts.config.listener,
        "settings": settings,
        "facts": {**(facts or {}), "generated on": describe_machine()},
    }
    write_json(out / SUMMARY, summary)
    for name in chosen:
        prompt = prompts.get(name)
        stamp = recordings.stamp(name) + (f", prompt {recordings.stamp(prompt)}" if prompt else "")
        if not spoken.is_done(name, stamp):
            utterance = recordings.utterances[name]
            line = {
                "stamp": stamp,
                "speaker": utterance.speaker,
                "language": utterance.language,
                "text": utterance.text,
                "prompt": prompt,
            }
            try:
                if prompt is None:
                    raise UserError("has no prompt: its speaker said nothing else")
                line |= _say(voices, name, prompt, spoken.audio(name), drawing, seed)
            except UserError as error:  # a fault of this utterance or of its prompt; the others go on
                line["failed"] = str(error)
            spoken.put(name, line)
        on_utterance()
    return spoken


def choose_prompts(recordings: Recordings) -> dict[str, str]:
    """For each utterance another one of the same speaker with other words; those without one are missing.

    The next in the list that is between 3 and 10 seconds long, else the one nearest to that.
    """
    of_speaker: dict[str, list[str]] = defaultdict(list)
    for name, utterance in recordings.utterances.items():
        of_speaker[utterance.speaker].append(name)
    distances = {name: _from_good_length(recordings, name) for name in recordings.utterances}
    prompts = {}
    for names in of_speaker.values():
        words = {name: recordings.utterances[name].text.lower().split() for name in names}
        for place, name in enumerate(names):
            others = [other for other in names[place + 1 :] + names[:place] if words[other] != words[name]]
            if others:
                prompts[name] = min(others, key=distances.__getitem__)
    return prompts


@torch.inference_mode()
def resynthesise(synthesiser: Synthesiser, wave: Tensor) -> Tensor:
    """A recording (T,) through the units that the TTS draws, and back: (T,)."""
    codec, config = synthesiser.codec, synthesiser.tts.config
    if config.unit == "latents":
        made = codec.decode_latents(codec.latents(wave[None, None]))
    else:
        made = codec.decode(codec.encode(wave[None, None], config.codebooks))
    return made[0, 0, : len(wave)]


@dataclass
class _Voices:
    """Voices of prompts, with what is not ideal about them; the last one is kept, since neighbours share prompts."""

    synthesiser: Synthesiser
    recordings: Recordings
    adapt: bool
    last: tuple[str, Voice, list[str]] | None = None

    def of(self, prompt: str) -> tuple[Voice, list[str]]:
        if self.last is None or self.last[0] != prompt:
            said, rate, warnings = self.recordings.utterances[prompt], self.synthesiser.sample_rate, []
            heard = (self.recordings.read(prompt, rate), rate)
            asked = (heard, said.text, said.language, prompt, warnings.append)
            self.last = prompt, self.synthesiser.voice(*asked, adapt=self.adapt), warnings
        return self.last[1:]


def _say(voices: _Voices, name: str, prompt: str, paths: tuple[Path, Path], drawing: Drawing, seed: int) -> dict:
    """Write an utterance's speech and resynthesis; what it took. Raises UserError when it cannot be done."""
    synthesiser, recordings = voices.synthesiser, voices.recordings
    utterance, rate = recordings.utterances[name], synthesiser.sample_rate
    if utterance.language not in synthesiser.languages:
        raise UserError(f"is in {utterance.language!r}, and the model speaks {', '.join(synthesiser.languages)}")
    voice, warnings = voices.of(prompt)
    # Each utterance has a seed of its own, which does not hang on what else is said.
    own_seed = zlib.crc32(f"{seed} {name}".encode())
    said = synthesiser.say(utterance.text, voice, utterance.language, drawing, own_seed)
    if said.seconds < LEAST_SECONDS or not torch.isfinite(said.wave).all():
        raise AudioError(f"came out as {said.seconds:.2f} seconds of no use")
    write_audio(paths[0], said.wave, rate)
    write_audio(paths[1], resynthesise(synthesiser, recordings.read(name, rate)), rate)
    return {
        "seed": own_seed,
        "seconds": round(said.seconds, 4),
        "x_real_time": round(said.x_real_time, 4),
        "first_audio": round(said.first_audio, 4),
        "warnings": warnings + said.warnings,
    }


def _from_good_length(recordings: Recordings, name: str) -> float:
    """Seconds that an utterance is too short or too long for a prompt by; endless for one that cannot be read."""
    utterance = recordings.utterances[name]
    try:
        if utterance.segment:
            seconds = utterance.segment.end - utterance.segment.start
        else:
            seconds = PROMPT_SECONDS[0] if utterance.pipe else read_audio_info(utterance.path).seconds
    except AudioError:
        return float("inf")
    shortest, longest = PROMPT_SECONDS
    return max(shortest - seconds, seconds - longest, 0.0)
