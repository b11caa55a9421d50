"""Verbs that measure speed: codec, tts, training, wavenet."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Measure speed, in seconds of audio per second of compute.")

MODEL = "starter-tts"
TEXT = "The boy was there when the sun rose. A rod is used to catch pink salmon."
PRECISIONS = ("f32", "bf16", "int8")
Json = Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to compute with.")]
Repeats = Annotated[int, typer.Option(min=1, help="Runs of each; the median counts.")]


@app.command()
def codec(
    json_file: Json = None,
    threads: Annotated[str, typer.Option(help="Threads to compute with, comma-separated.")] = "1,2",
    batch: Annotated[str, typer.Option(help="Recordings coded at once, comma-separated.")] = "1,16",
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Length of the audio; recordings of a batch have a quarter of it.")
    ] = 4.0,
    precision: Annotated[str, typer.Option(help="Of ours: f32, bf16, int8, comma-separated.")] = "f32,int8",
    repeats: Repeats = 5,
) -> None:
    """Encode and decode with our codec presets and with EnCodec, Mimi and DAC of transformers, in one run.

    The others have their published sizes and random weights; nothing is downloaded. Ours also run as streams of 80 ms
    chunks, which the others cannot, and in fewer bits. What takes longer than 2 s is not repeated.

    Example: speechgen bench codec --json codec.json --threads 1,2 --batch 1,16
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.bench import bench_codecs, codec_candidates

    candidates = codec_candidates(_words("--precision", precision, PRECISIONS))
    counts, batches = _counts("--threads", threads), _counts("--batch", batch)
    with progress_bar("bench", len(candidates)) as advance:
        report = bench_codecs(candidates, seconds, repeats, counts, batches, advance)
    others = list(dict.fromkeys(row["name"] for row in report["rows"] if not row["ours"]))
    # Fits a terminal of 80 columns.
    heads = ["M", "numbers", "threads", "batch", "way", "x real", *(name.partition("-")[0] for name in others)]
    columns = Column("codec", no_wrap=True), *(Column(head, justify="right", no_wrap=True) for head in heads)
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for row in report["rows"]:
        sizes = f"{row['params'] / 1e6:.1f}", row["precision"], str(row["threads"]), str(row["batch"]), row["way"]
        times = (f"{row['times'][name]:.1f}" if "times" in row else "" for name in others)
        table.add_row(row["name"], *sizes, f"{row['x_real_time']:.1f}", *times)
    _show(table, report, f"{seconds:g} s of audio, the median of at most {repeats} runs", json_file)
    typer.echo("M: million parameters; x real: times real time, encoding and decoding, at about 3 kbit/s")
    typer.echo(f"{', '.join(others)}: ours is so many times as fast, under the same conditions; they compute in f32")


