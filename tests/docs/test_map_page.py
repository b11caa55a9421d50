"""What docs/map.md says is so: its tables name every order and head, its files exist, its refusal is the one given."""

import re
from pathlib import Path

import pytest

from speechgen.config import Config, make_config
from speechgen.errors import UserError
from speechgen.heads.base import HeadConfig
from speechgen.models.systems import SYSTEMS
from speechgen.orders.base import OrderConfig, check_triple
from speechgen.tokenizers.grids import GridTokenizerConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/map.md").read_text(encoding="utf-8")


class Triple(Config):
    order: OrderConfig
    head: HeadConfig
    tokenizer: GridTokenizerConfig


def kinds(name: str) -> set[str]:
    members = Triple.model_fields[name].annotation.__args__
    return {member.model_fields["kind"].default for member in members}


def named(section: str) -> set[str]:
    """What stands in backquotes in the first column of a section's table."""
    rows = re.search(rf"## {section}\n(.*?)\n## ", PAGE, re.DOTALL).group(1)
    firsts = [line.split("|")[1] for line in rows.splitlines() if line.startswith("|")]
    return set(re.findall(r"`([\w-]+)`", " ".join(firsts)))


def test_every_order_and_head_is_on_the_page() -> None:
    assert named("Order") == kinds("order")
    assert named("Head") == kinds("head")


def test_every_system_is_on_the_page() -> None:
    for system in SYSTEMS:
        triple = f"| {system.name} | {system.unit} | {system.order} | {system.head} |"
        assert f"{triple} [{system.recipe.removeprefix('egs/')}](../{system.config}) |" in PAGE
        assert (ROOT / system.config).exists()


def test_what_the_page_names_exists() -> None:
    for path in re.findall(r"`((?:nn|orders|heads|models)/\w+\.py)`", PAGE):
        assert (ROOT / "speechgen" / path).exists(), path
    for path in re.findall(r"egs/[\w/]+/run\.sh|(?:--config )?conf/[\w-]+\.yaml", PAGE):
        folders = [ROOT] if path.startswith("egs") else [run.parent for run in ROOT.glob("egs/*/*/run.sh")]
        assert any((folder / path.removeprefix("--config ")).exists() for folder in folders), path


def test_the_refusal_is_the_one_given() -> None:
    values = {"order": {"kind": "masked"}, "head": {"kind": "flow"}, "tokenizer": {"kind": "pixels"}}
    triple = make_config(Triple, values)
    with pytest.raises(UserError) as refusal:
        check_triple(0, triple.order, triple.head)
    assert f"`{refusal.value}`" in PAGE


def test_the_tokenizers_of_the_page_can_be_built() -> None:
    from yaml import safe_load

    for text in re.findall(r"`(\{kind: (?:pixels|sounds).*?\})`", PAGE):
        make_config(Triple, {"order": {"kind": "raster"}, "head": {"kind": "flow"}, "tokenizer": safe_load(text)})
    bottlenecks = re.findall(r"`bottleneck: (\{.*?\})`", PAGE)
    assert len(bottlenecks) == 4
    for text in bottlenecks:
        codec = {"kind": "image-codec", "bottleneck": safe_load(text)}
        make_config(Triple, {"order": {"kind": "raster"}, "head": {"kind": "flow"}, "tokenizer": codec})
