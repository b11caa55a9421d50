"""The step lines of a recipe, as the shell hands them over, and the choice of stages to run."""

from collections.abc import Iterator
from dataclasses import dataclass

from speechgen.errors import UserError, nearest


@dataclass(frozen=True)
class Stage:
    """One line of a recipe: what it makes, from what, and the commands that make it."""

    number: int
    name: str
    meaning: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]

    @property
    def title(self) -> str:
        return f"stage {self.number} {self.name}"


def read_stages(words: list[str]) -> list[Stage]:
    """Stages from counted words: ``step 8 1 prepare "makes data" to data -- COMMAND ...``, ``also 2 -- COMMAND``.

    Raises UserError for a step line that breaks the rules of ``recipes/steps.sh``.
    """
    stages: list[Stage] = []
    for kind, line in _lines(words):
        head, command = _split(line)
        if kind == "step":
            stages.append(_stage(head, command, stages))
        elif stages and not head:
            last = stages[-1]
            stages[-1] = Stage(**{**vars(last), "commands": (*last.commands, command)})
        else:
            raise UserError(f"also {' '.join(line)}: expected a step line before it and '-- COMMAND'")
    if not stages:
        raise UserError("this recipe has no step lines")
    return stages


def choose(stages: list[Stage], first: str, last: str) -> list[Stage]:
    """The stages from first to last, each given by number or name; "" means the first or the last there is."""
    begin = _find(stages, first, "--stage") if first else stages[0]
    end = _find(stages, last, "--stop_stage") if last else stages[-1]
    if end.number < begin.number:
        raise UserError(f"--stop_stage {last} comes before --stage {first or begin.name}: nothing to run")
    return [stage for stage in stages if begin.number <= stage.number <= end.number]


def _lines(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    rest = list(words)
    while rest:
        kind, count = rest[0], int(rest[1])
        yield kind, rest[2 : 2 + count]
        rest = rest[2 + count :]


def _split(line: list[str]) -> tuple[list[str], tuple[str, ...]]:
    if "--" not in line or line[-1] == "--":
        raise UserError(f"step {' '.join(line)}: expected '-- COMMAND' at its end")
    cut = line.index("--")
    return line[:cut], tuple(line[cut + 1 :])


def _stage(head: list[str], command: tuple[str, ...], earlier: list[Stage]) -> Stage:
    said = f"step {' '.join(head)}"
    if len(head) < 3 or not head[0].isdigit():
        raise UserError(f"{said}: expected 'step N name \"what it makes\" [from PATH...] [to PATH...] -- COMMAND...'")
    places: dict[str, list[str]] = {"from": [], "to": []}
    kind = ""
    for word in head[3:]:
        if word in places:
            kind = word
        elif kind:
            places[kind].append(word)
        else:
            raise UserError(f"{said}: expected 'from' or 'to' before {word!r}")
    if not places["to"]:
        raise UserError(f"{said}: what it makes is missing (to PATH...)")
    stage = Stage(int(head[0]), head[1], head[2], tuple(places["from"]), tuple(places["to"]), (command,))
    for other in earlier:
        if other.number >= stage.number or other.name == stage.name:
            raise UserError(f"{said}: comes after {other.title}; numbers must rise and names differ")
        if shared := set(other.outputs) & set(stage.outputs):
            raise UserError(f"{said}: {shared.pop()} is made by {other.title} already")
    return stage


def _find(stages: list[Stage], given: str, option: str) -> Stage:
    for stage in stages:
        if given in (stage.name, str(stage.number)):
            return stage
    if given.isdigit():
        raise UserError(f"{option} {given}: the stages are {stages[0].number} to {stages[-1].number}")
    raise UserError(f"{option} {given}: no such stage{nearest(given, [stage.name for stage in stages])}")
