"""How fast speech comes: when it is first heard, how much a second of compute makes, and in how much memory.

Ours streams, several lines in shared steps; the others say a text, or a batch of them, at once. All in one run, so that
the ratios mean something.
"""

import gc
import statistics
import string
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from speechgen.evaluation.bench import OURS, count_parameters, target, use_threads
from speechgen.evaluation.machine import describe_machine, memory_mb, peak_memory_mb, reset_peak_memory
from speechgen.evaluation.speech_peers import Peer
from speechgen.heads.base import STEPPED
from speechgen.models.lines import Drawing
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import FIRST_SYMBOL, TTSConfig
from speechgen.models.voice import Voice
from speechgen.nn.packed import Precision
from speechgen.serving.batcher import Batcher
from speechgen.serving.synthesiser import Synthesiser
from speechgen.tokenizers.codec import build_codec
from speechgen.tokenizers.presets import preset

STREAMS = (1, 4, 8)
PROMPT_SECONDS = 4.0
SYMBOL_FRAMES = 4  # 80 ms each
LEAST_X_REAL_TIME, MOST_FIRST_AUDIO_MS = 6.0, 200.0
LONG = 10.0  # seconds after which a run is not repeated
PATIENCE = 120.0  # seconds after which a model is not asked for more streams


@dataclass(frozen=True)
class Ours:
    """A voice of ours: ``load`` makes it in its precision when its turn comes."""

    name: str
    load: Callable[[Precision], Synthesiser]
    voice: Callable[[Synthesiser], Voice | None]
    precision: Precision = "f32"
    drawing: Drawing = Drawing()


@dataclass(frozen=True)
class Other:
    """A model of other people's, built when its turn comes, that is to make so many ``seconds`` of audio."""

    name: str
    make: Callable[[], Peer]
    seconds: float = 1.0


@dataclass(frozen=True)
class _Run:
    """``seconds`` of audio in all, ``took`` of time, ``first`` seconds until each stream was heard."""

    seconds: float
    took: float
    first: list[float]


def bench_speech(
    candidates: Iterable[Ours | Other],
    text: str,
    streams: Iterable[int] = STREAMS,
    repeats: int = 3,
    threads: int | None = None,
    on_row: Callable[[], None] = lambda: None,
) -> dict:
    """Time each candidate saying a text to so many at once; the median run counts.

    Returns ``{"machine", "threads", "text", "rows", "left_out", "targets"}``. Each row has ``name``, ``ours``,
    ``params``, ``precision``, ``steps``, ``guidance``, ``streams``, ``runs``, ``seconds`` (audio of all streams),
    ``x_real_time`` (of all together), ``first_audio_ms`` (the median stream), ``streaming`` (False: heard when whole),
    ``peak_memory_mb`` (over what the process held before, None where the system does not tell). ``left_out``: name and
    streams of what would have taken too long.
    """
    rows, left_out, streams = [], [], list(streams)
    with use_threads(threads):
        for candidate in candidates:
            gc.collect()
            before = memory_mb()
            about, run = _ours(candidate, text) if isinstance(candidate, Ours) else _other(candidate, text)
            for number, count in enumerate(streams):
                reset_peak_memory()
                runs = [run(count)]
                while len(runs) < repeats and runs[-1].took < LONG:
                    runs.append(run(count))
                peak = peak_memory_mb()
                row = {**about, "streams": count, "runs": len(runs), **_figures(runs)}
                rows.append({**row, "peak_memory_mb": None if peak is None or before is None else peak - before})
                on_row()
                if runs[-1].took > PATIENCE and streams[number + 1 :]:
                    left_out += [{"name": candidate.name, "streams": more} for more in streams[number + 1 :]]
                    break
            del run
        facts = {"machine": describe_machine(), "threads": torch.get_num_threads(), "text": text}
    return {**facts, "rows": rows, "left_out": left_out, "targets": _targets(rows)}


