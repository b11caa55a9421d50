"""Comparing voices: variants at equal budget, one that goes on from another, drawn in several ways, in one table."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from speechgen.cli import main
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.units import Units, write_units
from speechgen.errors import UserError
from speechgen.evaluation.compare import read_comparison, train_all
from speechgen.evaluation.tts import read_list
from speechgen.models.load import load
from speechgen.training.facts import read_facts

SIZES = {
    "transformer": {"width": 16, "layers": 1, "heads": 2},
    "symbol_width": 8, "symbol_blocks": 1, "voice_blocks": 1, "duration_width": 8, "duration_blocks": 1,
    "codebooks": 3, "codebook_size": 16,
}  # fmt: skip
FLOW = {"kind": "flow", "width": 16, "blocks": 1, "draws": 1}
CODES = {"unit": "codes", "patch": 1, "order": {"kind": "delay"}, "head": {"kind": "categorical"}}
VARIANTS = {
    "flow": {"config": "flow.yaml", "steps": [1, 2]},
    "student": {"config": "student.yaml", "initial": "flow"},
    "twin": {"config": "twin.yaml", "temperature": 0.9},
}


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_models: Path) -> Path:
    """A folder to run in: units of a tiny codec, four recordings of two speakers, three experiments."""
    monkeypatch.chdir(tmp_path)
    draw, units, utterances = np.random.default_rng(0), [], []
    (tmp_path / "audio").mkdir()
    for number in range(4):
        speaker, id = "ab"[number % 2], f"{'ab'[number % 2]}-{number}"
        symbols, durations = [" ", *"ðədɑːɡ", " "], draw.integers(4, 9, 8)
        shape = int(durations.sum())
        latents = draw.normal(size=(shape, 8)).astype(np.float16)
        codes = draw.integers(0, 16, (shape, 3)).astype(np.int16)
        units.append(Units(id, speaker, "en", f"The dog {number}.", 50.0, symbols, durations, latents, codes))
        wave = 0.3 * np.sin(np.arange(24000) * 0.1 * (number + 1)) * np.sin(np.arange(24000) / 2000)
        soundfile.write(tmp_path / "audio" / f"{id}.wav", wave, 16000)
        utterances.append(Utterance(id, tmp_path / "audio" / f"{id}.wav", f"The dog {number}.", speaker, "en"))
    write_units(tmp_path / "units", units, {"codec": "tiny", "sample_rate": 16000})
    DataDir(sorted(utterances, key=lambda one: one.id), tmp_path).write(tmp_path / "test")
    models = {"codec": str(tiny_models / "codec"), "listener": str(tiny_models / "listener")}
    for name, model in {
        "flow": {**SIZES, "head": FLOW, **models},
        "student": {"head": {"kind": "one-step", "steps": 2}, **models},
        "twin": {**SIZES, **CODES, **models},
    }.items():
        training = {"steps": 2, "warmup": 1, "log_every": 1, "evaluate_every": 2, "checkpoint_every": 2}
        data = {"train": "units", "dev": "units"}
        values = {"kind": "tts", "model": model, "task": {"batch_seconds": 6}, "data": data, "training": training}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values))
    write_config(tmp_path)
    return tmp_path


def write_config(folder: Path, **variants: dict) -> Path:
    values = {"set": ["training.seed=3"], "variants": variants or VARIANTS}
    (folder / "compare.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return Path("compare.yaml")


def scored(folder: Path, *rest, on_utterance, time_limit, heard_in) -> dict:
    """A report as ``score_speech`` makes it, without its minutes of listening."""
    one = {"mean": 0.5, "ci95": [0.4, 0.6]}
    versions = dict.fromkeys(("speech", "recording", "resynthesis"), one)
    judged = {key: versions for key in ("sim", "sim_other", "sim_prompt", "dnsmos", "first", "failures", "length")}
    pitch = {"f0": versions, "f0_spread": versions}
    rates = {"pocketsphinx": {"n": 4, "understands": True, "wer": versions, "cer": versions}}
    line = {"name": "a", "n": 4, "failed": 0, "speakers": 2, "languages": ["en"], "recognisers": rates}
    corpus = {**line, **judged, **pitch, "closer": None, "x_real_time": 3.0, "first_audio": 0.1}
    return {"source": "test", "n": 4, "failed": 0, "facts": {"model": "m"}, "targets": [], "failures": [],
            "corpora": [corpus], "utterances": [], "sample_rate": 16000,
            "all": {"closer": None, "x_real_time": 3.0, "first_audio": 0.1}}  # fmt: skip


def test_one_command_trains_speaks_and_writes_one_table(place, monkeypatch, capsys):
    monkeypatch.setattr("speechgen.evaluation.tts_score.score_speech", scored)
    words = ["speechgen", "tts", "compare", "compare.yaml", "test", "--out", "exp", "--results", "COMPARE.md"]
    monkeypatch.setattr("sys.argv", [*words, "--limit", "2"])
    trained = []
    for _ in range(2):  # what is done is not done again
        with pytest.raises(SystemExit) as exit_:
            main()
        told = capsys.readouterr()
        assert exit_.value.code == 0 and told.out.count(", 0 failed") == 4, told
        trained.append({path: path.stat().st_mtime_ns for path in Path("exp").glob("*/checkpoints/*/state.pt")})
    assert len(trained[0]) == 3 and trained[0] == trained[1]
    page = Path("COMPARE.md").read_text(encoding="utf-8")
    assert "- budget: 2 steps of about 6 s for each variant, seed 3" in page
    rows = [line.split(" | ")[:2] for line in page.partition("## a")[2].splitlines() if line.startswith("| ")][1:]
    assert [[cell.strip("| ") for cell in row] for row in rows[1:]] == [
        ["recordings", "-"],
        ["codec, latents", "-"],
        ["flow", "1 step, guidance 1.5, temperature 0.5"],
        ["flow", "2 steps, guidance 1.5, temperature 0.5"],
        ["student", "guidance 1.5 in the weights, temperature 0.5"],
        ["codec, codes", "-"],
        ["twin", "guidance 1.5, temperature 0.9"],
    ]
    assert "| student | latents, raster, one-step |" in page and "| twin | codes, delay, categorical |" in page
    assert {path.name for path in Path("exp/generate").iterdir()} == {"flow-1", "flow-2", "student", "twin"}
    assert len(list(Path("exp/generate/twin").glob("*.wav"))) == 2
    assert read_facts(Path("exp/student"))["initial"]["name"] == "flow"
    DataDir([one for one in DataDir.read(Path("test")).utterances if one.id != "a-0"], place).write(place / "test")
    with pytest.raises(SystemExit):  # of another test set, nothing is left
        main()
    assert not any(Path("exp/generate").glob("*/a-0.wav")) and any(Path("exp/generate").glob("*/b-*.wav"))
    monkeypatch.setattr("sys.argv", [*words, "--limit", "1"])
    with pytest.raises(SystemExit):  # fewer sentences, and the same in all rows
        main()
    assert [len(read_list(row)) for row in Path("exp/generate").iterdir()] == [1] * 4
    flow, student = load("exp/flow"), load("exp/student")
    assert student.config.symbols == flow.config.symbols and student.config.head.width == FLOW["width"]


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"b": {"config": "flow.yaml", "initial": "a"}}, "b goes on from 'a', which must stand before it"),
        ({"a": {"config": "twin.yaml", "steps": [1, 2]}}, "variant a: steps: a head of kind categorical has none"),
        ({"a": {"config": "none.yaml"}}, "compare.yaml: variant a: none.yaml: no such config file"),
        ({"a-b": {"config": "flow.yaml"}}, "becomes the name of a folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(variants, message, place):
    with pytest.raises(UserError) as error:
        read_comparison(write_config(place, **variants), Path("exp"), [])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_other_budgets_are_refused(place):
    text = Path("twin.yaml").read_text().replace("steps: 2", "steps: 3")
    Path("twin.yaml").write_text(text)
    with pytest.raises(UserError, match="variant twin has other steps than flow"):
        read_comparison(Path("compare.yaml"), Path("exp"), [])


def test_a_run_of_another_config_is_not_taken_for_this_one(place):
    first = write_config(place, flow=VARIANTS["flow"])
    train_all(read_comparison(first, Path("exp"), []), Path("exp"))
    train_all(read_comparison(first, Path("exp"), []), Path("exp"))
    with pytest.raises(UserError, match="exp/flow: was trained with another config"):
        train_all(read_comparison(first, Path("exp"), ["training.learning_rate=0.1"]), Path("exp"))
