"""Facts beside figures: from a card, or from what a run left behind."""

import torch

from speechgen.data.shards import DONE
from speechgen.evaluation.coding import model_name
from speechgen.evaluation.facts import model_facts, read_front_matter
from speechgen.evaluation.machine import describe_machine
from speechgen.stages.marks import DoneMark, mark_path, write_mark


def test_a_card_s_facts(tmp_path):
    (tmp_path / "config.yaml").write_text("kind: codec\n")
    card = "---\nlicense: cc0-1.0\nfacts:\n  training data: starter, 6.2 h\n  steps: 2200\n---\n# A codec\n"
    (tmp_path / "README.md").write_text(card)
    assert model_facts(tmp_path) == {"training data": "starter, 6.2 h", "steps": "2200"}
    assert read_front_matter(tmp_path / "README.md")["license"] == "cc0-1.0"


def test_cards_without_facts(tmp_path):
    for text in (
        "# A codec\n",
        "---\nnever closed\n",
        "---\n[a, list]\n---\n",
        "---\nfacts: none\n---\n",
        "",
        "---\n: {\n---\n",
    ):
        (tmp_path / "README.md").write_text(text)
        assert model_facts(tmp_path) == {}


def test_what_a_run_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exp = tmp_path / "exp" / "codec"
    checkpoint = exp / "checkpoints" / "00000300"
    checkpoint.mkdir(parents=True)
    torch.save({}, checkpoint / "state.pt")
    (exp / "config.yaml").write_text("kind: codec\ndata: {train: dump/train, dev: dump/dev}\ntraining: {steps: 500}\n")
    dump = tmp_path / "dump" / "train"
    dump.mkdir(parents=True)
    (dump / DONE).write_text('{"sample_rate": 16000, "utterances": 40, "samples": 28800000, "skipped": {}}')
    write_mark(
        mark_path(str(exp / "checkpoints")),
        DoneMark("train", [["speechgen", "train"]], [], 0, {}, seconds=5400.0, finished="2026-01-01T00:00:00"),
    )
    facts = model_facts(exp)
    assert facts == {
        "training data": "dump/train, 0.50 h, 40 utterances",
        "steps": "300 of 500",
        "training time": "1.50 h",
    }


def test_a_folder_that_tells_nothing(tmp_path):
    assert model_facts(tmp_path) == {}


def test_names_of_models(tmp_path):
    (tmp_path / "exp" / "mine" / "packed").mkdir(parents=True)
    assert model_name(tmp_path / "exp" / "mine" / "packed") == "mine"
    assert model_name(tmp_path / "exp" / "mine") == "mine"
    assert model_name("speech-16k") == "speech-16k"


def test_the_machine_is_described():
    line = describe_machine()
    assert "cores" in line and f"torch {torch.__version__.split('+')[0]}" in line
