"""Text in, speech out: a TTS, its codec and its listener, loaded once and shared by any number of sessions."""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.models.conditions import prompt_of
from speechgen.models.draft import check_draft
from speechgen.models.lines import Drawing
from speechgen.models.listener import Listener
from speechgen.models.load import load, unit_fingerprint
from speechgen.models.rows import symbol_numbers
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import UNKNOWN
from speechgen.models.voice import Voice
from speechgen.nn.packed import Precision
from speechgen.orders.speculative import Tally
from speechgen.serving.batcher import Batcher
from speechgen.serving.copies import Copies, pack
from speechgen.serving.guard import RETRIES, Guard
from speechgen.serving.session import Levels, Passage, Session
from speechgen.serving.spoken import Spoken, Take
from speechgen.serving.voice_reader import Source, VoiceReader
from speechgen.text.chunks import split_sentences
from speechgen.text.normalise import left_out, normalise
from speechgen.text.override import plain
from speechgen.text.pauses import rest_after
from speechgen.text.spelling import PAUSE, spell_with_rests
from speechgen.tokenizers.codec import Codec
from speechgen.training.adapt import AdaptConfig, adapt

ADAPTING = AdaptConfig()
CHUNK_CHARACTERS = 160  # about ten seconds of speech, which is what the TTS was trained on
RANGES = {"steps": (1, 100), "guidance": (0.0, 10.0), "temperature": (0.0, 2.0), "speed": (0.25, 4.0)}


