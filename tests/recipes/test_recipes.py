"""The recipes in egs: their stages, the commands they call, their configs."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer.main

from speechgen.cli import app
from speechgen.data.mini import make_mini
from speechgen.evaluation.ablation import read_ablation
from speechgen.evaluation.compare import read_comparison
from speechgen.evaluation.logs import read_json
from speechgen.models.load import load, unit_fingerprint
from speechgen.models.systems import SYSTEMS, System
from speechgen.models.tts import TokenTTS
from speechgen.models.weights import list_checkpoints
from speechgen.tokenizers.codec import build_codec
from speechgen.training.experiment import read_experiment
from speechgen.training.facts import read_facts
from speechgen.training.opponents import read_discriminators

ROOT = Path(__file__).resolve().parents[2]
OVERNIGHT = sorted((ROOT / "egs").glob("*/overnight/run.sh"))  # a chain of three trainings, with stages of its own
RUNS = sorted(set((ROOT / "egs").glob("*/*/run.sh")) - set(OVERNIGHT))
NAMES = [str(run.parent.relative_to(ROOT / "egs")) for run in RUNS]
STAGES = ["prepare", "dump", "train", "generate", "score", "pack", "demo"]
GRID_STAGES = ["prepare", "dump", "parts", "grid"]  # of a grid, whose cells train and are scored together


def stages(run: Path) -> list[str]:
    return GRID_STAGES if run.parent.name == "grid" else STAGES


def run_recipe(run: Path, *options: str) -> str:
    """Standard output of a run.sh called from elsewhere."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([str(run), *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def planned_commands(run: Path, folder: Path) -> list[list[str]]:
    """What a run on fresh ground would call, from the dry run of a copy without data and experiments."""
    copied = copy_recipe(run, folder)
    (folder / "corpus").mkdir()
    corpus = ["--corpus", str(folder / "corpus")] if "import" in run.read_text(encoding="utf-8") else []
    lines = run_recipe(copied, "--dry_run", *corpus).splitlines()
    return [shlex.split(line) for line in lines if not line.startswith("#")]


def copy_recipe(run: Path, folder: Path) -> Path:
    """A recipe and the engine in another place, as a clone has them."""
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    here = folder / run.parent.relative_to(ROOT)
    copy_recipe_folder(run.parent, here)
    return here / run.name


def copy_recipe_folder(recipe: Path, here: Path) -> None:
    """A recipe without what it made."""
    shutil.copytree(recipe, here, ignore=shutil.ignore_patterns("data", "dump", "exp", ".done", "RESULTS.md"))


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_every_recipe_has_its_stages_and_says_what_it_is(run: Path) -> None:
    lines = run_recipe(run.relative_to(ROOT), "--help").splitlines()  # as typed from the root
    assert lines[1].endswith(".") and lines[1] in run.read_text(encoding="utf-8")
    assert [line.split()[1] for line in lines if line[:3].strip().isdigit()] == stages(run)
    assert len(run.read_text(encoding="utf-8").splitlines()) <= 15


EVERY = sorted((ROOT / "egs").glob("*/*/all.sh"))
SINGLE = [ROOT / "egs/mini" / task for task in ("wavenet", "tts", "codec", "sound")]  # recipes of one named system
COMPARISONS = sorted((ROOT / "egs").glob("*/*/compare.sh"))
SCRIPTS = [*RUNS, *OVERNIGHT, *COMPARISONS]


@pytest.mark.parametrize("run", SCRIPTS, ids=[str(run.relative_to(ROOT / "egs")) for run in SCRIPTS])
def test_every_command_is_a_verb_with_these_options(run: Path, tmp_path: Path) -> None:
    commands = planned_commands(run, tmp_path)
    assert len(commands) >= (5 if run in COMPARISONS else len(stages(run)))
    for command in commands:
        assert command[0] == "speechgen"
        verb, words = typer.main.get_command(app), command[1:]
        while hasattr(verb, "commands"):
            assert words[0] in verb.commands, shlex.join(command)
            verb, words = verb.commands[words[0]], words[1:]
        known = {name for parameter in verb.params for name in [*parameter.opts, *parameter.secondary_opts]}
        used = {word.split("=")[0] for word in words if word.startswith("-")}
        assert used <= known, shlex.join(command)


