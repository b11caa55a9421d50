"""An ablation: one codec trained in several ways at equal budget, scored on the same recordings, in one table.

Every variant is the same experiment but for the overrides that its name stands for, and takes the same steps over the
same batches from the same seed. What they cost in time differs and is stated.
"""

from collections.abc import Callable
from pathlib import Path

from pydantic import Field, field_validator

from speechgen.config import Config, load_config
from speechgen.evaluation.coding import CodecSystem, ContinuousSystem, load_codec
from speechgen.evaluation.curves import Curves, draw_curves, read_curves, write_curves
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.results import page, short_path, systems_table, table
from speechgen.evaluation.variants import Variant, check_budgets, check_name, read_variant, train_variant
from speechgen.models.load import load
from speechgen.tokenizers.codec import Codec
from speechgen.training.experiment import CodecExperiment
from speechgen.training.facts import read_facts

CURVES, PICTURE = "curves.csv", "curves.png"


class AblationConfig(Config):
    """``base``: the experiment that all variants are made from, relative to where the verb runs. ``set``: overrides
    for all of them, such as the budget. ``variants``: by name, the overrides that make each one."""

    base: Path
    set: list[str] = []
    variants: dict[str, list[str]] = Field(min_length=1)

    @field_validator("variants")
    @classmethod
    def _check(cls, variants: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in variants:
            check_name(name)
        return variants


def read_ablation(path: Path, overrides: list[str]) -> list[Variant]:
    """The variants of an ablation's config; ``overrides`` (``a.b=c``) hold for all of them.

    Raises UserError for mistakes in it or in a variant, and for variants whose budgets differ.
    """
    config = load_config(AblationConfig, path)
    variants = [
        read_variant(path, name, "codec", config.base, [*config.set, *own, *overrides], own)
        for name, own in config.variants.items()
    ]
    check_budgets(path, variants, lambda task: (task.batch, task.seconds))
    return variants


def ablation_systems(variants: list[Variant], out: Path, kbps: list[float]) -> list[CodecSystem | ContinuousSystem]:
    """The trained variants as systems to be scored: those with codes at each bitrate, the others as they are."""
    systems: list[CodecSystem | ContinuousSystem] = []
    for variant in variants:
        codec = load(out / variant.name)
        if isinstance(codec, Codec) and not codec.codebooks:
            systems.append(ContinuousSystem(variant.name, codec))
        else:
            codec = load_codec(out / variant.name)
            counts = dict.fromkeys(codec.codebooks_for(rate) for rate in kbps)
            systems += [CodecSystem(variant.name, codec, count) for count in counts]
    return systems


def keep_curves(variants: list[Variant], out: Path) -> dict[str, Curves]:
    """Write the curves of all variants: dev losses as one table and one picture, everything beside each run."""
    runs = {variant.name: read_curves(out / variant.name) for variant in variants}
    for name, curves in runs.items():
        write_curves(out / name / CURVES, {name: curves})
    dev = {name: {key: v for key, v in curves.items() if key.startswith("dev/")} for name, curves in runs.items()}
    write_curves(out / CURVES, dev)
    shown = [
        f"dev/{version}/{loss}"
        for version in ("codes", "continuous")
        for loss in ("waveform", "stft", "mel", "perceptual")
        if any(f"dev/{version}/{loss}" in curves for curves in dev.values())
    ]
    draw_curves(out / PICTURE, dev, shown)
    return runs


def write_table(path: Path, variants: list[Variant], out: Path, report: dict, runs: dict[str, Curves]) -> None:
    """Write the ablation as Markdown: what the budget was, what each variant is, how it scores, where curves lie."""
    task, training = variants[0].experiment.task, variants[0].experiment.training
    facts = read_facts(out / variants[0].name)
    hours = sum(corpus["hours"] for corpus in facts["data"])
    corpora = ", ".join(corpus["name"] or "other recordings" for corpus in facts["data"])
    heard = training.steps * task.batch * task.seconds / 3600
    budget = f"{training.steps} steps of {task.batch} x {task.seconds:g} s ({heard:.2f} h of sound) for each variant"
    about = {
        "budget": f"{budget}, the same crops in the same order, seed {training.seed}",
        "training data": f"{corpora}, {hours:.2f} h",
        "trained on": facts["machine"],
        "test data": f"{short_path(report['source'])}, n = {report['recordings']['n']}, "
        f"{report['seconds'] / 60:.1f} minutes at {report['sample_rate']} Hz",
        "curves": f"{PICTURE}, {CURVES} (dev losses by step); all numbers of a run in {CURVES} of its own folder",
    }
    notes = [
        "Means with 95 % bootstrap intervals over utterances. kbit/s from real bytes, container included; latents of a "
        "continuous bottleneck count 16 bits per number, and what they carry (KL) is given beside them.",
        "Dev losses are those of the averaged weights at the last step, at all codebooks (of a VAE its mean).",
    ]
    tables = [_costs(variants, out, runs), systems_table(report)]
    write_text(path, page("Codec ablation", "speechgen codec ablate", about, tables, notes))


def ablate(
    variants: list[Variant],
    out: Path,
    device: str | None = None,
    on_variant: Callable[[str], None] = lambda name: None,
) -> dict[str, Curves]:
    """Train all variants below ``out`` one after the other and keep their curves; ``on_variant`` is told each name."""
    for variant in variants:
        on_variant(variant.name)
        train_variant(variant, out / variant.name, device)
    return keep_curves(variants, out)


def _costs(variants: list[Variant], out: Path, runs: dict[str, Curves]) -> str:
    """What each variant is, what it took, and how it ended."""
    losses = [
        name for name in ("stft", "mel", "perceptual") if any(_last(c, f"dev/codes/{name}") for c in runs.values())
    ]
    header = ["variant", "differs by", "minutes", *(f"dev {name}" for name in losses), "bottleneck"]
    rows = []
    for variant in variants:
        curves = runs[variant.name]
        dev = [_last(curves, f"dev/codes/{loss}") or _last(curves, f"dev/continuous/{loss}") for loss in losses]
        rows.append(
            [
                variant.name,
                " ".join(f"`{override}`" for override in variant.overrides) or "-",
                f"{read_facts(out / variant.name)['seconds'] / 60:.1f}",
                *("-" if value is None else f"{value:.3f}" for value in dev),
                _bottleneck(variant.experiment, curves),
            ]
        )
    return table(header, rows)


def _bottleneck(experiment: CodecExperiment, curves: Curves) -> str:
    """How much of the bottleneck is in use: the mean perplexity of its codebooks, or what its latents carry."""
    model = experiment.model
    if perplexity := _last(curves, "codec/perplexity"):
        in_use = _last(curves, "codec/codes_in_use")
        return f"perplexity {perplexity:.0f}, {in_use:.0%} of codes in use"
    if nats := _last(curves, "codec/nats_per_frame"):
        rate = model.sample_rate / model.hop
        return f"KL {nats:.0f} nats per frame ({nats * 1.4427 * rate / 1000:.1f} kbit/s)"
    return "-"


def _last(curves: Curves, name: str) -> float | None:
    return curves[name][-1][1] if name in curves else None
