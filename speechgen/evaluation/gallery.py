"""What became of the named systems: a row of scores and a sheet of samples for each, from what recipes left in exp/."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from speechgen.errors import UserError
from speechgen.evaluation.card import MEGA, count_parameters
from speechgen.evaluation.judged import FRECHET, RECOGNISED
from speechgen.evaluation.logs import read_json, write_json, write_text
from speechgen.evaluation.results import page, table
from speechgen.models.load import load
from speechgen.models.systems import System
from speechgen.training.facts import read_facts

ROWS, PAGE = "systems.json", "README.md"
# Systems that other measures judge, in results of their own.
ELSEWHERE = {
    "WaveNet": ("egs/kathleen/wavenet", "egs/meatbass/wavenet"),
    "CALM (our voice)": ("egs/starter/tts",),
    "RVQ codec": ("egs/starter/codec", "egs/sounds/codec"),
}
HEADER = ["system", "parameters, M", "minutes", "n", RECOGNISED, "of test items", FRECHET, "ms per item"]
NOTES = [
    "Parameters and minutes: of the generator without its tokenizer, on one core, evaluations included. Recognised: "
    "read or heard by a classifier of its own as the label that was asked for; beside it what it makes of test items. "
    "The Frechet distance is between the features of that classifier, and compares only within a table.",
]


def write_gallery(systems: Iterable[System], root: Path, out: Path) -> list[str]:
    """Bring scores and sheets of all systems that were trained, sampled from and scored below ``root`` to ``out``:
    README.md, systems.json and a PNG each. What was not run since keeps the row and the sheet it had.

    Returns the names of those found; raises UserError when there are none.
    """
    systems, found = list(systems), []
    rows = read_json(out / ROWS) if (out / ROWS).exists() else {}
    for system in systems:
        exp = root / system.experiment
        if not (exp / "generate/report.json").exists() or not (exp / "generate/sheet.png").exists():
            continue
        report = read_json(exp / "generate/report.json")
        if "judged" in report:
            rows[system.name] = _row(exp, report)
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(exp / "generate/sheet.png", out / _sheet(system))
            found.append(system.name)
    if not found:
        raise UserError(f"{root}: none of the systems was trained and scored here; see 'speechgen systems --commands'")
    write_json(out / ROWS, {system.name: rows[system.name] for system in systems if system.name in rows})
    write_text(out / PAGE, _page([system for system in systems if system.name in rows], rows))
    return found


def _row(exp: Path, report: dict) -> dict:
    judged, facts = {one["name"]: one for one in report["judged"]}, read_facts(exp)
    real = next(one for name, one in judged.items() if name.startswith("test "))
    return {
        "parameters": _parameters(load(exp)),
        "minutes": facts["seconds"] / 60,
        "trained on": report["facts"]["trained on"],
        "training data": report["facts"]["training data"],
        "n": judged["generated"]["n"],
        "accuracy": judged["generated"]["accuracy"],
        "accuracy of test items": real["accuracy"],
        "frechet": judged["generated"]["frechet"],
        "milliseconds_per_item": report["milliseconds_per_item"],
    }


def _parameters(model: nn.Module) -> int:
    """Of a generator without its tokenizer, which many share."""
    tokenizer = getattr(model, "tokenizer", None)
    return count_parameters(model) - (count_parameters(tokenizer) if isinstance(tokenizer, nn.Module) else 0)


def _page(systems: list[System], rows: dict[str, dict]) -> str:
    parts = []
    for recipe in dict.fromkeys(system.recipe for system in systems):
        of_recipe = [system for system in systems if system.recipe == recipe]
        first = rows[of_recipe[0].name]
        lines = [_cells(system.name, rows[system.name]) for system in of_recipe]
        about = f"Trained on {first['training data']}; {first['trained on']}."
        sheets = [
            f"**{one.name}**: {one.unit}, {one.order}, {one.head}\n\n![{one.name}]({_sheet(one)})" for one in of_recipe
        ]
        parts += [f"## {recipe}\n\n{about}\n\n{table(HEADER, lines)}", *sheets]
    parts.append("## With results of their own\n\n" + "\n".join(_elsewhere(name) for name in ELSEWHERE))
    return page("The systems, trained", "speechgen systems --gallery", {}, parts, NOTES)


def _elsewhere(name: str) -> str:
    pages = [f"[{recipe}](../../{recipe}/RESULTS.md)" for recipe in ELSEWHERE[name]]
    return f"- {name}: {' and '.join(pages)}"


def _cells(name: str, row: dict) -> list[str]:
    return [
        name,
        f"{row['parameters'] / MEGA:.2f}",
        f"{row['minutes']:.1f}",
        str(row["n"]),
        f"{100 * row['accuracy']:.1f}",
        f"{100 * row['accuracy of test items']:.1f}",
        f"{row['frechet']:.2f}",
        f"{row['milliseconds_per_item']:.1f}",
    ]


def _sheet(system: System) -> str:
    return f"{system.recipe.removeprefix('egs/').replace('/', '-')}-{Path(system.config).stem}.png"
