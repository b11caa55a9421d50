"""Tiny tasks of every kind, each built anew from the same seed, and what a run leaves behind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from speechgen.config import make_config
from speechgen.data.shards import Example
from speechgen.data.units import Units
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.tts_config import TTSConfig
from speechgen.tokenizers.codec import Codec, CodecConfig, build_codec
from speechgen.training.codec import CodecTask, CodecTraining
from speechgen.training.distil import Teacher
from speechgen.training.listener import ListenerTask, ListenerTraining, Spoken, with_symbols
from speechgen.training.loop import HOURS, Shown, Task
from speechgen.training.pace import TrainConfig
from speechgen.training.tts import TTSTask, TTSTraining, build_tts

RATE = 4000


def example(number: int, seconds: float, rate: int = RATE) -> Example:
    """A chord that differs from example to example."""
    time = np.arange(int(seconds * rate)) / rate
    pitch = 150 + 40 * number
    wave = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 5)) * (0.6 + 0.4 * np.sin(9 * time))
    return Example(str(number), "ab"[number % 2], f"text {number}", "en", rate, (6000 * wave).astype(np.int16))


def tiny_codec(**bottleneck) -> Codec:
    stack = {"kind": "spectral", "width": 12, "blocks": 1, "window": 80}
    values = {"sample_rate": RATE, "hop": 40, "width": 6, "encoder": stack, "decoder": stack}
    rvq = {"kind": "rvq", "codebooks": 3, "codebook_size": 8, "code_width": 4, "start_step": 2, "revive_every": 2}
    torch.manual_seed(0)
    return build_codec(make_config(CodecConfig, {**values, "bottleneck": {**rvq, **bottleneck}}))


def codec_task(balance: bool = True, decoder_only: bool = False, **adversarial) -> CodecTraining:
    """Surface losses, then from step 3 discriminators, all balanced."""
    surface = {"stft_windows": [64, 128], "mel_windows": [64, 128], "mel_bands": [8, 10]}
    opponents = {"periods": [2], "windows": [64], "channels": 2, "spectrogram_channels": 2}
    against = {"adversarial": 1.0, "feature_matching": 1.0, "start_step": 3, "freeze_encoder": False}
    against |= {"discriminators": opponents, **adversarial}
    values = {"batch": 4, "seconds": 0.1, "surface": surface, "balance": balance, "adversarial": against}
    values["freeze_encoder"] = decoder_only
    codec = tiny_codec()
    examples = [example(number, 0.3) for number in range(6)]
    return CodecTraining(codec, make_config(CodecTask, values), examples[:4], examples[4:], seed=1)


def said(number: int) -> Spoken:
    """Silence, a tone for "a" or "b", a tone for "c", silence; "a" by one speaker, "b" by the other."""
    lengths = np.array([400, 500, 500, 400]) + 60 * number
    pitches = np.repeat([0, [300, 800][number % 2], 1400, 0], lengths)
    wave = 0.3 * np.sin(2 * np.pi * np.cumsum(pitches) / RATE)
    audio = (32767 * wave).astype(np.int16)
    spoken = Example(str(number), "ab"[number % 2], f"text {number}", "en", RATE, audio)
    return Spoken(spoken, [" ", "ab"[number % 2], "c", " "], list("hi"))


def listener_task(dropout: float = 0.1) -> ListenerTraining:
    examples = [said(number) for number in range(6)]
    config = ListenerConfig(sample_rate=RATE, mels=10, hop=80, width=16, blocks=1, kernel=5, dropout=dropout)
    torch.manual_seed(0)
    task = ListenerTask(batch_seconds=1.5, prior_start_step=3, time_mask_seconds=0.05, band_mask=2)
    return ListenerTraining(Listener(with_symbols(config, examples)), task, examples, examples[:3], seed=1)


def units(count: int = 8, width: int = 6, codebooks: int = 3, size: int = 8) -> list[Units]:
    draw = np.random.default_rng(0)
    made = []
    for number in range(count):
        symbols = [" ", *"abcdefgh"[: draw.integers(2, 6)], " "]
        durations = draw.integers(1, 5, len(symbols))
        frames = int(durations.sum())
        latents = draw.normal(size=(frames, width)).astype(np.float16)
        codes = draw.integers(0, size, (frames, codebooks)).astype(np.int16)
        speaker = "ab"[number % 2]
        made.append(Units(str(number), speaker, "en", f"t{number}", 100.0, symbols, durations, latents, codes))
    return made


def tts_task(distil: bool = False, **config) -> TTSTraining:
    """``distil``: a student with a one-step head, and as its teacher a flow that it is a copy of."""
    transformer = {"width": 16, "layers": 1, "heads": 2, "dropout": 0.1}
    sizes = {"symbol_width": 8, "symbol_blocks": 1, "voice_blocks": 1, "duration_width": 8, "duration_blocks": 1}
    head = {"kind": "flow", "width": 16, "blocks": 1, "draws": 2}
    values = {"codebooks": 3, "codebook_size": 8, "transformer": transformer, "head": head, **sizes, **config}
    torch.manual_seed(0)
    model = build_tts(make_config(TTSConfig, values), units())
    task, teacher = TTSTask(batch_seconds=0.5, prompt_seconds=(0.05, 0.1)), None
    if distil:
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.2)
        student = {**head, "kind": "one-step", "steps": 3}
        student.pop("draws")
        flow, model = model, build_tts(make_config(TTSConfig, {**values, "head": student}), units(), model)
        model.load_state_dict(flow.state_dict())
        teacher = Teacher(flow, model.config.head, "flow")
    return TTSTraining(model, task, units(), units()[:4], tiny_codec().eval(), seed=1, teacher=teacher)


class Line:
    """A task of one linear layer, to watch the loop itself: learns the sum of three numbers."""

    sample_rate = RATE

    def __init__(self, spoil: Callable[[int], bool] = lambda step: False, stop_at: int | None = None):
        torch.manual_seed(0)
        self.players = {"line": torch.nn.Linear(3, 1)}
        self.spoil, self.stop_at, self.counted = spoil, stop_at, 0

    def turns(self, step: int) -> list[str]:
        return ["line"]

    def batch(self, step: int, rank: int, ranks: int) -> torch.Tensor:
        if step == self.stop_at:
            raise KeyboardInterrupt
        return torch.randn(8, 3, generator=torch.Generator().manual_seed(step))[rank::ranks]

    def losses(self, player, batch, step, generator):
        self.counted += 1
        guess = self.players["line"](batch)
        loss = (guess - batch.sum(1, keepdim=True)).square().mean()
        return loss * (float("nan") if self.spoil(step) else 1.0), {"error": loss.item()}

    def evaluate(self, models, generator) -> Shown:
        return Shown({"bias": models["line"].bias.item()})

    def state(self) -> dict:
        return {"counted": self.counted}

    def load_state(self, state: dict) -> None:
        self.counted = state["counted"]


TASKS: dict[str, Callable[[], Task]] = {
    "line": Line,
    "listener": listener_task,
    "codec": codec_task,
    "tts": tts_task,
    "one-step": lambda: tts_task(distil=True),
}


@pytest.fixture
def build() -> Callable[..., Task]:
    """build("codec") makes a tiny task; options are those of the makers above."""
    return lambda name, **options: {**TASKS, "units": units, "example": example, "plain_codec": tiny_codec}[name](
        **options
    )


def short(steps: int = 8, **changes) -> TrainConfig:
    values = {"steps": steps, "learning_rate": 5e-3, "warmup": 2, "log_every": 2, "checkpoint_every": 3}
    return TrainConfig(**{**values, "evaluate_every": steps, **changes})


@pytest.fixture
def config() -> Callable[..., TrainConfig]:
    """config(steps, key=value) is a short training."""
    return short


def scalars(exp: Path) -> dict[str, list[tuple[int, float]]]:
    """All numbers that tensorboard shows of a run, but for the times: {name: [(step, value)]}."""
    files = sorted((exp / "tensorboard").iterdir(), key=lambda path: (path.name[:30], int(path.suffix[1:])))
    shown: dict[str, list[tuple[int, float]]] = {}
    for event in (event for file in files for event in LegacyEventFileLoader(str(file)).Load()):
        if event.HasField("session_log"):  # a run that goes on: what comes later was superseded
            shown = {name: [(s, v) for s, v in values if s < event.step] for name, values in shown.items()}
        for value in event.summary.value:
            if value.HasField("simple_value") and value.tag not in ("seconds_per_step", HOURS):
                shown.setdefault(value.tag, []).append((event.step, value.simple_value))
    return shown


def checkpoint(exp: Path) -> dict:
    """The newest checkpoint: all weights by file and name, and the rest."""
    folder = sorted((exp / "checkpoints").iterdir())[-1]
    weights = {f"{path.name}/{k}": v for path in folder.glob("*.safetensors") for k, v in load_file(path).items()}
    state = torch.load(folder / "state.pt", weights_only=True)
    state["extra"].pop("seconds")
    return {"name": folder.name, "weights": weights, "state": state}


@pytest.fixture
def left_behind() -> Callable[[Path], tuple[dict, dict]]:
    """left_behind(exp) is (newest checkpoint, logged numbers) of a run."""
    return lambda exp: (checkpoint(exp), scalars(exp))
