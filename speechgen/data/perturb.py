"""Names of what was played at another speed: a voice of its own, which nobody recorded (Ko et al. 2015)."""

import re

MARK = re.compile(r"-sp(\d+(?:\.\d+)?)$")


def perturbed(name: str, speed: float) -> str:
    """The id of an utterance or a speaker at another speed, such as ``ann-sp0.9``; at speed 1 the id itself."""
    return name if speed == 1 else f"{name}-sp{speed:g}"


def speed_of(name: str) -> float:
    """The speed that an id tells, 1 for what was recorded."""
    found = MARK.search(name)
    return float(found[1]) if found else 1.0
