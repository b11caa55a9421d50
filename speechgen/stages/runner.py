"""Runs the stages of a recipe: skips what is done, says why the rest must run, marks what has finished."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
import time
from pathlib import Path

from speechgen.errors import UserError
from speechgen.stages.fingerprint import Files, fingerprint, first_change
from speechgen.stages.locks import hold
from speechgen.stages.marks import DoneMark, command_change, mark_path, read_mark, write_mark
from speechgen.stages.plan import Stage
from speechgen.stages.processes import call


def run_stages(stages: list[Stage], chosen: list[Stage], experiment: Path, force: bool) -> None:
    """Run, in order, those of the chosen stages that are not done, or all of them by force.

    Raises UserError when an input is missing or another run works in the same folder, CommandFailed when a
    command fails. What was finished before stays done.
    """
    with hold(experiment):
        for stage in chosen:
            with hold(Path(stage.outputs[0])):  # data/ and dump/ are shared by experiments
                mark = read_mark(mark_path(stage.outputs[0]))
                inputs = read_inputs(stage, stages, mark)
                reason = "--force" if force else reason_to_run(stage, mark, inputs)
                if mark and not reason:
                    _say(f"{stage.title}: done already ({mark.finished}, {mark.seconds:.0f} s)")
                else:
                    _say(f"{stage.title}: {reason}")
                    _run(stage, inputs)


def show_stages(stages: list[Stage], chosen: list[Stage], force: bool, commands: bool) -> None:
    """Print what a run would do with each chosen stage, with its commands or as one line each; changes nothing."""
    remade: list[Stage] = []
    for stage in chosen:
        mark = read_mark(mark_path(stage.outputs[0]))
        waits_for = [other for other in remade if any(_makes(other, place) for place in stage.inputs)]
        if force:
            reason: str | None = "--force"
        elif waits_for:
            reason = f"after {waits_for[-1].title}"
        else:
            reason = reason_to_run(stage, mark, read_inputs(stage, stages, mark))
        if reason:
            remade.append(stage)
        state = reason or f"done already ({mark.finished}, {mark.seconds:.0f} s)" if mark else reason
        if commands:
            _say(f"# {stage.title}: {state}")
            for command in stage.commands if reason else ():
                _say(shlex.join(command))
        else:
            _say(f"{stage.number:>3} {stage.name:<12} {stage.meaning}: {state}")


def reason_to_run(stage: Stage, mark: DoneMark | None, inputs: dict[str, Files]) -> str | None:
    """Why a stage must run, in a few words; None when its mark vouches for what it made."""
    if mark is None:
        return "not done yet"
    for output in stage.outputs:
        if not os.path.exists(output):
            return f"{output} is gone"
    if change := command_change(mark.commands, stage.commands):
        return change
    for place, files in inputs.items():
        if place not in mark.inputs:
            return f"it now reads {place}"
        if change := first_change(mark.inputs[place], files):
            return f"{place} changed" if change == ". changed" else f"{place}: {change}"
    return None


def read_inputs(stage: Stage, stages: list[Stage], mark: DoneMark | None) -> dict[str, Files]:
    """The prints of everything a stage reads. What it makes itself inside its input folders does not count.

    Raises UserError for a missing input, naming the stage that makes it.
    """
    known = mark.inputs if mark else {}
    own = tuple(Path(output) for output in stage.outputs)
    inputs = {}
    for place in stage.inputs:
        try:
            inputs[place] = fingerprint(Path(place), known.get(place), leave_out=own)
        except FileNotFoundError:
            makers = [other.title for other in stages if other is not stage and _makes(other, place)]
            way_out = f"run {makers[0]} first" if makers else "there is no such file or folder"
            raise UserError(f"{stage.title} needs {place}: {way_out}") from None
    return inputs


def _run(stage: Stage, inputs: dict[str, Files]) -> None:
    path = mark_path(stage.outputs[0])
    path.unlink(missing_ok=True)  # from here on the old mark would vouch for a mixture of old and new
    began = time.monotonic()
    for command in stage.commands:
        _say(shlex.join(command))
        call(command)
    for output in stage.outputs:
        if not os.path.exists(output):
            raise UserError(f"{stage.title} has ended without making {output}")
    seconds = time.monotonic() - began
    mark = DoneMark(
        stage=stage.name,
        commands=[list(command) for command in stage.commands],
        outputs=list(stage.outputs),
        seed=_seed(stage),
        versions=_versions(),
        seconds=round(seconds, 3),
        finished=datetime.datetime.now().isoformat(" ", "seconds"),
        inputs=inputs,
    )
    write_mark(path, mark)
    _say(f"{stage.title}: finished in {seconds:.0f} s")


def _makes(stage: Stage, place: str) -> bool:
    return any(_is_inside(place, output) or _is_inside(output, place) for output in stage.outputs)


def _is_inside(path: str, folder: str) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def _seed(stage: Stage) -> int | None:
    """The seed on a command line (--seed N), or in a YAML file made or read, at the top or in a section."""
    for command in stage.commands:
        for option, value in zip(command, command[1:]):
            if option == "--seed" and value.isdigit():
                return int(value)
    for place in (*stage.outputs, *stage.inputs):
        if place.endswith(".yaml"):
            import yaml

            with contextlib.suppress(yaml.YAMLError):  # whoever uses the file complains
                values = yaml.safe_load(Path(place).read_bytes())
                sections = [values, *values.values()] if isinstance(values, dict) else []
                for section in sections:
                    if isinstance(section, dict) and isinstance(section.get("seed"), int):
                        return section["seed"]
    return None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("speechgen", "torch", "torchaudio"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