@pytest.mark.parametrize("recipe", ["egs/fxemoji/image", "egs/moving_mnist/video"])  # the others have many more
def test_all_systems_of_a_recipe_are_run_by_one_command(recipe: str, tmp_path: Path) -> None:
    told = run_recipe(ROOT / recipe / "all.sh", "--corpus", str(tmp_path), "--dry_run")
    for system in SYSTEMS:
        if system.recipe == recipe:
            config, experiment = (path.removeprefix(f"{recipe}/") for path in (system.config, system.experiment))
            assert f"{system.whole}\n" in told and f"speechgen train {config} --exp {experiment}" in told
    assert {ROOT / system.recipe for system in SYSTEMS} - set(SINGLE) == {path.parent for path in EVERY}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_command_in_a_configs_first_line_is_the_listed_one(system: System) -> None:
    first = (ROOT / system.config).read_text(encoding="utf-8").splitlines()[0]
    told = shlex.split(first.partition("./run.sh")[2])
    assert set(told) <= set(shlex.split(system.whole)), first


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_every_recipe_has_a_config_that_can_be_read_and_a_page(run: Path) -> None:
    task = run.parent.name
    experiments = [path for path in run.parent.glob("conf/*.yaml") if path.stem not in ("ablation", "compare", "grid")]
    for config in experiments:
        kind = read_experiment(config, []).kind
        assert task == "grid" or kind.split("-")[0] == task
    assert (run.parent / "conf" / f"{task}.yaml").exists()
    page = (run.parent / "README.md").read_text(encoding="utf-8")
    assert ("https://" in page) == ("--corpus" in page)  # whoever must bring recordings is told where they are


def words_of_plan(run: Path, folder: Path, *options: str) -> list[str]:
    """Every word of the commands that a run with these options would call."""
    copied = copy_recipe(run, folder)
    (folder / "corpus").mkdir()
    lines = run_recipe(copied, "--dry_run", "--corpus", str(folder / "corpus"), *options).splitlines()
    return [word for line in lines if not line.startswith("#") for word in shlex.split(line)]


@pytest.mark.parametrize("recipe", ["mnist/grid", "fsdd/grid", "mini/image"])
def test_experiments_may_lie_in_another_folder(recipe: str, tmp_path: Path) -> None:
    own = ["--tokenizer", "gan"] if recipe == "mini/image" else []
    mine = tmp_path / "mine"
    words = words_of_plan(ROOT / "egs" / recipe / "run.sh", tmp_path, "--expdir", str(mine), *own)
    assert not [word for word in words if word.startswith("exp/") or "=exp/" in word]
    if recipe == "mnist/grid":
        given = words[words.index("--tokenizers") + 1]
        assert given == str(mine / "tokenizer") and str(mine / "tokenizer/vae") in words
    if recipe == "mini/image":
        assert (
            f"--set=task.perceptual.model={mine}/classifier" in words
            and f"--set=tokenizer={mine}/tokenizer/gan" in words
        )


@pytest.mark.parametrize(
    ("recipe", "licence"),
    [("fxemoji/image", "CC-BY-4.0"), ("mnist/image", "CC-BY-SA-3.0"), ("moving_mnist/video", "CC-BY-SA-3.0")],
)
def test_weights_are_packed_with_the_licence_of_their_pictures(recipe: str, licence: str, tmp_path: Path) -> None:
    words = words_of_plan(ROOT / "egs" / recipe / "run.sh", tmp_path)
    assert words[words.index("--licence") + 1] == licence


