"""A model's card (README.md): what it is, what it learned from and for how long, how it scores, under which licence.

The front matter is Hugging Face's, with our own key ``facts``, which reports read.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml
from torch import nn

from speechgen.config import Config
from speechgen.data.origins import ORIGINS
from speechgen.evaluation.facts import FACTS, run_facts
from speechgen.evaluation.judged import judged_table
from speechgen.evaluation.results import percent, systems_table, table, with_interval
from speechgen.evaluation.wavenet_results import bits_table, vocoder_table
from speechgen.models.classifier import ImageClassifierConfig, SoundClassifierConfig, VideoClassifierConfig
from speechgen.models.clip import ClipConfig
from speechgen.models.generator import GeneratorConfig
from speechgen.models.listener import ListenerConfig
from speechgen.models.one_shot import OneShotConfig
from speechgen.models.tts_config import TTSConfig
from speechgen.models.wavenet import WaveNetConfig
from speechgen.tokenizers.codec import CodecConfig
from speechgen.tokenizers.images import ImageCodecConfig
from speechgen.tokenizers.videos import VideoCodecConfig
from speechgen.training.facts import read_facts

MEGA = 1e6


@dataclass(frozen=True)
class Card:
    """What a card is written from. ``report``: the score stage's report.json, or None; ``size``: bytes of weights."""

    name: str
    config: Config
    parameters: int
    size: int
    exp: Path
    report: dict | None = None
    licence: str = ""
    note: str = ""

    def to_markdown(self) -> str:
        facts = read_facts(self.exp)
        corpora = facts.get("data", [])
        matter = {
            "license": self.licence.lower() or "other",
            "library_name": "speechgen",
            "language": sorted({language for corpus in corpora for language in corpus["languages"]}),
            FACTS: run_facts(self.exp),
        }
        training = [f"- {key}: {value}" for key, value in run_facts(self.exp).items()]
        parts = [
            f"---\n{yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=120)}---",
            f"# {self.name}",
            f"{describe(self.config)} {self.parameters / MEGA:.2f} M parameters, {self.size / MEGA:.1f} MB.",
            f"```python\n{usage(self.name, self.config)}\n```",
            "## Training",
            *([data_table(corpora)] if corpora else []),
            "\n".join(training) or "Nothing is written down about it.",
            *(["## Scores", scores(self.report)] if self.report else []),
            "## Licence",
            self._licence(corpora),
            *([self.note] if self.note else []),
            "Written by `speechgen pack`; not edited by hand.",
        ]
        return "\n\n".join(parts) + "\n"

    def _licence(self, corpora: list[dict]) -> str:
        own = f"The weights: {self.licence}." if self.licence else "No licence was stated for the weights."
        return f"{own} The recordings that they were trained on: {_licences(corpora)}." if corpora else own


