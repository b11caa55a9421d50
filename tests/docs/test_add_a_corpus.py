"""The prepare step that docs/add-a-corpus.md shows to newcomers works as printed, and the verbs it names exist."""

import re
from pathlib import Path

from speechgen.data.corpora import CORPORA, OWN
from speechgen.data.kaldi import DataDir, Utterance

PAGE = (Path(__file__).parents[2] / "docs" / "add-a-corpus.md").read_text(encoding="utf-8")


def test_the_prepare_step_on_the_page_works(tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(block, names)
    spoken = [Utterance(f"{n:04d}", tmp_path / "a.wav", f"SENTENCE {n}", f"{n % 7}", "en") for n in range(300)]
    DataDir(spoken, tmp_path).write(tmp_path / "all")
    splits = names["tides"](tmp_path)
    assert {split: len(utterances) for split, utterances in splits.items()} == {"train": 200, "dev": 40, "test": 60}
    assert all(one.id.startswith(f"{one.speaker}-") and one.text.islower() for one in splits["train"])


def test_the_page_names_what_exists():
    assert re.findall(r"data import (\w+) ", PAGE)[:4] == ["folder", "kaldi", "manifest", "recordings"]
    assert {"folder", "kaldi", "recordings"} == OWN.keys() and "`CORPORA`" in PAGE and "tides" not in CORPORA
    for path in re.findall(r"`((?:egs|tests|speechgen)/[\w./]+)`", PAGE):
        named = Path(__file__).parents[2] / path
        assert named.exists() or "tides" in path