class Synthesiser:
    """Speaks text in the voice of a prompt. Nothing that it holds changes what is said, so threads may share one."""

    def __init__(
        self,
        tts: TokenTTS,
        codec: Codec,
        listener: Listener,
        precision: Precision = "f32",
        draft: TokenTTS | None = None,
    ):
        """Takes the TTS over, whose matrices of every step are packed in this ``precision`` (``nn.packed``). A smaller
        ``draft`` proposes codes to it.

        Raises UserError when the TTS was not trained on units of this codec's shape, and for a draft unlike it.
        """
        self.tts, self.codec, self.listener = tts, codec, listener
        wanted = (tts.config.frame_rate, tts.config.unit_width)
        if wanted != (codec.frame_rate, codec.config.width) or codec.codebooks < self._codebooks:
            units = f"{codec.frame_rate:g} Hz, {codec.config.width} channels and {codec.codebooks} codebooks"
            raise UserError(f"{tts.config.codec}: a codec of {units} does not fit this TTS")
        self.codec_fingerprint = unit_fingerprint(codec)
        if draft is not None:
            check_draft(tts, draft)
        self.precision, self.draft = precision, None if draft is None else pack(draft, precision)
        self._copies, self._reader = Copies(tts, precision), VoiceReader(tts.config, codec, listener)

    @classmethod
    def load(
        cls, model: str | Path = "starter-tts", precision: Precision = "f32", draft: str | Path | None = None
    ) -> "Synthesiser":
        """A TTS by name or folder, with the codec and the listener that its config names, and a draft for it."""
        modules = [load(name) for name in (model, draft) if name is not None]
        for name, module in zip((model, draft), modules):
            if not isinstance(module, TokenTTS):
                raise UserError(f"{name}: is a {module.config.kind}, and speaking takes a tts")
        return cls.of(modules[0], precision, *modules[1:])

    @classmethod
    def of(cls, tts: TokenTTS, precision: Precision = "f32", draft: TokenTTS | None = None) -> "Synthesiser":
        """A TTS that is loaded already, with the codec and the listener that its config names."""
        return cls(tts, load(tts.config.codec), load(tts.config.listener), precision, draft)

    @property
    def sample_rate(self) -> int:
        """Of all audio that comes out, in Hz."""
        return self.codec.sample_rate

    @property
    def languages(self) -> list[str]:
        """Languages that it speaks."""
        return self.tts.config.languages

    def voice(
        self,
        prompt: Source | list[Source],
        transcript: str | list[str | None] | None = None,
        language: str = "en",
        name: str | None = None,
        warn: Callable[[str], None] = warnings.warn,
        *,
        adapt: bool = False,
        on_step: Callable[[], None] = lambda: None,
    ) -> Voice:
        """The voice of a prompt: a file, or (wave (T,), rate in Hz); or of several, joined; cut to about 6 s.

        With what is said in it (``transcript``, in ``language``; of several, a list) the voice is copied more closely.
        A transcript that does not fit is left aside; that, and every fault of the recording that is not fatal, is told
        to ``warn``. ``name`` is what messages call the prompt. ``adapt``: see ``adapt``; learns from the prompts whole.
        Raises UserError for a prompt that cannot serve.
        """
        sources = prompt if isinstance(prompt, list) else [prompt]
        said = transcript if isinstance(transcript, list) else [transcript] * (len(sources) if not transcript else 1)
        if not sources or len(said) != len(sources):
            raise UserError(f"{len(sources)} prompts and {len(said)} transcripts: give one for each")
        names = [name] if len(sources) == 1 else [name and f"{name} {n}" for n in range(1, len(sources) + 1)]
        pieces = [
            self._reader.read(source, words, language, called, warn)
            for source, words, called in zip(sources, said, names, strict=True)
        ]

        def as_voice(latents: Tensor, symbols: Tensor) -> Voice:
            alphabet = list(self.tts.config.symbols) if (symbols >= 0).any() else []
            return Voice(latents, symbols, language, self.codec_fingerprint, alphabet=alphabet)

        voice = as_voice(*self._reader.joined(pieces))
        return self._adapted(voice, [as_voice(p.latents, p.symbols) for p in pieces], 0, on_step) if adapt else voice

    def adapt(self, voice: Voice, seed: int = 0, on_step: Callable[[], None] = lambda: None) -> Voice:
        """The voice with what this TTS can learn of it from its prompt, in ``ADAPTING.steps`` steps; it is then spoken
        more closely, by a copy of the TTS.

        Raises UserError for a voice whose words are not known or that is too short, and without peft.
        """
        return self._adapted(voice, [voice], seed, on_step)

    def _adapted(self, voice: Voice, heard: list[Voice], seed: int, on_step: Callable[[], None]) -> Voice:
        pieces = [prompt_of(self._fitted(one)) for one in heard]
        return replace(voice, adapter=adapt(self.tts, pieces, voice.language, ADAPTING, seed, on_step))

    def say(
        self,
        text: str,
        voice: Voice | None = None,
        language: str = "en",
        drawing: Drawing = Drawing(),
        seed: int = 0,
        takes: int = 1,
        on_chunk: Callable[[], None] = lambda: None,
        guard: Guard | None = None,
        *,
        watermark: bool = True,
    ) -> Spoken:
        """Say a text in a voice (or in none in particular); take number n, from 0, is drawn with ``seed`` + n.

        With a ``guard`` (see ``guard``) chunks that came out wrong are tried again, and the best try of each is kept.
        ``watermark``: mark the audio inaudibly as generated, for ``speechgen watermark detect``.
        ``on_chunk`` is called after every sentence chunk, of which there are ``len(chunks(text, language))`` a take.
        Raises UserError for text that cannot be said and for a voice of another codec.
        """
        started = time.perf_counter()
        if takes < 1:
            raise UserError(f"takes = {takes}: at least 1")
        made: list[Take] = []
        tallies: list[Tally] = []
        told: dict[str, None] = {}
        first_audio = 0.0
        for number in range(takes):
            session = self.stream(text, voice, language, drawing, seed + number, guard, watermark=watermark)
            session.on_chunk = on_chunk
            blocks = []
            for block in session:
                first_audio = first_audio or time.perf_counter() - started
                blocks.append(block)
            # A model that stops at once has said nothing; that is a short take, not an error.
            wave = torch.cat(blocks) if blocks else torch.zeros(0)
            made.append(Take(wave, seed + number, session.spans, session.checks))
            tallies += [] if self.draft is None else [session.tally]
            told |= dict.fromkeys(session.warnings)
        seconds = sum(len(take.wave) for take in made) / self.sample_rate
        speed = seconds / (time.perf_counter() - started)
        return Spoken(made, self.sample_rate, first_audio, speed, list(told), tallies)

    def stream(
        self,
        text: str,
        voice: Voice | None = None,
        language: str = "en",
        drawing: Drawing = Drawing(),
        seed: int = 0,
        guard: Guard | None = None,
        *,
        batcher: Batcher | None = None,
        watermark: bool = True,
        first: int = 0,
        levels: Levels | None = None,
    ) -> Session:
        """As ``say``, one take: iterate over the session for blocks (n,) of audio as they are made.

        ``batcher``, of this TTS: shares the model's steps with other sessions, unless the voice has an adapter and so
        matrices of its own. ``first``, ``levels``: see ``Session``.
        """
        check_drawing(drawing)
        passages, unknown = self._passages(text, language)
        fitted = None if voice is None else self._fitted(voice)
        copy = self._copies.of(voice)
        asked = (copy.tts, self.codec, passages, fitted, language, drawing, seed, guard)
        batcher = batcher if copy is self._copies.original else None
        draft = self.draft if batcher is None else None
        session = Session(
            *asked,
            batcher=batcher,
            draft=draft,
            remembered=None if fitted is None else copy.prompts.of(fitted, language, drawing),
            watermark=watermark,
            first=first,
            levels=levels,
        )
        if unsaid := left_out(text):
            session.warnings.append(f"{' '.join(unsaid)} cannot be said and is left out")
        if voice is not None and voice.adapter is not None and not self._copies.knows(voice):
            name = voice.facts.get("name", "this voice")
            session.warnings.append(f"{name} is adapted to another model, and speaks from its prompt alone")
        if unknown:
            session.warnings.append(f"this model never learned {' '.join(unknown)}, and guesses how it sounds")
        return session

    def guard(self, retries: int = RETRIES) -> Guard:
        """A guard that listens with this model's listener, for ``say`` and ``stream``; raises UserError for less than
        0 retries."""
        if retries < 0:
            raise UserError(f"retries = {retries}: at least 0")
        return Guard(self.listener, self.sample_rate, retries, phonemes=self.tts.config.text == "phonemes")

    def chunks(self, text: str, language: str = "en") -> list[str]:
        """The text as it is said, in chunks of a sentence or so; raises UserError for text that cannot be said."""
        if language not in self.languages:
            raise UserError(f"language {language!r}: this model speaks {', '.join(self.languages)}")
        return split_sentences(normalise(text, language), CHUNK_CHARACTERS)

    def _passages(self, text: str, language: str) -> tuple[list[Passage], list[str]]:
        """Chunks with their symbols, and the symbols that the model does not know."""
        chunks = self.chunks(text, language)
        passages = [
            Passage(plain(chunk), symbols, rests, rest_after(chunk))
            for chunk, (symbols, rests) in zip(chunks, spell_with_rests(chunks, language, self.tts.config.text))
            if set(symbols) != {PAUSE}
        ]
        if not passages:
            raise UserError(f"the text {text.strip()[:40]!r} holds nothing to say; give at least one word")
        unknown = {symbol for passage in passages for symbol in passage.symbols} - set(self.tts.config.symbols)
        return passages, sorted(unknown)

    def _fitted(self, voice: Voice) -> Voice:
        """A voice with the units and the symbol numbers of this TTS; raises UserError for one of another codec."""
        if voice.codec != self.codec_fingerprint or voice.latents.shape[1] != self.codec.config.width:
            name = voice.facts.get("name", "this voice")
            raise UserError(
                f"{name}: was made with codec {voice.codec}, this model speaks through {self.codec_fingerprint}; "
                "export it again from the recording"
            )
        # Numbers of the voice's alphabet to numbers of ours; -1, which picks the last entry, stays -1.
        numbers = symbol_numbers(self.tts.config, voice.alphabet)
        table = torch.tensor([UNKNOWN, *numbers, -1])
        known = (voice.symbols >= 0) & (voice.symbols < len(table) - 1)
        symbols = table[voice.symbols.where(known, -1)]
        units = voice.latents
        if self._codebooks:
            units = self.codec.quantise(units[None], self._codebooks).values[0].T
        return replace(voice, latents=units, symbols=symbols, alphabet=list(self.tts.config.symbols))

    @property
    def _codebooks(self) -> int:
        return self.tts.config.codebooks if self.tts.config.unit == "codes" else 0


def check_drawing(drawing: Drawing) -> None:
    """Raise UserError naming the option and its range where a value lies outside."""
    for name, (least, most) in RANGES.items():
        value = getattr(drawing, name)
        if value is not None and not least <= value <= most:
            raise UserError(f"{name} = {value:g}: give {least:g} to {most:g}")
