"""A comparison of voices: one TTS per triple (unit, order, head), trained at equal budget, judged on the same text.

Variants are config files of their own, each of which the recipe trains alone as well. They take the same steps over the
same batches from the same seed; what they cost in time differs and is stated. One that goes on from another (a one-step
head from its flow) has had that one's training, too.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator

from speechgen.config import Config, load_config
from speechgen.errors import UserError
from speechgen.evaluation.card import MEGA, count_parameters
from speechgen.evaluation.facts import drawn_with, in_words
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.results import page, percent, short_path, table, with_interval
from speechgen.evaluation.tts import LIST, read_list
from speechgen.evaluation.variants import Variant, check_budgets, check_name, read_variant, train_variant
from speechgen.heads.base import STEPPED
from speechgen.models.lines import Drawing
from speechgen.models.load import load
from speechgen.training.facts import read_facts


class ComparedConfig(Config):
    """``config``: the experiment; ``initial``: the variant that it goes on from; ``steps``: of the flow or diffusion, a
    row of the table for each; ``guidance``, ``temperature``: how it is drawn."""

    config: Path
    initial: str | None = None
    steps: list[int] = Field([8], min_length=1)
    guidance: float = 1.5
    temperature: float | None = None


class CompareConfig(Config):
    """``set``: overrides for all, such as the budget; ``variants``: by name, with paths from where the verb runs."""

    set: list[str] = []
    variants: dict[str, ComparedConfig] = Field(min_length=1)

    @field_validator("variants")
    @classmethod
    def _check(cls, variants: dict[str, ComparedConfig]) -> dict[str, ComparedConfig]:
        for number, (name, one) in enumerate(variants.items()):
            check_name(name)
            if one.initial is not None and one.initial not in list(variants)[:number]:
                raise ValueError(f"{name} goes on from {one.initial!r}, which must stand before it")
        return variants


@dataclass(frozen=True)
class Compared:
    """A variant, and in how many ways it is drawn."""

    variant: Variant
    initial: str | None
    drawings: list[Drawing]

    def rows(self) -> dict[str, Drawing]:
        """Names of folders and rows: the variant's own, with the steps where there are several ways."""
        name = self.variant.name
        return {name if len(self.drawings) == 1 else f"{name}-{one.steps}": one for one in self.drawings}


def read_comparison(path: Path, out: Path, overrides: list[str]) -> list[Compared]:
    """What a comparison's config names, its runs below ``out``; ``overrides`` (``a.b=c``) hold for all of them.

    Raises UserError for mistakes in it or in a variant, for budgets that differ, and for steps of a head without any.
    """
    config, found = load_config(CompareConfig, path), []
    for name, one in config.variants.items():
        given = [*config.set, *overrides]
        start = [f"initial={out / one.initial}"] if one.initial else []
        variant = read_variant(path, name, "tts", one.config, [*given, *start], start)
        head = variant.experiment.model.head.kind
        if len(one.steps) > 1 and head not in STEPPED:
            raise UserError(f"{path}: variant {name}: steps: a head of kind {head} has none; leave them out")
        drawings = [Drawing(steps, one.guidance, one.temperature) for steps in one.steps]
        found.append(Compared(variant, one.initial, drawings))
    check_budgets(path, [one.variant for one in found], lambda task: (task.batch_seconds, task.repeat))
    return found


def train_all(
    compared: list[Compared],
    out: Path,
    device: str | None = None,
    on_variant: Callable[[str], None] = lambda name: None,
) -> None:
    """Train all variants below ``out`` one after the other; ``on_variant`` is told each name."""
    for one in compared:
        on_variant(one.variant.name)
        train_variant(one.variant, out / one.variant.name, device)


def forget_others(folder: Path, chosen: list[str]) -> None:
    """Empty a folder of speech in which other sentences were said, so that all rows are of the same."""
    if (folder / LIST).exists() and not read_list(folder).keys() <= set(chosen):
        shutil.rmtree(folder)


