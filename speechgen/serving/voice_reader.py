"""From recordings and their transcripts to what a TTS knows of a voice."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.models.align import align
from speechgen.models.listener import Listener
from speechgen.models.match import Match, match
from speechgen.models.rows import symbol_numbers
from speechgen.models.tts_config import TTSConfig
from speechgen.serving.prompts import Prompt, pause_before, read_prompt
from speechgen.text.normalise import normalise
from speechgen.text.spelling import spell
from speechgen.tokenizers.codec import Codec

PROMPT_SECONDS = (3.0, 6.0)  # a longer prompt is cut at a pause between these
# What half the words of a transcript must be worth to the shipped listener, in nats per phoneme (the median of
# ``without``). On dev (40 recordings of kathleen, 40 of kerstin, 160 of speechocean762) 0, 0 and 1.3 % of their own
# texts are below, 100, 100 and 91 % of another's of like length, 93, 75 and 58 % of another's about half as long.
NOT_SAID = -3.0

Source = str | Path | tuple[Tensor, int]  # a file, or (wave (T,), rate in Hz)


@dataclass
class _Written:
    text: str
    language: str


@dataclass(frozen=True)
class Piece:
    """One recording: its sound, its latents (T, C), and the symbol number of each frame, or -1 where none is known."""

    prompt: Prompt
    latents: Tensor
    symbols: Tensor

    def cut(self, seconds: float, hop: int) -> tuple[Tensor, Tensor]:
        """Latents and symbols of the beginning, up to a pause in the second half of so many seconds."""
        wave, rate = self.prompt.wave, self.prompt.sample_rate
        shortest, longest = PROMPT_SECONDS
        frames = round(pause_before(wave, rate, seconds * shortest / longest, seconds) * rate / hop)
        if frames * hop >= len(wave) - hop:
            return self.latents, self.symbols
        return self.latents[:frames], self.symbols[:frames]


@dataclass(frozen=True)
class VoiceReader:
    """Reads prompts as a TTS of this config does, with its codec and listener."""

    config: TTSConfig
    codec: Codec
    listener: Listener

    @torch.no_grad()
    def read(
        self, source: Source, transcript: str | None, language: str, name: str | None, warn: Callable[[str], None]
    ) -> Piece:
        """A recording, and where each symbol of its transcript is said.

        A transcript that does not fit is left aside; that, and every fault of the recording that is not fatal, is told
        to ``warn``. ``name`` is what messages call it. Raises UserError for a recording that cannot serve.
        """
        heard = read_prompt(source, self.codec.sample_rate, name)
        for warning in heard.warnings:
            warn(warning)
        # Rounded as a voice file is, so that a saved voice speaks as the prompt did.
        latents = self.codec.latents(heard.wave[None, None])[0].half().float()
        symbols = torch.full((len(latents),), -1)
        if transcript and transcript.strip():
            symbols = self._symbols(heard, transcript, language, len(latents), warn)
        return Piece(heard, latents, symbols)

    def joined(self, pieces: list[Piece]) -> tuple[Tensor, Tensor]:
        """One prompt of several recordings, in order: each has an equal share of the time that those before it left."""
        parts, left = [], PROMPT_SECONDS[1]
        for number, piece in enumerate(pieces):
            parts.append(piece.cut(left / (len(pieces) - number), self.codec.hop))
            left = max(0.0, left - len(parts[-1][0]) / self.codec.frame_rate)
        latents, symbols = zip(*parts, strict=True)
        return torch.cat(latents), torch.cat(symbols)

    def _symbols(
        self, prompt: Prompt, transcript: str, language: str, frames: int, warn: Callable[[str], None]
    ) -> Tensor:
        """The number of the symbol that each frame of a prompt belongs to, or -1 where its transcript does not fit."""
        unknown = torch.full((frames,), -1)
        if self.config.text != "phonemes":
            warn("this model reads characters, whose times nobody knows: the transcript is left aside")
            return unknown
        spoken = spell([_Written(normalise(transcript, language), language)], "phonemes")[0]
        wave = resample(prompt.wave, prompt.sample_rate, self.listener.config.sample_rate)
        try:
            aligned = align(self.listener, wave, spoken)
        except UserError as error:
            warn(f"the transcript does not fit the prompt and is left aside: {error}")
            return unknown
        found = match(self.listener, wave, spoken)
        if frames < len(spoken) or (found is not None and _worth(found) < NOT_SAID):
            warn("the transcript is not what the prompt says and is left aside")
            return unknown
        positions, _ = aligned.frames(frames, self.codec.frame_rate)
        return torch.from_numpy(symbol_numbers(self.config, spoken)[positions])


def _worth(found: Match) -> float:
    """What the word in the middle adds to the likelihood of a text; least where the speech is too short for it."""
    return median(word.without for word in found.words) if found.words else float("-inf")
