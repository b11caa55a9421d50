"""How a mistake is said: one line that names what is wrong and the way out."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 60  # names that a line lists


class UserError(Exception):
    """A mistake of the user's. The command line prints its one line and exits with 2."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'steps'?``, or the list of what is known when nothing is near."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    more = f" and {len(known) - MOST} more" if len(known) > MOST else ""
    return f"; known: {', '.join(known[:MOST])}{more}" if known else ""
