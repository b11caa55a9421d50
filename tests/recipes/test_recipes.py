"""The recipes in egs: their stages, the commands they call, their configs."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from speechgen.cli import app
from speechgen.evaluation.ablation import read_ablation
from speechgen.evaluation.compare import read_comparison
from speechgen.models.systems import SYSTEMS, System
from speechgen.models.tts import TokenTTS
from speechgen.tokenizers.codec import build_codec
from speechgen.training.experiment import read_experiment

ROOT = Path(__file__).resolve().parents[2]
OVERNIGHT = sorted((ROOT / "egs").glob("*/overnight/run.sh"))  # a chain of three trainings, with stages of its own
RUNS = sorted(set((ROOT / "egs").glob("*/*/run.sh")) - set(OVERNIGHT))
NAMES = [str(run.parent.relative_to(ROOT / "egs")) for run in RUNS]
STAGES = ["prepare", "dump", "train", "generate", "score", "pack", "demo"]
GRID_STAGES = ["prepare", "dump", "parts", "grid"]  # of a grid, whose cells train and are scored together


def stages(run: Path) -> list[str]:
    return GRID_STAGES if run.parent.name == "grid" else STAGES


def planned_commands(egs, run: Path, folder: Path) -> list[list[str]]:
    """What a run on fresh ground would call, from the dry run of a copy without data and experiments."""
    copied = egs.copy(run, folder)
    (folder / "corpus").mkdir()
    corpus = ["--corpus", str(folder / "corpus")] if "import" in run.read_text(encoding="utf-8") else []
    lines = egs.run(copied, "--dry_run", *corpus).splitlines()
    return [shlex.split(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_every_recipe_has_its_stages_and_says_what_it_is(egs, run: Path) -> None:
    lines = egs.run(run.relative_to(ROOT), "--help").splitlines()  # as typed from the root
    assert lines[1].endswith(".") and lines[1] in run.read_text(encoding="utf-8")
    assert [line.split()[1] for line in lines if line[:3].strip().isdigit()] == stages(run)
    assert len(run.read_text(encoding="utf-8").splitlines()) <= 15


EVERY = sorted((ROOT / "egs").glob("*/*/all.sh"))
SINGLE = [ROOT / "egs/mini" / task for task in ("wavenet", "tts", "codec", "sound")]  # recipes of one named system
COMPARISONS = sorted((ROOT / "egs").glob("*/*/compare.sh"))
SCRIPTS = [*RUNS, *OVERNIGHT, *COMPARISONS]


@pytest.mark.parametrize("run", SCRIPTS, ids=[str(run.relative_to(ROOT / "egs")) for run in SCRIPTS])
def test_every_command_is_a_verb_with_these_options(egs, run: Path, tmp_path: Path) -> None:
    commands = planned_commands(egs, run, tmp_path)
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
def test_all_systems_of_a_recipe_are_run_by_one_command(egs, recipe: str, tmp_path: Path) -> None:
    told = egs.run(ROOT / recipe / "all.sh", "--corpus", str(tmp_path), "--dry_run")
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


def words_of_plan(egs, run: Path, folder: Path, *options: str) -> list[str]:
    """Every word of the commands that a run with these options would call."""
    copied = egs.copy(run, folder)
    (folder / "corpus").mkdir()
    lines = egs.run(copied, "--dry_run", "--corpus", str(folder / "corpus"), *options).splitlines()
    return [word for line in lines if not line.startswith("#") for word in shlex.split(line)]


@pytest.mark.parametrize("recipe", ["mnist/grid", "fsdd/grid", "mini/image"])
def test_experiments_may_lie_in_another_folder(egs, recipe: str, tmp_path: Path) -> None:
    own = ["--tokenizer", "gan"] if recipe == "mini/image" else []
    mine = tmp_path / "mine"
    words = words_of_plan(egs, ROOT / "egs" / recipe / "run.sh", tmp_path, "--expdir", str(mine), *own)
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
def test_weights_are_packed_with_the_licence_of_their_pictures(egs, recipe: str, licence: str, tmp_path: Path) -> None:
    words = words_of_plan(egs, ROOT / "egs" / recipe / "run.sh", tmp_path)
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


ABLATIONS = sorted((ROOT / "egs").glob("*/*/ablation.sh"))


@pytest.mark.parametrize("run", ABLATIONS, ids=[str(run.parent.relative_to(ROOT / "egs")) for run in ABLATIONS])
def test_every_ablation_shares_its_data_with_the_recipe_and_has_variants_at_equal_budget(
    egs, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        commands = planned_commands(egs, script, tmp_path / script.stem)
        planned.append([c for c in commands if c[1] in ("data", "dump")])
        planned[-1][0] = [word.replace(str(tmp_path / script.stem), "") for word in planned[-1][0]]
    assert planned[0] == planned[1]  # so that one of them believes what the other has done


@pytest.mark.parametrize("run", COMPARISONS, ids=[str(run.parent.relative_to(ROOT / "egs")) for run in COMPARISONS])
def test_every_comparison_has_all_heads_and_the_data_of_its_recipe(
    egs, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    planned = [planned_commands(egs, script, tmp_path / script.stem)[:5] for script in (run, run.with_name("run.sh"))]
    for commands, script in zip(planned, ("compare", "run"), strict=True):
        commands[0] = [word.replace(str(tmp_path / script), "") for word in commands[0]]
    assert planned[0] == planned[1]  # so that one of them believes what the other has done


def test_the_hours_are_shared_out_among_the_trainings(egs, tmp_path: Path) -> None:
    run = egs.copy(ROOT / "egs/starter/overnight/run.sh", tmp_path)
    (tmp_path / "corpus").mkdir()
    said = egs.run(run, "--dry_run", "--corpus", str(tmp_path / "corpus"), "--hours", "8", "--device", "cuda")
    trainings = [line for line in said.splitlines() if line.startswith("speechgen train")]
    assert [line.partition("training.hours=")[2].split()[0] for line in trainings] == ["0.8", "2.8", "3.2"]
    assert all("--device cuda" in line and "training.evaluate_minutes=48" in line for line in trainings)
    told = subprocess.run([str(run), "--hours", "ten"], capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr == "run.sh: error: --hours ten: expected a number\n"


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
def test_half_an_hour_without_a_gpu_is_one_line(egs, tmp_path: Path) -> None:
    run = egs.copy(ROOT / "egs/mini/overnight/run.sh", tmp_path)
    told = subprocess.run([str(run), "--device", "cuda"], capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr.startswith("run.sh: error: no GPU here;")
    assert told.stderr.count("\n") == 1 and not (run.parent / "exp").exists()