def write_comparison(path: Path, compared: list[Compared], out: Path, reports: dict[str, dict]) -> None:
    """Write the comparison as Markdown from the reports of ``score_speech``, by the names of ``Compared.rows``."""
    first, training = compared[0], compared[0].variant.experiment.training
    words = in_words(read_facts(out / first.variant.name))
    source = next(iter(reports.values()))["source"]
    batch = first.variant.experiment.task.batch_seconds
    about = {
        "budget": f"{training.steps} steps of about {batch:g} s for each variant, seed {training.seed}",
        "training data": words["training data"],
        "trained on": words["trained on"],
        "test data": f"{short_path(source)}, n = {next(iter(reports.values()))['n']}",
    }
    tables = [_trained(compared, out), *_corpora(compared, reports)]
    notes = [
        "Means with 95 % bootstrap intervals over utterances; see RESULTS.md for what each column is. Recordings, and "
        "recordings through the codec, as the first variant of their unit found them.",
        "Minutes: of training, evaluations included. A variant that goes on from another has had that one's, too.",
    ]
    write_text(path, page("Voices compared", "speechgen tts compare", about, tables, notes))


def _trained(compared: list[Compared], out: Path) -> str:
    """What each variant is and what it took."""
    header = ["variant", "unit, order, head", "parameters, M", "minutes", "goes on from"]
    rows = []
    for one in compared:
        model, folder = one.variant.experiment.model, out / one.variant.name
        rows.append(
            [
                one.variant.name,
                f"{model.unit}, {model.order.kind}, {model.head.kind}",
                f"{count_parameters(load(folder)) / MEGA:.2f}",
                f"{read_facts(folder)['seconds'] / 60:.1f}",
                one.initial or "-",
            ]
        )
    return table(header, rows)


def _corpora(compared: list[Compared], reports: dict[str, dict]) -> list[str]:
    """For each corpus a table of all rows, with the recordings and what the codec makes of them for each unit."""
    names = [corpus["name"] for corpus in next(iter(reports.values()))["corpora"]]
    tables = []
    for name in names:
        found = {row: next(c for c in report["corpora"] if c["name"] == name) for row, report in reports.items()}
        rates = list(
            dict.fromkeys(
                (recogniser, kind)
                for corpus in found.values()
                for recogniser, line in corpus["recognisers"].items()
                for kind in ("wer", "cer")
                if line["understands"] and kind in line
            )
        )
        header = [name, "drawn with", *(f"{kind.upper()}, % ({recogniser})" for recogniser, kind in rates)]
        header += ["SIM own", "own voice first, %", "DNSMOS", "failed, %", "x real time"]
        rows = [_row("recordings", "-", next(iter(found.values())), "recording", rates)]
        units: set[str] = set()
        for one in compared:
            model = one.variant.experiment.model
            for row, drawing in one.rows().items():
                if model.unit not in units:
                    units.add(model.unit)
                    rows.append(_row(f"codec, {model.unit}", "-", found[row], "resynthesis", rates))
                rows.append(_row(one.variant.name, drawn_with(model, drawing), found[row], "speech", rates))
        tables.append(f"## {name}\n\n{table(header, rows)}")
    return tables


def _row(name: str, drawn: str, corpus: dict, version: str, rates: list[tuple[str, str]]) -> list[str]:
    recognisers = corpus["recognisers"]
    known = [recognisers.get(recogniser, {}).get(kind, {}).get(version) for recogniser, kind in rates]
    speed = corpus["x_real_time"] if version == "speech" else None
    return [
        name,
        drawn,
        *(with_interval(percent(rate), 1) for rate in known),
        with_interval(corpus["sim"][version], 3),
        with_interval(percent(corpus["first"][version]), 0),
        with_interval(corpus["dnsmos"][version], 2),
        with_interval(percent(corpus["failures"][version]), 1),
        "-" if speed is None else f"{speed:.2f}",
    ]
