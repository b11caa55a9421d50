"""What a run says of itself, in ``facts.json`` beside its checkpoints: data, steps, seconds, machine.

Model cards and results are written from it, so that no figure stands without what it cost.
"""

import json
import os
from pathlib import Path

FACTS = "facts.json"


def write_facts(exp: Path, facts: dict) -> None:
    """Write plain values; the file appears complete or not at all."""
    partial = exp / f".{FACTS}.{os.getpid()}"
    partial.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, exp / FACTS)


def read_facts(exp: Path) -> dict:
    """The facts of a run; empty where there are none that can be read."""
    try:
        facts = json.loads((exp / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
