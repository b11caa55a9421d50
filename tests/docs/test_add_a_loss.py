"""The loss and the tests that docs/add-a-loss.md shows to newcomers work as printed."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "add-a-loss.md"


@pytest.fixture(scope="module")
def page() -> dict:
    """What the page's Python blocks define, run one after another."""
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    return names


def test_the_tests_on_the_page_pass(page):
    tests = [value for name, value in page.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        test()


def test_the_page_names_what_exists():
    from speechgen.losses.surface import SurfaceConfig, SurfaceLoss
    from speechgen.training.codec import CodecTask
    from speechgen.training.game import CodecGame

    text = PAGE.read_text(encoding="utf-8")
    for owner, member in [(SurfaceLoss, "forward"), (SurfaceLoss, "weights"), (CodecGame, "losses")]:
        assert f"`{owner.__name__}.{member}`" in text
        assert hasattr(owner, member)
    assert "`SurfaceConfig`" in text and CodecTask.model_fields["surface"].annotation is SurfaceConfig
    assert "`balance: true`" in text and CodecTask.model_fields["balance"].annotation is bool
