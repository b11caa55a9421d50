"""The recipes for recordings of one's own, from a folder to packed weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechgen.data.mini import make_mini
from speechgen.evaluation.logs import read_json
from speechgen.models.load import load, unit_fingerprint
from speechgen.training.opponents import read_discriminators

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_shipped_codec_is_fine_tuned_on_a_folder_of_any_recordings(egs, tmp_path: Path) -> None:
    folder = tmp_path / "my recordings"
    folder.mkdir()
    formats = [("a.wav", 44100), ("b.flac", 8000), ("c.mp3", 22050), ("d.ogg", 48000), ("e.wav", 16000)]
    for number, (name, rate) in enumerate(formats):
        seconds = np.arange((45 if name == "e.wav" else 2) * rate) / rate
        wave = 0.2 * np.sin(2 * np.pi * (150 + 40 * number) * seconds) * np.sin(5 * seconds)
        soundfile.write(folder / name, np.stack([wave, wave], 1) if number % 2 else wave, rate)
    run = egs.copy(ROOT / "egs/custom/codec/run.sh", tmp_path / "a clone")
    budget = "training.steps=3 training.evaluate_every=3 task.batch=2"
    options = ["--corpus", str(folder), "--nj", "1", "--ngpu", "0", "--entropy_steps", "2", "--set"]
    said = egs.run(run, *options, budget)
    assert said.count(": finished in") == 7 and "data/train: 5 good, 0 bad" in said
    results = (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert "| codec-3k |" in results and "| speech-16k-3k |" in results and "started from: speech-16k" in results
    packed = run.parent / "exp/codec/packed"
    assert not (packed / "discriminators.safetensors").exists()
    assert unit_fingerprint(load(packed)) == unit_fingerprint(load("speech-16k"))

    against = [*options, f"{budget} task.adversarial.discriminator_warmup=1", "--config", "conf/adversarial.yaml"]
    egs.run(run, *against, "--stage", "train", "--stop_stage", "train")
    assert read_discriminators(run.parent / "exp/adversarial") is not None

    (folder / "broken.wav").write_bytes(b"no sound")
    assert "my_recordings-broken" in egs.refused(run, *options, budget)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["tts", "lora"])
def test_the_shipped_voice_learns_one_of_a_folder_and_is_compared_with_itself(egs, config: str, tmp_path: Path) -> None:
    if config == "lora":
        pytest.importorskip("peft")
    made = make_mini(tmp_path / "mini", 1, 20)
    mine = tmp_path / "my voice"
    mine.mkdir()
    spoken = [utterance for split in made.values() for utterance in split.utterances]
    for utterance in spoken:
        shutil.copy(utterance.path, mine / utterance.path.name)
    rows = [f"{utterance.path.stem}\t{utterance.text}" for utterance in spoken[1:]]  # the text of one comes later
    (mine / "transcripts.tsv").write_text("\n".join(["file\ttext", *rows]), encoding="utf-8")
    make_mini(tmp_path / "others", 2, 20, seed=1)
    run = egs.copy(ROOT / "egs/custom/tts/run.sh", tmp_path / "a clone")
    budget = (
        "training.steps=4 training.evaluate_every=2 training.checkpoint_every=2 training.warmup=1 task.batch_seconds=5"
    )
    options = ["--corpus", str(mine), "--others", str(tmp_path / "others/test"), "--config", f"conf/{config}.yaml"]
    options += ["--nj", "1", "--ngpu", "0", "--set", budget]
    said = egs.run(run, *options)
    assert said.count(": finished in") == 7 and "1 recordings have no text yet" in said
    exp = run.parent / "exp" / config
    changed = read_json(exp / "generate/report.json")["before"]
    assert changed["model"] == "starter-tts" and {line["name"] for line in changed["changes"]} >= {"my_voice", "mini01"}
    assert "## Before and after" in (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert load(exp / "packed").state_dict().keys() == load("starter-tts").state_dict().keys()
    assert (exp / "demo.wav").stat().st_size > 1000 and (exp / "best").is_dir()
    (mine / "transcripts.tsv").write_text("\n".join(["file\ttext", *rows, f"{spoken[0].path.stem}\t{spoken[0].text}"]))
    assert "transcripts.tsv" in egs.run(run, *options, "--dry_run").splitlines()[0]  # why it is prepared again