def describe(config: Config) -> str:
    """One sentence on what the model is."""
    match config:
        case CodecConfig():
            rate, kind = config.sample_rate / config.hop, config.bottleneck.kind.upper()
            books = f"{config.bottleneck.codebooks} codebooks" if kind != "VAE" else f"{config.width} channels"
            delay = f"{1000 * config.latency:g} ms algorithmic delay"
            return f"A codec for {config.sample_rate} Hz: {rate:g} frames per second, {books} ({kind}), {delay}."
        case ListenerConfig():
            sizes = f"{len(config.phonemes) - 1} phonemes, {len(config.characters) - 1} characters"
            return f"A recogniser for {config.sample_rate} Hz: {sizes}, {len(config.speakers)} speakers."
        case TTSConfig():
            triple = f"unit: {config.unit}, order: {config.order.kind}, head: {config.head.kind}"
            models = f"through the codec {_name(config.codec)}, aligned by the listener {_name(config.listener)}"
            return f"A text-to-speech model with voice prompts ({triple}), {models}."
        case WaveNetConfig():
            size = f"{config.layers} layers of {config.residual} channels, {config.classes} mu-law classes"
            told = [*config.labels, *(["a log-mel spectrogram"] if config.mel else [])]
            about = f"told {' and '.join(told)}" if told else "told nothing"
            return f"A WaveNet for {config.sample_rate} Hz: {size}, {about}."
        case GeneratorConfig():
            return _generator(config)
        case ImageCodecConfig():
            return f"A codec for images of {config.side} x {config.side} pixels ({config.bottleneck.kind.upper()})."
        case OneShotConfig():
            return f"A generator of images of {config.side} x {config.side} pixels in one shot ({config.kind})."
        case ClipConfig():
            return (
                f"A judge of images of {config.side} x {config.side} pixels and captions of {len(config.labels)} words."
            )
        case ImageClassifierConfig():
            return f"A classifier of images of {config.side} x {config.side} pixels: {len(config.labels)} labels."
        case VideoCodecConfig():
            size = f"{config.frames} frames of {config.side} x {config.side} pixels"
            return f"A codec for clips of {size} ({config.bottleneck.kind.upper()})."
        case VideoClassifierConfig():
            return f"A classifier of clips of {config.frames} frames: {len(config.labels)} labels."
        case SoundClassifierConfig():
            return f"A classifier of sounds of {config.seconds:g} s: {len(config.labels)} labels."
    raise TypeError(f"not a model config: {config!r}")


def _generator(config: GeneratorConfig) -> str:
    """One sentence on a generator of images, clips or sounds."""
    units = config.tokenizer
    if config.kind == "sound":
        seconds = (units.frames * units.codec.hop) / units.codec.sample_rate
        unit, what = units.unit, f"sounds of {seconds:.1f} s"
    else:
        frames = f"{units.frames} frames of " if config.kind == "video" else ""
        unit, what = units.kind, f"{'clips' if frames else 'images'} of {frames}{units.side} x {units.side} pixels"
    triple = f"unit: {unit}, order: {config.order.kind}, head: {config.head.kind}"
    return f"A generator of {what} and {len(config.labels)} labels ({triple})."


def usage(name: str, config: Config) -> str:
    """Lines of Python that use the model."""
    lines = {
        "codec": "tokens = model.encode(wave)  # (B, 1, samples) -> codes (B, K, frames)\nagain = model.decode(tokens)",
        **dict.fromkeys(("image", "sound", "video"), _image_usage(config)),
        "video-codec": "tokens = model.encode(clips)  # (B, C, T, side, side) in [-1, 1]\nagain = model.decode(tokens)",
        "video-classifier": "logits = model(clips)  # (B, C, T, side, side) in [-1, 1] -> (B, labels)",
        "sound-classifier": "logits = model(waves)  # (B, 1, samples) -> (B, labels)",
        "image-codec": "tokens = model.encode(images)  # (B, C, side, side) in [-1, 1]\nagain = model.decode(tokens)",
        "image-clip": 'scores = model.scores(images, ["a caption"])  # (B, captions)',
        "image-classifier": "logits = model(images)  # (B, C, side, side) in [-1, 1] -> (B, labels)",
        "listener": "heard = model(wave)  # (B, samples) -> log-probabilities of phonemes and characters, speakers",
        "wavenet": _wavenet_usage(config),
        "tts": 'voice = model.voice("prompt.wav", transcript="What it says.")\nspoken = model.say("Hello.", voice)',
    }
    more = "from speechgen.models.wavenet_generate import generate\n" if config.kind == "wavenet" else ""
    said = _image_usage(config) if isinstance(config, OneShotConfig) else lines[config.kind]
    return f'import speechgen\n{more}\nmodel = speechgen.load("{name}")\n{said}'


def _wavenet_usage(config: Config) -> str:
    if config.kind != "wavenet":
        return ""
    labels = {kind: names[0] for kind, names in config.labels.items()}
    told = "mel=model.mel_of(wave)[0]" if config.mel else f"labels={json.dumps(labels, ensure_ascii=False)}"
    return f"chunks = list(generate(model, {3 * config.sample_rate}, {told}))  # each (1, samples)"


