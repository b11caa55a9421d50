"""The page of a chain of runs: hours run on from run to run, what was heard lies beside it, nothing else is touched."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from speechgen.audio.files import read_audio, write_audio
from speechgen.cli import app
from speechgen.errors import UserError
from speechgen.evaluation.journal import read_chain, write_journal
from speechgen.stages.marks import DoneMark, mark_path, write_mark
from speechgen.training.loop import Shown, train
from speechgen.training.pace import TrainConfig

RATE = 8000


class Singer:
    """A task of one weight, which is heard as a tone."""

    sample_rate = RATE

    def __init__(self):
        torch.manual_seed(0)
        self.players = {"singer": torch.nn.Linear(1, 1)}

    def turns(self, step):
        return ["singer"]

    def batch(self, step, rank, ranks):
        return torch.ones(1, 1)

    def losses(self, player, batch, step, generator):
        loss = self.players["singer"](batch).square().mean()
        return loss, {"square": loss.item()}

    def evaluate(self, models, generator):
        tone = 0.3 * torch.sin(torch.arange(RATE // 2) * 0.3)
        grey = np.full((6, 8, 3), 128, np.uint8)
        pitch = models["singer"].weight.item()
        return Shown({"pitch": pitch}, {"1/spoken": (tone, RATE), "1/recording": (tone, RATE)}, {"1/spoken": grey})

    def state(self):
        return {}

    def load_state(self, state):
        pass


def done(stage: str, output: Path, seconds: float, finished: str) -> None:
    output.mkdir(parents=True, exist_ok=True)
    write_mark(mark_path(str(output)), DoneMark(stage, [], [], None, {}, seconds, finished))


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Data in 36 s, a codec in an hour, and a voice whose training was stopped after 4 of its 6 steps."""
    exp = tmp_path / "exp"
    config = TrainConfig(steps=6, log_every=1, evaluate_every=2, checkpoint_every=2, warmup=1)
    about = {"data": [{"name": "amy", "hours": 0.5, "utterances": 7, "speakers": 1}]}
    train(Singer(), config, exp / "codec", "cpu", about=about)
    train(Singer(), config, exp / "voice", "cpu", until=4, about=about)
    done("prepare", exp / "data", 36.0, "2026-01-01T20:00:00")
    done("codec", exp / "codec/checkpoints", 3600.0, "2026-01-01T21:00:00")
    (exp / "codec/RESULTS.md").write_text("# Codec results\n\n| system |\n| --- |\n| ours |\n", encoding="utf-8")
    (exp / "voice/generate").mkdir()
    write_audio(exp / "voice/generate/amy-1.wav", torch.zeros(RATE), RATE)
    return exp


def test_hours_run_on_from_run_to_run(chain: Path) -> None:
    costs, runs = read_chain(chain)
    assert [cost.name for cost in costs] == ["prepare", "codec", "voice"]
    assert [cost.hours for cost in costs[:2]] == [0.01, 1.0] and costs[0].training is None
    assert costs[2].hours == costs[2].training < 0.1  # it is not done yet: what its training took
    assert [run.began for run in runs] == [0.01, 1.01]
    assert runs[1].hour(0) == 1.01 <= runs[1].hour(2) <= runs[1].hour(4) < 1.1


def test_the_page_links_to_what_lies_beside_it(chain: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["journal", str(chain), "--out", str(tmp_path / "page.md"), "--title", "A night"])
    assert told.exit_code == 0, told.output
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page.startswith("# A night\n") and "- training data: amy 0.50 h; 7 utterances, 1 speakers" in page
    assert "- codec: 6 of 6" in page and "- voice: 4 of 6" in page and "| prepare | 0.01 | - |" in page
    assert "### Codec results" in page and "| ours |" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| 1.01 | ")]
    assert [row[1] for row in rows] == ["2", "4"] and len(rows[0]) == 5
    beside = {path.name for path in (tmp_path / "page").iterdir()}
    assert {"codec.png", "voice.png", "index.html", "voice-000004-1-spoken.ogg", "test-amy-1.ogg"} <= beside
    assert not any("recording" in name for name in beside)  # only what was made
    html = (tmp_path / "page/index.html").read_text(encoding="utf-8")
    assert all(name in page + html for name in beside)
    wave, rate = read_audio(tmp_path / "page/voice-000004-1-spoken.ogg", RATE)
    assert len(wave) / rate == pytest.approx(0.5, abs=0.05) and wave.abs().max() > 0.1


def test_a_page_is_written_anew_and_leaves_others_alone(chain: Path, tmp_path: Path) -> None:
    write_journal(chain, tmp_path / "page.md", "A night")
    (tmp_path / "page/of-an-older-page.ogg").touch()
    write_journal(chain, tmp_path / "page.md", "A night")
    assert not (tmp_path / "page/of-an-older-page.ogg").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").touch()
    with pytest.raises(UserError, match="mine: holds something else; give another --out"):
        write_journal(chain, tmp_path / "mine.md", "A night")
    assert (tmp_path / "mine/diary.txt").exists()
    train(Singer(), TrainConfig(steps=9, log_every=9, evaluate_every=9), chain / "young", "cpu", until=1)
    write_journal(chain, tmp_path / "page.md", "A night")  # of a run that has only just begun there is little to say
    assert "## Young\n" in (tmp_path / "page.md").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="data: holds no training run"):
        read_chain(chain / "data")
