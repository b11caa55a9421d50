"""Rests in speech where the text has punctuation, which the models' phonemes do not show."""

import re
from itertools import pairwise

from speechgen.text.override import put_back, set_aside

# Seconds of rest, at least; inside a chunk the pause symbol is held so long, between chunks silence is added.
RESTS = {",": 0.12, "-": 0.2, "(": 0.12, ")": 0.12, ";": 0.25, ":": 0.25, ".": 0.3, "!": 0.3, "?": 0.3}
BREAK = re.compile(r"(?:(?<=[,;:.!?])[\"')\]]*|(?<=\)))\s+(?:-+\s+)?|\s+(?=[(\[])|\s+-+\s+")
CLOSING = "\"')]"


def clauses(text: str) -> list[tuple[str, float]]:
    """A normalised text in the stretches between its punctuation, each with the seconds of rest that follow it.

    Stretches with nothing to say are left out; an override of phonemes is never divided.
    """
    aside, overrides = set_aside(text)
    breaks = [(0, 0), *(match.span() for match in BREAK.finditer(aside)), (len(aside), len(aside))]
    found = []
    for (_, start), (end, following) in pairwise(breaks):
        clause = aside[start:end]
        if any(c.isalnum() or ord(c) >= 0xF0000 for c in clause):
            rest = rest_after(clause, aside[end : following + 1])
            found.append((put_back(clause.strip(), overrides), rest))
    return found


def rest_after(clause: str, following: str = "") -> float:
    """Seconds of rest that the last sign of a clause asks for, or what comes between it and the next; 0 for none."""
    last = clause.rstrip().rstrip(CLOSING)[-1:]
    between = following.strip()[:1]
    return max(RESTS.get(last, 0.0), RESTS.get(between, 0.0), RESTS.get(clause.rstrip()[-1:], 0.0))