@app.command()
def tts(
    json_file: Json = None,
    model: Annotated[
        str | None, typer.Option(help=f"Name or folder of a TTS; else {MODEL}, or its like with random weights.")
    ] = None,
    voice: Annotated[str | None, typer.Option(help="Name or file of a voice; else 4 s of random units.")] = None,
    text: Annotated[str, typer.Option(help="What to say.")] = TEXT,
    streams: Annotated[str, typer.Option(help="How many listen at once, comma-separated.")] = "1,4,8",
    steps: Annotated[str, typer.Option(help="Steps of our flow head, comma-separated.")] = "8",
    guidance: Annotated[float, typer.Option(help="Guidance of ours; 1 is off.")] = 1.5,
    precision: Annotated[str, typer.Option(help="Of ours: f32, bf16, int8, comma-separated.")] = "f32,int8",
    only: Annotated[str, typer.Option(help="Only these of ours, vits, bark, csm.")] = "",
    skip: Annotated[str, typer.Option(help="All but these.")] = "",
    peer_seconds: Annotated[
        float,
        typer.Option("--peer_seconds", min=0.05, help="Audio that the others make in a run; VITS decides itself."),
    ] = 1.0,
    threads: Threads = 1,
    repeats: Repeats = 3,
) -> None:
    """Time first audio, speed and memory for 1, 4 and 8 listeners, beside CSM, VITS and Bark of transformers.

    The others have their published sizes and random weights; nothing is downloaded. CSM's weights take 6.5 GB; a model
    that takes two minutes for one run is not asked for more listeners.

    Example: speechgen bench tts --json tts.json --skip bark,csm
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.bench_speech import Other, Ours, bench_speech, random_synthesiser, random_voice
    from speechgen.evaluation.coding import model_name
    from speechgen.evaluation.speech_peers import PEERS
    from speechgen.models.lines import Drawing
    from speechgen.models.load import shipped
    from speechgen.serving.synthesiser import Synthesiser, check_drawing
    from speechgen.serving.voices import find_voice

    chosen = _words("--only", only, ("ours", *PEERS)) or ["ours", *PEERS]
    chosen = [name for name in chosen if name not in _words("--skip", skip, ("ours", *PEERS))]
    drawings = [Drawing(count, guidance) for count in reversed(_counts("--steps", steps))]
    precisions, counts = _words("--precision", precision, PRECISIONS), _counts("--streams", streams)
    for drawing in drawings:
        check_drawing(drawing)
    if model is None and MODEL not in shipped():
        name, load = "random weights", lambda precision: random_synthesiser(precision=precision)
    else:
        name, load = model_name(model or MODEL), lambda precision: Synthesiser.load(model or MODEL, precision)
    speaker = random_voice if voice is None else lambda _: find_voice(voice)
    candidates = [Ours(name, load, speaker, one, drawing) for one in precisions for drawing in drawings]
    candidates = candidates if "ours" in chosen else []
    candidates += [Other(*PEERS[name], seconds=peer_seconds) for name in PEERS if name in chosen]
    with progress_bar("bench", len(candidates) * len(counts)) as advance:
        report = bench_speech(candidates, text, counts, repeats, threads, advance)
    heads = "M", "numbers", "steps", "streams", "x real", "first, ms", "peak MB"
    columns = Column("model", no_wrap=True), *(Column(head, justify="right", no_wrap=True) for head in heads)
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in report["rows"]:
        peak = "" if row["peak_memory_mb"] is None else f"{row['peak_memory_mb']:.0f}"
        drawn = str(row["steps"] or ""), str(row["streams"])
        speed = f"{row['x_real_time']:.2g}", f"{row['first_audio_ms']:.0f}" + ("" if row["streaming"] else " *")
        table.add_row(row["name"], f"{row['params'] / 1e6:.0f}", row["precision"], *drawn, *speed, peak)
    _show(table, report, f"the median of at most {repeats} runs", json_file)
    typer.echo("x real: times real time, all streams together; first: the median stream; *: heard when whole")
    for one in report["left_out"]:
        typer.echo(f"left out, as it would take too long: {one['name']} with {one['streams']} streams")


@app.command()
def training(
    config: Annotated[
        Path, typer.Argument(help="Experiment of a codec; its data and its initial weights are not read.")
    ],
    json_file: Json = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key: task.batch=8. Repeatable.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps that are timed; four before them are not.")] = 8,
    threads: Annotated[str, typer.Option(help="Threads to compute with, comma-separated.")] = "1,2",
    device: Annotated[str, typer.Option(help="cpu, or auto: an accelerator where there is one.")] = "cpu",
) -> None:
    """Take a codec's training steps on noise: with surface losses, with perceptual ones, with discriminators.

    Example: speechgen bench training egs/starter/codec/conf/adversarial.yaml --set task.perceptual.model=listener-16k
    """
    from rich.table import Table

    from speechgen.errors import UserError
    from speechgen.evaluation.bench_training import bench_training
    from speechgen.training.experiment import CodecExperiment, read_experiment

    experiment = read_experiment(config, overrides or [])
    if not isinstance(experiment, CodecExperiment):
        raise UserError(f"{config}: kind: {experiment.kind}; only the training of a codec is timed")
    if device not in ("cpu", "auto"):
        raise UserError(f"--device {device}: expected cpu or auto")
    report = bench_training(experiment, steps, _counts("--threads", threads), None if device == "auto" else device)
    table = Table("losses", "threads", "batch", "seconds a step", "x real time")
    for row in report["rows"]:
        batch = f"{row['batch']} x {row['seconds']:g} s"
        speed = f"{row['seconds_per_step']:.2f}", f"{row['x_real_time']:.1f}"
        table.add_row(row["losses"], str(row["threads"]), batch, *speed)
    _show(table, report, f"the mean of {steps} steps", json_file)


@app.command()
def wavenet(
    json_file: Json = None,
    model: Annotated[str | None, typer.Option(help="Folder of a WaveNet; else the published size, random.")] = None,
    audio: Annotated[
        Path | None, typer.Option(help="A held-out recording to judge low precision on; else the model's own sound.")
    ] = None,
    labels: Annotated[str, typer.Option(help="What a model with labels is told: pitch=a2,articulation=pizz.")] = "",
    seconds: Annotated[float, typer.Option(min=0.01, help="Length of the sound.")] = 1.0,
    repeats: Repeats = 3,
    first_use: Annotated[
        bool, typer.Option("--first_use/--no_first_use", help="Also time fresh processes with empty caches.")
    ] = True,
) -> None:
    """Generate in every way there is, all on one core: naive, cached, compiled; one stream and four.

    Example: speechgen bench wavenet --json wavenet.json
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    from speechgen.audio.files import read_audio
    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.bench_wavenet import Told, bench_steps, bench_wavenet, random_wavenet
    from speechgen.models.load import load
    from speechgen.models.wavenet import WaveNet

    network = random_wavenet() if model is None else load(model)
    if not isinstance(network, WaveNet):
        raise UserError(f"{model}: a {network.config.kind}, not a wavenet")
    told = None
    if audio or labels:
        pairs = dict(pair.partition("=")[::2] for pair in labels.split(",") if pair)
        network.label_ids(pairs)
        wave = read_audio(audio, network.config.sample_rate)[0][None] if audio else None
        if network.config.mel and wave is None:
            raise UserError("a vocoder with --labels needs --audio, too, to be told its mel")
        told = Told(pairs or None, network.mel_of(wave)[0] if network.config.mel else None, wave)
    with progress_bar("bench", bench_steps()) as advance:
        report = bench_wavenet(
            network, model or "random weights", told, seconds, repeats, first_use=first_use, on_row=advance
        )
    heads = "streams", "x real", "by CPU", "logits", "MB", "limits", "bits"
    columns = Column("way", no_wrap=True), *(Column(head, justify="right", no_wrap=True) for head in heads)
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in report["rows"]:
        shares = (f"{row[key]:.0%}" for key in ("compute_share", "memory_share") if key in row)
        size = f"{row['weight_bytes'] / 1e6:.2f}" if "weight_bytes" in row else ""
        bits = f"{row['bits_per_sample']:.3f}" if "bits_per_sample" in row else ""
        speeds = (f"{row[key]:.2g}" for key in ("x_real_time", "cpu_x_real_time"))
        table.add_row(
            row["name"], str(row["streams"]), *speeds, f"{row['max_logit_diff']:.1g}", size, " ".join(shares), bits
        )
    _show(table, report, f"one core; {report['multiply_adds'] / 1e6:.2f} M multiply-adds per sample", json_file)
    for method, runs in report["first_use_seconds"].items():
        empty, warm = (f"{runs[cache]['total']:.1f} s ({runs[cache]['kernel']:.2f})" for cache in ("empty", "warm"))
        typer.echo(f"{method}: first sound of a fresh process after {empty}, with a warm cache {warm}")
    typer.echo("x real: times real time, and by CPU time, which others on this core do not slow; logits: largest error")
    typer.echo("limits: shares of what the products alone reach in the nearest cache, and over all weights")
    typer.echo(f"fastest here: {report['fastest']}; bits per sample on {report['bits_on']}")


