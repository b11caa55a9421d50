"""Variants of an experiment at equal budget: how one is trained, and how it is refused that another budget slips in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.models.weights import list_checkpoints
from speechgen.training.experiment import read_experiment, run_experiment
from speechgen.training.facts import read_facts


@dataclass(frozen=True)
class Variant:
    """One way of training: its name, what makes it differ, and the whole experiment."""

    name: str
    overrides: list[str]
    experiment: Config


def check_name(name: str) -> None:
    """Raises ValueError for the name of a variant that cannot be the name of a folder."""
    if not name or not all(letter.isalnum() or letter in "_+" for letter in name):
        raise ValueError(f"{name!r} becomes the name of a folder: letters, digits, _ and + only")


def read_variant(where: Path, name: str, kind: str, base: Path, overrides: list[str], own: list[str]) -> Variant:
    """A variant of the experiment ``base``; ``own``: what makes it differ, of all ``overrides``.

    Raises UserError that names the variant and the config ``where`` it stands, also for another kind of experiment.
    """
    try:
        experiment = read_experiment(base, overrides)
    except UserError as error:
        raise UserError(f"{where}: variant {name}: {error}") from None
    if experiment.kind != kind:
        raise UserError(f"{where}: variant {name}: {base} is an experiment of kind {experiment.kind}, not {kind}")
    return Variant(name, own, experiment)


def check_budgets(where: Path, variants: list[Variant], batches: Callable[[Config], tuple]) -> None:
    """Raises UserError unless all take the same steps over the same ``batches`` (of a task's config) and data."""

    def budget(variant: Variant) -> dict[str, object]:
        training, task = variant.experiment.training, variant.experiment.task
        return {"steps": training.steps, "batches": (*batches(task), training.seed), "data": variant.experiment.data}

    first = variants[0]
    for variant in variants[1:]:
        for what, mine in budget(variant).items():
            if mine != budget(first)[what]:
                raise UserError(
                    f"{where}: variant {variant.name} has other {what} than {first.name} "
                    f"({mine}, {budget(first)[what]}); at another budget nothing can be compared"
                )


def train_variant(variant: Variant, exp: Path, device: str | None = None) -> None:
    """Train one variant to its end, going on where it was; one that is done is left alone.

    Raises UserError when ``exp`` holds the run of another config.
    """
    check_run(variant, exp)
    if not list_checkpoints(exp) or read_facts(exp).get("step") != variant.experiment.training.steps:
        run_experiment(variant.experiment, exp, device)


def check_run(variant: Variant, exp: Path) -> None:
    """Raises UserError when ``exp`` holds the run of another config."""
    if list_checkpoints(exp) and not _is_of(variant.experiment, read_experiment(exp / "config.yaml", [])):
        raise UserError(f"{exp}: was trained with another config; remove it, or choose another --out")


def _is_of(asked: Config, used: Config) -> bool:
    """Whether a run's config is what was asked for; what was not said of a model, the corpus has filled in."""
    said = asked.model_dump()
    said["model"] = asked.model.model_dump(exclude_unset=True)
    return _agrees(said, used.model_dump())


def _agrees(said: object, used: object) -> bool:
    if isinstance(said, dict) and isinstance(used, dict):
        return all(key in used and _agrees(value, used[key]) for key, value in said.items())
    return said == used
