"""What the app's Clone tab does: look at a prompt, and say a text in its voice. Without gradio."""

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from speechgen.audio.files import write_audio
from speechgen.errors import UserError, nearest
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving.limits import Limits
from speechgen.serving.pictures import take_png
from speechgen.serving.prompts import read_prompt
from speechgen.serving.spoken import Spoken
from speechgen.serving.synthesiser import Synthesiser
from speechgen.serving.voices import find_voice, shipped_voices

KEPT = 4  # voices that were adapted


@dataclass(frozen=True)
class Asked:
    """What a visitor filled in; ``voice`` is a shipped name, or empty for the voice of ``prompt`` and of ``more``
    recordings, whose ``transcript`` has a line for each."""

    text: str
    language: str
    prompt: str | None
    voice: str = ""
    transcript: str = ""
    prompt_language: str = "en"
    drawing: Drawing = Drawing()
    seed: int = 0
    takes: int = 1
    guard: bool = True
    more: tuple[str, ...] = ()
    adapt: bool = False


@dataclass(frozen=True)
class Cloned:
    """Files of the takes (``waves``, and a picture of each) and of the voice, and what to tell, in Markdown."""

    waves: list[Path]
    pictures: list[Path]
    voice: Path
    report: str


class Cloner:
    """Says texts in the voices of prompts, into files in ``folder``."""

    def __init__(self, synthesiser: Synthesiser, folder: Path, limits: Limits = Limits()):
        self.synthesiser, self.folder, self.limits = synthesiser, folder, limits
        self._adapted: OrderedDict[tuple, Voice] = OrderedDict()  # the latest, so that the next line need not wait

    def voices(self) -> list[str]:
        """Shipped voices that this model can speak in."""
        fitting = self.synthesiser.codec_fingerprint
        return [name for name in shipped_voices() if find_voice(name).codec == fitting]

    def look_at(self, prompt: str | None) -> str:
        """What a recording is like as a prompt, in Markdown; "" for none."""
        if not prompt:
            return ""
        try:
            found = read_prompt(prompt, self.synthesiser.sample_rate, "This recording")
        except UserError as error:
            return f"❌ {_plain(str(error))}."
        seconds = len(found.wave) / found.sample_rate
        if not found.warnings:
            return f"✅ A good prompt: {seconds:.1f} seconds of speech."
        return "\n".join(f"⚠️ {_plain(warning)}.\n" for warning in found.warnings)

    def clone(self, asked: Asked) -> Cloned:
        """Say what is asked; raises UserError for what cannot be said, a prompt that cannot serve, too much at once."""
        limits = self.limits
        if len(asked.text) > limits.text_characters:
            count = f"{len(asked.text):,} characters"
            raise UserError(f"The text has {count}; here it may have {limits.text_characters:,}. Split it.")
        if not 1 <= asked.takes <= limits.takes or asked.drawing.steps > limits.steps:
            raise UserError(f"Ask for 1 to {limits.takes} takes and at most {limits.steps} steps.")
        warnings: list[str] = []
        voice = self._voice(asked, warnings)
        spoken = self.synthesiser.say(
            asked.text,
            voice,
            asked.language,
            asked.drawing,
            seed=asked.seed,
            takes=asked.takes,
            guard=self.synthesiser.guard() if asked.guard else None,
        )
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        waves, pictures = [], []
        for number, take in enumerate(spoken.takes, start=1):
            waves.append(folder / f"take-{number}-seed-{take.seed}.wav")
            write_audio(waves[-1], take.wave, spoken.sample_rate)
            pictures.append(folder / f"take-{number}.png")
            pictures[-1].write_bytes(take_png(take, spoken.sample_rate))
        file = folder / f"{asked.voice or 'my'}.voice"
        voice.save(file)
        return Cloned(waves, pictures, file, report(spoken, warnings))

    def _voice(self, asked: Asked, warnings: list[str]) -> Voice:
        if asked.voice:
            if asked.voice not in self.voices():
                raise UserError(f"{asked.voice}: no voice of that name{nearest(asked.voice, self.voices())}")
            return find_voice(asked.voice)
        prompts = [prompt for prompt in (asked.prompt, *asked.more) if prompt]
        if not prompts:
            raise UserError("Record or upload a prompt first, or choose a voice from the list.")
        lines = [line.strip() for line in asked.transcript.splitlines() if line.strip()]
        if len(prompts) > 1 and lines and len(lines) != len(prompts):
            counts = f"{len(prompts)} recordings, and {len(lines)} lines of what they say"
            raise UserError(f"There are {counts}; write one line for each, in order.")
        said = [" ".join(lines)] if len(prompts) == 1 else lines or None
        key = *prompts, *lines, asked.prompt_language
        if asked.adapt and key in self._adapted:
            return self._adapted[key]
        told = (said, asked.prompt_language, "This recording" if len(prompts) == 1 else "Recording", warnings.append)
        voice = self.synthesiser.voice(prompts, *told, adapt=asked.adapt)
        if asked.adapt:
            self._adapted[key] = voice
            while len(self._adapted) > KEPT:
                self._adapted.popitem(last=False)
        return voice


def report(spoken: Spoken, warnings: list[str]) -> str:
    """How it went: figures, and every warning, in Markdown."""
    milliseconds = 1000 * spoken.first_audio
    figures = [
        f"**{spoken.seconds:.1f} s** of speech",
        f"first audio after **{milliseconds:.0f} ms**",
        f"**{spoken.x_real_time:.1f}x** real time",
        f"{len(spoken.takes[0].spans)} sentence chunk{'s' if len(spoken.takes[0].spans) > 1 else ''}",
    ]
    lines = [
        " · ".join(figures),
        *_checked(spoken),
        *(f"⚠️ {_plain(warning)}." for warning in [*warnings, *spoken.warnings]),
    ]
    return "\n\n".join(lines)


def _checked(spoken: Spoken) -> list[str]:
    """A table of what the guard made of each chunk; nothing where none was asked."""
    rows = [(number, check) for number, take in enumerate(spoken.takes, start=1) for check in take.checks]
    if not rows:
        return []
    lines = ["| take | chunk | seconds | tries | guard |", "|---:|---|---:|---:|---|"]
    for number, check in rows:
        sign, why = ("❌", "; ".join(check.reasons)) if check.reasons else ("✅", "; ".join(check.first_reasons))
        why = why and (why if check.reasons else f"first try: {why}")
        shown = f"{sign} {check.verdict}{f' ({why})' if why else ''}"
        cells = (str(number), check.text.replace("|", " "), f"{check.seconds:.1f}", str(check.tries), shown)
        lines.append(f"| {' | '.join(cells)} |")
    return ["\n".join(lines)]


def _plain(line: str) -> str:
    """A line such as "This recording: is silent" as a sentence."""
    sentence = line.replace("This recording: ", "This recording ").rstrip(".")
    return sentence[:1].upper() + sentence[1:]
