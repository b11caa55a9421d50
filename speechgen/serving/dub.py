"""What the app's Dub tab does: other words in the voice of a clip, as long as the clip. Without gradio."""

import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.audio.watermark import mark
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving.limits import Limits
from speechgen.serving.prompts import sounding, trim_silence
from speechgen.serving.spoken import Spoken
from speechgen.serving.synthesiser import Synthesiser

SPEEDS = (0.5, 2.0)  # beyond which words do not sound natural any more
CLOSE = 0.02  # of its length that speech may miss before it is said again
TRIES = 3
FADE_SECONDS = 0.01


@dataclass(frozen=True)
class Dub:
    """What a visitor filled in: a ``clip``, what it says (or ""), and the words to say instead; ``adapt``: learn the
    clip's voice first."""

    clip: str | None
    text: str
    language: str
    transcript: str = ""
    clip_language: str = "en"
    drawing: Drawing = Drawing()
    seed: int = 0
    adapt: bool = False


@dataclass(frozen=True)
class Dubbed:
    """The file, as long as the clip, and what to tell, in Markdown."""

    wave: Path
    report: str


class Dubber:
    """Says other words in the time of a clip, into files in ``folder``."""

    def __init__(self, synthesiser: Synthesiser, folder: Path, limits: Limits = Limits()):
        self.synthesiser, self.folder, self.limits = synthesiser, folder, limits

    def dub(self, asked: Dub) -> Dubbed:
        """Raises UserError for a clip that cannot serve, and for words that do not fit into its time."""
        if not asked.clip:
            raise UserError("Record or upload a clip first.")
        if len(asked.text) > self.limits.text_characters:
            raise UserError(f"The text has {len(asked.text):,} characters; {self.limits.text_characters:,} may be.")
        warnings: list[str] = []
        told = (asked.transcript, asked.clip_language, "This clip", warnings.append)
        voice = self.synthesiser.voice(asked.clip, *told, adapt=asked.adapt)
        clip, rate = read_audio(asked.clip, self.synthesiser.sample_rate)
        start, end = sounding(clip, rate)
        said, speed = self._fitted(asked, voice, (end - start) / rate)
        speech = trim_silence(said.wave, rate)[: len(clip) - start].clone()
        fade = min(round(FADE_SECONDS * rate), len(speech))
        speech[len(speech) - fade :] *= torch.linspace(1, 0, fade)
        wave = torch.zeros(len(clip))
        wave[start : start + len(speech)] = speech
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        file = folder / f"dub-seed-{asked.seed}.wav"
        write_audio(file, mark(wave, rate), rate)
        lines = [f"**{len(clip) / rate:.2f} s**, as long as the clip · speed **{speed:.2f}**"]
        lines += [f"⚠️ {warning}." for warning in [*warnings, *said.warnings]]
        return Dubbed(file, "\n\n".join(lines))

    def _fitted(self, asked: Dub, voice: Voice, seconds: float) -> tuple[Spoken, float]:
        """The words said in so many seconds, as nearly as ``TRIES`` go, and the speed that this took."""
        speed = 1.0
        for number in range(TRIES):
            drawing = replace(asked.drawing, speed=speed)
            said = self.synthesiser.say(asked.text, voice, asked.language, drawing, asked.seed, watermark=False)
            took = len(trim_silence(said.wave, said.sample_rate)) / said.sample_rate
            if abs(took - seconds) < CLOSE * seconds or number == TRIES - 1:
                break
            wanted = speed * took / seconds
            if not number and not SPEEDS[0] <= wanted <= SPEEDS[1]:
                way = "Shorten the text" if wanted > 1 else "Say more"
                raise UserError(f"The words take {took:.1f} s, and the clip speaks for {seconds:.1f} s. {way}.")
            speed = min(max(wanted, SPEEDS[0]), SPEEDS[1])
        return said, speed