@pytest.mark.parametrize(
    ("recipe", "words", "line"),
    [
        (
            "mini/image",
            ["--tokenizer", "nope"],
            "--tokenizer nope: there is no conf/tokenizer/nope.yaml; known: none, fsq, gan,",
        ),
        ("mini/image", ["--judge", "nope"], "--judge nope: there is no conf/scorer/nope.yaml; known: classifier"),
        (
            "moving_mnist/video",
            ["--tokenizer", "nope"],
            "--tokenizer nope: there is no conf/tokenizer/nope.yaml; known: none",
        ),
    ],
)
def test_a_part_that_there_is_none_of_is_refused_at_once(recipe: str, words: list[str], line: str) -> None:
    told = subprocess.run([ROOT / "egs" / recipe / "run.sh", "--dry_run", *words], capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr.startswith(f"run.sh: error: {line}") and told.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("task", ["listener", "codec", "tts", "wavenet", "image", "sound"])
def test_mini_runs_from_nothing_to_its_demo(task: str, tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/mini" / task / "run.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 10")
    run.write_text(small, encoding="utf-8")
    for judge in run.parent.glob("conf/scorer/*.yaml"):
        config = judge.read_text(encoding="utf-8")
        judge.write_text(re.sub(r"  steps: \d+", "  steps: 6", config), encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--set", "training.steps=6 training.evaluate_every=6"]
    said = run_recipe(run, *options).splitlines()
    assert [line.split()[2].rstrip(":") for line in said if ": finished in" in line] == STAGES
    results = (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert task in results.lower()
    assert (run.parent / f"exp/{task}/packed/model.safetensors").stat().st_size > 1000
    again = run_recipe(run, *options)
    assert again.count("done already") == len(STAGES)


ABLATIONS = sorted((ROOT / "egs").glob("*/*/ablation.sh"))


@pytest.mark.parametrize("run", ABLATIONS, ids=[str(run.parent.relative_to(ROOT / "egs")) for run in ABLATIONS])
def test_every_ablation_shares_its_data_with_the_recipe_and_has_variants_at_equal_budget(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    variants = {variant.name: variant.experiment for variant in read_ablation(Path("conf/ablation.yaml"), [])}
    assert list(variants) == ["surface", "perceptual", "adversarial", "fsq", "vae"]
    assert [one.model.bottleneck.kind for one in variants.values()] == ["rvq", "rvq", "rvq", "fsq", "vae"]
    assert not variants["surface"].task.perceptual.weight and variants["perceptual"].task.perceptual.weight
    for name, one in variants.items():
        build_codec(one.model)
        assert bool(one.task.adversarial.adversarial) == (name == "adversarial")
        assert one.task.adversarial.start_step < one.training.steps
    planned = []
    for script in (run, run.with_name("run.sh")):
        commands = planned_commands(script, tmp_path / script.stem)
        planned.append([c for c in commands if c[1] in ("data", "dump")])
        planned[-1][0] = [word.replace(str(tmp_path / script.stem), "") for word in planned[-1][0]]
    assert planned[0] == planned[1]  # so that one of them believes what the other has done


@pytest.mark.slow
def test_the_mini_ablation_runs_from_nothing_to_its_table(tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/mini/codec/ablation.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 10")
    run.write_text(small, encoding="utf-8")
    budget = "training.steps=6 training.evaluate_every=3 task.batch=2 task.adversarial.start_step=2"
    options = ["--nj", "1", "--ngpu", "0", "--limit", "1", "--set", f"{budget} task.adversarial.discriminator_warmup=1"]
    said = run_recipe(run, *options).splitlines()
    assert [line.split()[2].rstrip(":") for line in said if ": finished in" in line] == ["prepare", "dump", "ablate"]
    page = (run.parent / "ABLATION.md").read_text(encoding="utf-8")
    assert "6 steps of 2 x 0.64 s" in page and all(f"| {name} |" in page for name in ("surface", "adversarial", "vae"))
    assert (run.parent / "exp/ablation/curves.png").exists()
    assert run_recipe(run, *options).count("done already") == 3


@pytest.mark.parametrize("run", COMPARISONS, ids=[str(run.parent.relative_to(ROOT / "egs")) for run in COMPARISONS])
def test_every_comparison_has_all_heads_and_the_data_of_its_recipe(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    compared = read_comparison(Path("conf/compare.yaml"), Path("exp/compare"), [])
    models = {one.variant.name: one.variant.experiment.model for one in compared}
    triples = {name: (model.unit, model.order.kind, model.head.kind) for name, model in models.items()}
    assert triples == {
        "flow": ("latents", "raster", "flow"),
        "one_step": ("latents", "raster", "one-step"),
        "diffusion": ("latents", "raster", "diffusion"),
        "energy": ("latents", "raster", "energy"),
        "delay": ("codes", "delay", "categorical"),
        "depth": ("codes", "raster", "depth"),
    }
    assert str(compared[1].variant.experiment.initial) == "exp/compare/flow"
    for name, model in models.items():
        TokenTTS(model.model_copy(update={"symbols": ["a"], "languages": ["en"]}))
        assert name == "one_step" or model.transformer == models["flow"].transformer
    planned = [planned_commands(script, tmp_path / script.stem)[:5] for script in (run, run.with_name("run.sh"))]
    for commands, script in zip(planned, ("compare", "run"), strict=True):
        commands[0] = [word.replace(str(tmp_path / script), "") for word in commands[0]]
    assert planned[0] == planned[1]  # so that one of them believes what the other has done


@pytest.mark.slow
def test_the_mini_comparison_runs_from_nothing_to_its_table(tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/mini/tts/compare.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 20")
    run.write_text(small, encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--limit", "2", "--set", "training.steps=6 training.evaluate_every=6"]
    said = run_recipe(run, *options)
    assert said.count(", 0 failed") == 7
    page = (run.parent / "COMPARE.md").read_text(encoding="utf-8")
    assert "6 steps of about 20 s" in page and "n = 2" in page
    assert all(f"| {name} |" in page for name in ("flow", "one_step", "diffusion", "energy", "delay", "depth"))
    assert run_recipe(run, *options).count("done already") == 3


def test_the_hours_are_shared_out_among_the_trainings(tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/starter/overnight/run.sh", tmp_path)
    (tmp_path / "corpus").mkdir()
    said = run_recipe(run, "--dry_run", "--corpus", str(tmp_path / "corpus"), "--hours", "8", "--device", "cuda")
    trainings = [line for line in said.splitlines() if line.startswith("speechgen train")]
    assert [line.partition("training.hours=")[2].split()[0] for line in trainings] == ["0.8", "2.8", "3.2"]
    assert all("--device cuda" in line and "training.evaluate_minutes=48" in line for line in trainings)
    told = subprocess.run([str(run), "--hours", "ten"], capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr == "run.sh: error: --hours ten: expected a number\n"


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
def test_half_an_hour_without_a_gpu_is_one_line(tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/mini/overnight/run.sh", tmp_path)
    told = subprocess.run([str(run), "--device", "cuda"], capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr.startswith("run.sh: error: no GPU here;")
    assert told.stderr.count("\n") == 1 and not (run.parent / "exp").exists()


@pytest.mark.slow
def test_a_night_in_small_that_is_killed_goes_on_to_its_page(tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/mini/overnight/run.sh", tmp_path / "a clone")
    for task in ("listener", "codec", "tts"):
        copy_recipe_folder(ROOT / "egs/mini" / task, run.parent.parent / task)
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 20")
    run.write_text(small.replace("limit=6", "limit=2"), encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--hours", "0.01", "--set", "training.checkpoint_minutes=0.02"]
    exp = run.parent / "exp/overnight"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(
        [str(run), *options], env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as one:
        while not list_checkpoints(exp / "codec"):
            assert one.poll() is None
            time.sleep(0.1)
        os.killpg(one.pid, signal.SIGKILL)
    reached = int(list_checkpoints(exp / "codec")[-1].name)
    said = run_recipe(run, *options)
    assert said.count("done already") == 3 and read_facts(exp / "codec")["step"] > reached
    assert read_facts(exp / "codec")["seconds"] >= 0.0035 * 3600  # in both calls together
    page = (exp / "overnight.md").read_text(encoding="utf-8")
    for words in ("# From recordings to a voice in 0.01 hours", "| prepare |", "## Listener", "## Codec", "## Voice"):
        assert words in page
    assert {"listener.png", "codec.png", "voice.png", "index.html"} <= {p.name for p in (exp / "overnight").iterdir()}
    assert run_recipe(run, *options).count("done already") == 7
    wav = tmp_path / "said.wav"
    command = ["speechgen", "say", "A cat.", "--model", str(exp / "voice/packed"), "-o", str(wav)]
    subprocess.run(command, env=environment, check=True, cwd=tmp_path)  # from anywhere: it knows where its codec lies
    assert wav.stat().st_size > 100


@pytest.mark.slow
def test_the_shipped_codec_is_fine_tuned_on_a_folder_of_any_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "my recordings"
    folder.mkdir()
    formats = [("a.wav", 44100), ("b.flac", 8000), ("c.mp3", 22050), ("d.ogg", 48000), ("e.wav", 16000)]
    for number, (name, rate) in enumerate(formats):
        seconds = np.arange((45 if name == "e.wav" else 2) * rate) / rate
        wave = 0.2 * np.sin(2 * np.pi * (150 + 40 * number) * seconds) * np.sin(5 * seconds)
        soundfile.write(folder / name, np.stack([wave, wave], 1) if number % 2 else wave, rate)
    run = copy_recipe(ROOT / "egs/custom/codec/run.sh", tmp_path / "a clone")
    budget = "training.steps=3 training.evaluate_every=3 task.batch=2"
    options = ["--corpus", str(folder), "--nj", "1", "--ngpu", "0", "--entropy_steps", "2", "--set"]
    said = run_recipe(run, *options, budget)
    assert said.count(": finished in") == len(STAGES) and "data/train: 5 good, 0 bad" in said
    results = (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert "| codec-3k |" in results and "| speech-16k-3k |" in results and "started from: speech-16k" in results
    packed = run.parent / "exp/codec/packed"
    assert not (packed / "discriminators.safetensors").exists()
    assert unit_fingerprint(load(packed)) == unit_fingerprint(load("speech-16k"))

    against = [*options, f"{budget} task.adversarial.discriminator_warmup=1", "--config", "conf/adversarial.yaml"]
    run_recipe(run, *against, "--stage", "train", "--stop_stage", "train")
    assert read_discriminators(run.parent / "exp/adversarial") is not None

    (folder / "broken.wav").write_bytes(b"no sound")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    again = [str(run), *options, budget]
    refused = subprocess.run(again, env=environment, capture_output=True, text=True, timeout=900)
    assert refused.returncode != 0 and "my_recordings-broken" in refused.stdout + refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("config", ["tts", "lora"])
def test_the_shipped_voice_learns_one_of_a_folder_and_is_compared_with_itself(config: str, tmp_path: Path) -> None:
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
    run = copy_recipe(ROOT / "egs/custom/tts/run.sh", tmp_path / "a clone")
    budget = (
        "training.steps=4 training.evaluate_every=2 training.checkpoint_every=2 training.warmup=1 task.batch_seconds=5"
    )
    options = ["--corpus", str(mine), "--others", str(tmp_path / "others/test"), "--config", f"conf/{config}.yaml"]
    options += ["--nj", "1", "--ngpu", "0", "--set", budget]
    said = run_recipe(run, *options)
    assert said.count(": finished in") == len(STAGES) and "1 recordings have no text yet" in said
    exp = run.parent / "exp" / config
    changed = read_json(exp / "generate/report.json")["before"]
    assert changed["model"] == "starter-tts" and {line["name"] for line in changed["changes"]} >= {"my_voice", "mini01"}
    assert "## Before and after" in (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert load(exp / "packed").state_dict().keys() == load("starter-tts").state_dict().keys()
    assert (exp / "demo.wav").stat().st_size > 1000 and (exp / "best").is_dir()
    (mine / "transcripts.tsv").write_text("\n".join(["file\ttext", *rows, f"{spoken[0].path.stem}\t{spoken[0].text}"]))
    assert "transcripts.tsv" in run_recipe(run, *options, "--dry_run").splitlines()[0]  # why it is prepared again
