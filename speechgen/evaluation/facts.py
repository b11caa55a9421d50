"""What stands beside a figure: which model, trained on what, for how long. Read from its folder, never typed in."""

from pathlib import Path

import yaml

from speechgen.data.shards import read_done
from speechgen.errors import UserError
from speechgen.heads.base import STEPPED
from speechgen.models.lines import Drawing, settled
from speechgen.models.load import PRETRAINED
from speechgen.models.tts_config import TTSConfig
from speechgen.models.weights import list_checkpoints
from speechgen.stages.marks import mark_path, read_mark
from speechgen.training.facts import read_facts

FACTS = "facts"  # the key of a card's front matter that holds them


def model_facts(model: str | Path) -> dict[str, str]:
    """Facts of a model by name or folder, in words: those on its card, or those that its training run left behind."""
    folder = PRETRAINED / str(model) if (PRETRAINED / str(model) / "config.yaml").exists() else Path(model)
    card = folder / "README.md"
    if card.exists():
        facts = read_front_matter(card).get(FACTS, {})
        return {str(key): str(value) for key, value in facts.items()} if isinstance(facts, dict) else {}
    return run_facts(folder)


def drawn_with(model: TTSConfig, drawing: Drawing) -> str:
    """How a voice model draws, in words."""
    head, drawing = model.head, settled(model, drawing)
    steps = f"{drawing.steps} step{'s' if drawing.steps > 1 else ''}, " if head.kind in STEPPED else ""
    folded = head.kind == "one-step" and head.guidance != 1.0
    guidance = f"guidance {head.guidance:g} in the weights" if folded else f"guidance {drawing.guidance:g}"
    return f"{steps}{guidance}, temperature {drawing.temperature:g}"


def run_facts(exp: Path) -> dict[str, str]:
    """Data, steps, hours of training and machine of a run, as far as its folder tells."""
    if written := read_facts(exp):
        return in_words(written)
    facts: dict[str, str] = {}
    try:
        config = yaml.safe_load((exp / "config.yaml").read_text(encoding="utf-8"))
        facts["training data"] = _data(Path(config["data"]["train"]), exp)
        facts["steps"] = f"{_steps(exp)} of {config['training']['steps']}"
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return facts
    mark = read_mark(mark_path(str(exp / "checkpoints")))
    if mark:
        facts["training time"] = f"{mark.seconds / 3600:.2f} h"
    return facts


def in_words(facts: dict) -> dict[str, str]:
    """The facts.json of a run, as a report or a card says it."""
    words = {}
    corpora = facts.get("data", [])
    if corpora:
        hours = ", ".join(f"{corpus['name'] or 'other recordings'} {corpus['hours']:.2f} h" for corpus in corpora)
        counts = (sum(corpus[key] for corpus in corpora) for key in ("utterances", "speakers"))
        speeds = sorted({speed for corpus in corpora for speed in corpus.get("speeds", [])})
        also = f", also at speeds {', '.join(f'{speed:g}' for speed in speeds)}" if speeds else ""
        words["training data"] = "{}; {} utterances, {} speakers{}".format(hours, *counts, also)
    for what in ("images", "clips", "sounds"):
        if told := facts.get(what):
            words["training data"] = f"{told['corpus']}, {told['count']} {what} of {told['labels']} labels"
    kept = f", the weights after {facts['best_step']} kept" if "best_step" in facts else ""
    given = f", what {facts['hours']:g} h allowed" if "hours" in facts else f" of {facts['steps']}"
    words["steps"] = f"{facts['step']}{given}{kept}"
    words["training time"] = f"{facts['seconds'] / 3600:.2f} h"
    words["trained on"] = facts["machine"]
    if "initial" in facts:
        start = facts["initial"]
        spent = f", {start['step']} steps in {start['seconds'] / 3600:.2f} h" if "step" in start else ""
        words["started from"] = f"{start['name']}{spent}"
    return words


def read_front_matter(card: Path) -> dict:
    """The YAML between the ``---`` lines at the top of a model card; empty when there is none."""
    lines = card.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        return {}
    end = [line.strip() for line in lines].index("---", 1)
    try:
        values = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def _steps(exp: Path) -> int:
    return int(list_checkpoints(exp)[-1].name) if list_checkpoints(exp) else 0


def _data(train: Path, exp: Path) -> str:
    """The name of the dump and its hours; the dump lies where the recipe ran, at or above the run's folder."""
    for folder in (Path.cwd(), *exp.resolve().parents):
        try:
            done = read_done(folder / train)
            return f"{train}, {done['samples'] / done['sample_rate'] / 3600:.2f} h, {done['utterances']} utterances"
        except (UserError, KeyError):
            continue
    return str(train)