def random_synthesiser(config: TTSConfig | None = None, precision: Precision = "f32") -> Synthesiser:
    """A TTS of the default sizes with random weights over the default codec: noise, but at the speed of speech.

    It reads characters, so that it needs no phonemes.
    """
    symbols = sorted({" ", *string.ascii_lowercase, *"'.,?!"})
    config = config or TTSConfig(text="characters", symbols=symbols, languages=["en"])
    codec = build_codec(preset(OURS))
    unheard = ListenerConfig(phonemes=["", *symbols], characters=["", *symbols], speakers=["nobody"])
    return Synthesiser(TokenTTS(config).eval(), codec.eval(), Listener(unheard).eval(), precision)


def random_voice(synthesiser: Synthesiser) -> Voice:
    """Four seconds of random latents and symbols in place of a prompt: the work is the same."""
    frames = round(PROMPT_SECONDS * synthesiser.codec.frame_rate)
    latents = torch.randn(frames, synthesiser.codec.config.width, generator=torch.Generator().manual_seed(0))
    alphabet = list(synthesiser.tts.config.symbols)
    symbols = torch.arange(frames) // SYMBOL_FRAMES % len(alphabet) + FIRST_SYMBOL
    return Voice(latents, symbols, synthesiser.languages[0], synthesiser.codec_fingerprint, alphabet=alphabet)


def _ours(candidate: Ours, text: str) -> tuple[dict, Callable[[int], _Run]]:
    synthesiser = candidate.load(candidate.precision)
    voice, drawing = candidate.voice(synthesiser), candidate.drawing
    language = "en" if "en" in synthesiser.languages else synthesiser.languages[0]
    synthesiser.say(text, voice, language, Drawing(steps=1))  # pays for memory and kernels

    def run(streams: int) -> _Run:
        with Batcher(synthesiser.tts) as batcher, ThreadPoolExecutor(streams) as pool:
            ready = threading.Barrier(streams)

            def say(seed: int) -> tuple[float, float, float]:
                ready.wait()
                began = time.perf_counter()
                first, samples = 0.0, 0
                for block in synthesiser.stream(text, voice, language, drawing, seed, batcher=batcher):
                    first = first or time.perf_counter() - began
                    samples += len(block)
                return first, samples / synthesiser.sample_rate, time.perf_counter() - began

            firsts, seconds, took = zip(*pool.map(say, range(streams)), strict=True)
        return _Run(sum(seconds), max(took), list(firsts))

    about = {
        "name": candidate.name,
        "ours": True,
        "params": count_parameters(synthesiser.tts) + count_parameters(synthesiser.codec),
        "precision": candidate.precision,
        "steps": drawing.steps if synthesiser.tts.config.head.kind in STEPPED else None,
        "guidance": drawing.guidance,
        "streaming": True,
    }
    return about, run


def _other(candidate: Other, text: str) -> tuple[dict, Callable[[int], _Run]]:
    peer = candidate.make()

    def run(streams: int) -> _Run:
        began = time.perf_counter()
        waves = peer.say(streams, len(text), candidate.seconds)
        took = time.perf_counter() - began
        return _Run(sum(map(len, waves)) / peer.sample_rate, took, [took] * streams)

    about = {"name": candidate.name, "ours": False, "params": count_parameters(peer.model), "precision": "f32"}
    return {**about, "steps": None, "guidance": None, "streaming": False}, run


def _figures(runs: list[_Run]) -> dict:
    return {
        "seconds": statistics.median(run.seconds for run in runs),
        "x_real_time": statistics.median(run.seconds / run.took for run in runs),
        "first_audio_ms": 1000 * statistics.median(statistics.median(run.first) for run in runs),
    }


def _targets(rows: list[dict]) -> list[dict]:
    """What one stream of ours, drawn as by default, should reach."""
    lines = []
    for row in rows:
        if row["ours"] and (row["streams"], row["steps"], row["guidance"]) == (1, Drawing().steps, Drawing().guidance):
            name = f"{row['name']}, {row['precision']}, one stream"
            first = row["first_audio_ms"]
            lines.append(target(f"{name}: x real time", LEAST_X_REAL_TIME, row["x_real_time"]))
            most = {"at_most": MOST_FIRST_AUDIO_MS, "measured": first, "met": first <= MOST_FIRST_AUDIO_MS}
            lines.append({"what": f"{name}: first audio, ms", **most})
    return lines