def _words(option: str, text: str, known: tuple[str, ...]) -> list[str]:
    from speechgen.errors import UserError, nearest

    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in words:
        if word not in known:
            raise UserError(f"{option} {text}: {word!r} is not known{nearest(word, known)}")
    return words


def _counts(option: str, text: str) -> list[int]:
    from speechgen.errors import UserError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) for part in parts):
        raise UserError(f"{option} {text}: expected whole numbers from 1 on with commas, such as 1,2")
    return sorted({int(part) for part in parts})


def _show(table, report: dict, how: str, json_file: Path | None) -> None:
    from rich.console import Console

    from speechgen.evaluation.logs import write_json

    Console().print(table)
    for target in report["targets"]:
        met = "met" if target["met"] else "missed"
        limit = f"at most {target['at_most']:g}" if "at_most" in target else f"at least {target['at_least']:g}"
        measured = f"{target['measured']:.1f}" if target["measured"] >= 10 else f"{target['measured']:.2g}"
        typer.echo(f"{target['what']}: {measured} ({limit}: {met})")
    threads = f"; {report['threads']} threads" if "threads" in report else ""
    typer.echo(f"{report['machine']}{threads}; {how}")
    if json_file:
        write_json(json_file, report)
        typer.echo(f"figures: {json_file}")