def _image_usage(config: Config) -> str:
    if config.kind not in ("image", "sound", "video") and not isinstance(config, OneShotConfig):
        return ""
    call = f"draw_images(model, model.label_ids({config.labels[:1]!r}), Drawing(), torch.Generator())"
    return f"import torch\nfrom speechgen.models.draw import Drawing, draw_images\n\n{config.kind}s = {call}"


def data_table(corpora: list[dict]) -> str:
    """Each corpus with its hours, utterances, speakers and licence."""
    rows = []
    for corpus in corpora:
        origin = ORIGINS.get(corpus["name"])
        name = corpus["name"] or "other recordings"
        rows.append(
            [
                f"[{name}]({origin.page})" if origin and origin.page else name,
                f"{corpus['hours']:.2f}",
                str(corpus["utterances"]),
                str(corpus["speakers"]),
                ", ".join(corpus["languages"]),
                origin.licence if origin else "not known",
            ]
        )
    return table(["corpus", "hours", "utterances", "speakers", "languages", "licence"], rows)


def scores(report: dict) -> str:
    """The main figures of a report of a codec, a WaveNet, a listener or a voice."""
    facts = f"On {Path(report['source']).name}"
    if "judged" in report:
        return f"{facts}:\n\n{judged_table(report)}"
    if "bits" in report:
        tables = [bits_table(report), *([vocoder_table(report)] if report["systems"] else [])]
        return "\n\n".join([f"{facts}, with 95 % intervals:", *tables])
    if "systems" in report:
        return f"{facts}, with 95 % intervals:\n\n{systems_table(report)}"
    if "slices" in report:
        header = ["test data", "n", "failed", "phoneme errors, %", "CER, %", "speakers, %"]
        keys = ("phoneme_error", "cer", "speaker_accuracy")
        rows = [
            [one["name"], str(one["n"]), str(one["failed"]), *(with_interval(percent(one[key]), 1) for key in keys)]
            for one in report["slices"]
        ]
    else:
        header = ["test data", "n", "failed", "SIM own", "SIM other", "DNSMOS"]
        keys = {"sim": 3, "sim_other": 3, "dnsmos": 2}
        rows = [
            [
                one["name"],
                str(one["n"]),
                str(one["failed"]),
                *(with_interval(one[key]["speech"], digits) for key, digits in keys.items()),
            ]
            for one in report["corpora"]
        ]
    parts = [f"{facts}, with 95 % intervals:", table(header, rows)]
    if report.get("targets"):
        parts.append(_targets(report["targets"]))
    return "\n\n".join(parts)


def _targets(targets: list[dict]) -> str:
    rows = [
        [
            one["what"],
            with_interval(one["measured"], 2) if one["measured"]["ci95"] else f"{one['measured']['mean']:.2f}",
            str(one["n"]),
            f"{one['bound']} {one['target']:g}",
            "yes" if one["met"] else "no",
        ]
        for one in targets
    ]
    return table(["what", "measured", "n", "target", "met"], rows)


def count_parameters(module: nn.Module) -> int:
    """Weights that training changes."""
    return sum(parameter.numel() for parameter in module.parameters())


def stored_bytes(module: nn.Module, half: bool) -> int:
    """What the weights and buffers take on disk, without the header."""
    tensors = module.state_dict().values()
    return sum(t.numel() * (2 if half and t.is_floating_point() else t.element_size()) for t in tensors)


def _licences(corpora: list[dict]) -> str:
    named = [(corpus["name"] or "other", ORIGINS.get(corpus["name"])) for corpus in corpora]
    return ", ".join(f"{name} ({origin.licence if origin else 'licence not known'})" for name, origin in named)


def _name(model: str) -> str:
    """How a card calls another model: shipped ones by name, others by the last folder that says something."""
    path = Path(model)
    return path.parent.name if path.name == "packed" else path.name
