"""The house as docs/architecture.md has it: imports run downward by its table of rooms, and models are short."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "speechgen"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")  # the face is above all
VOICES = "a voice is judged as it is heard: with the chunks, the guard and the pauses of serving"
UPWARD = {  # a module and the room above it that it imports from, with the reason
    ("evaluation/bench_speech.py", "serving"): "what it times is how serving speaks",
    ("evaluation/hard_list.py", "serving"): VOICES,
    ("evaluation/tts.py", "serving"): VOICES,
}
LONGEST = 150  # lines of a model
NO_MODELS = ("load.py", "export.py")  # they bring models from and to disk


def rooms() -> dict[str, int]:
    """Each room's row in the table of docs/architecture.md, the highest first."""
    text = (ROOT / "docs" / "architecture.md").read_text().split("## Rooms")[1].split("\n## ")[0]
    names = [re.findall(r"`([a-z]+)(?:/|\.py)`", line.split("|")[1]) for line in text.splitlines() if "| `" in line]
    return {name: row for row, together in enumerate(names) for name in together}


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a module imports, wherever in it, but for those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node)


def upward(name: str, source: str, order: dict[str, int]) -> set[tuple[str, str]]:
    """The rooms above its own, or unknown ones, that a module of this name (``room/file.py``) imports from."""
    own = order[name.split("/")[0].removesuffix(".py")]
    ours = [path.split(".") for path in imported(ast.parse(source)) if path.split(".")[0] == "speechgen"]
    used = {parts[min(1, len(parts) - 1)] for parts in ours}
    return {(name, room) for room in used if order.get(room, -1) < own}


def test_every_room_is_in_the_table() -> None:
    there = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert set(rooms()) == there


def test_imports_run_downward() -> None:
    order, found = rooms(), set()
    for path in MODULES:
        found |= upward(str(path.relative_to(PACKAGE)), path.read_text(), order)
    assert found == set(UPWARD)


@pytest.mark.parametrize(
    ("source", "rooms_above"),
    [
        ("from speechgen.models.load import load", {"models"}),
        ("def late():\n    import speechgen.serving.guard", {"serving"}),
        ("from speechgen import load", {"load"}),
        ("import speechgen", {"speechgen"}),
        ("from speechgen.nn.linear import Linear\nfrom speechgen.errors import UserError", set()),
        ("import typing\nif typing.TYPE_CHECKING:\n    from speechgen.models.load import load", set()),
    ],
)
def test_an_upward_import_is_seen(source: str, rooms_above: set[str]) -> None:
    assert upward("losses/new.py", source, rooms()) == {("losses/new.py", room) for room in rooms_above}


def test_nothing_imports_from_the_recipes() -> None:
    assert not [path for path in MODULES if any(m.startswith("egs") for m in imported(ast.parse(path.read_text())))]


@pytest.mark.parametrize("path", sorted((PACKAGE / "models").glob("*.py")), ids=lambda path: path.name)
def test_a_model_is_a_short_file(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST or path.name in NO_MODELS
