"""Verbs on WaveNets: generate, generate-set, score, pictures."""

import math
import time
from pathlib import Path
from typing import Annotated

import typer

from speechgen.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Make sound sample by sample, and measure how good it is.")

Model = Annotated[str, typer.Argument(help="Name or folder of a WaveNet.")]
Method = Annotated[str, typer.Option(help="naive, cached, compiled-f32-numba, compiled-f32, -bf16, -int8, or fastest.")]
Temperature = Annotated[float, typer.Option(help="How lively to draw; 0 is the likeliest sample each time.")]


@app.command()
def generate(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="Audio file to write: .wav, .flac, .ogg, .mp3.")],
    seconds: Annotated[float | None, typer.Option(help="How long; with --from or --mel: all of it.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="What to be told: --label pitch=a2; again for more.")] = None,
    pitch: Annotated[str | None, typer.Option(help="The same as --label pitch=...")] = None,
    articulation: Annotated[str | None, typer.Option(help="The same as --label articulation=...")] = None,
    speaker: Annotated[str | None, typer.Option(help="The same as --label speaker=...")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Vocoder: make this recording anew from its mel spectrogram.")
    ] = None,
    mel: Annotated[Path | None, typer.Option(help="Vocoder: log-mel frames (bands, frames) in a .npy file.")] = None,
    resample: Annotated[bool, typer.Option("--resample", help="Take a recording of another rate, too.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same samples.")] = 0,
    temperature: Temperature = 1.0,
    method: Method = "fastest",
    keep_partial: Annotated[
        bool, typer.Option("--keep-partial", "--keep_partial", help="When stopped by Ctrl-C, keep what was made.")
    ] = False,
) -> None:
    """Make a sound of given labels, or a recording anew from its spectrogram.

    Example: speechgen wavenet generate exp/wavenet --pitch a2 --articulation pizz --seconds 3 --seed 1 -o out.wav

    Example: speechgen wavenet generate exp/vocoder --from talk.wav -o again.wav
    """
    import torch

    from speechgen.audio.files import writable, write_audio
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.bits import load_wavenet
    from speechgen.models.told import frames_of_file, frames_of_recording, samples_of
    from speechgen.models.wavenet_generate import generate

    writable(out)  # before the work, not after it
    labels = _labels(label or [], pitch=pitch, articulation=articulation, speaker=speaker)
    if source and mel:
        raise UserError("give --from or --mel, not both")
    network = load_wavenet(model)
    network.label_ids(labels)
    rate = network.config.sample_rate
    frames = None
    if source:
        frames = frames_of_recording(network, source, resample)
    elif mel:
        frames = frames_of_file(network, mel)
    elif network.config.mel:
        raise UserError(f"{model}: is a vocoder; give a recording with --from, or log-mel frames with --mel")
    samples = samples_of(network, seconds, frames)
    chunks = generate(network, samples, labels, frames, method=method, temperature=temperature, seed=seed)
    made: list[torch.Tensor] = []
    began, stopped = time.perf_counter(), False
    try:
        with progress_bar("generate", math.ceil(samples / max(1, rate // 10))) as advance:
            for chunk in chunks:
                made.append(chunk[0])
                advance()
    except KeyboardInterrupt:
        stopped = True
    if stopped and not (keep_partial and made):
        raise typer.Exit(130)
    wave = torch.cat(made)
    write_audio(out, wave, rate)
    speed = len(wave) / rate / (time.perf_counter() - began)
    typer.echo(f"{out}: {len(wave) / rate:.2f} s, seed {seed}; {speed:.2f}x real time")
    if stopped:
        typer.echo(f"warning: stopped after {len(wave) / rate:.2f} of {samples / rate:.2f} s", err=True)
        raise typer.Exit(130)


@app.command("generate-set")
def generate_set(
    model: Model,
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory of the test set.")],
    out: Annotated[Path, typer.Option(help="Folder for every system's version of every recording.")],
    baseline: Annotated[str | None, typer.Option(help="A smaller WaveNet to compare bits with.")] = None,
    train: Annotated[Path | None, typer.Option(help="Dump of the training set, to count n-grams on.")] = None,
    codec: Annotated[str, typer.Option(help="Codec to score beside a vocoder; empty: none.")] = "speech-16k",
    kbps: Annotated[str, typer.Option(help="Its bitrates in kbit/s, comma-separated.")] = "3,6",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many recordings, spread over all.")] = None,
    temperature: Temperature = 1.0,
    method: Method = "fastest",
) -> None:
    """Make every recording of a test set anew from its labels or its spectrogram; goes on where it was stopped.

    Example: speechgen wavenet generate-set exp/wavenet data/test --train dump/train --out exp/wavenet/generate
    """
    from speechgen.cli.codec_eval import bitrates
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.bits import load_wavenet
    from speechgen.evaluation.coding import codec_systems, model_name
    from speechgen.evaluation.facts import model_facts
    from speechgen.evaluation.recordings import find_recordings
    from speechgen.evaluation.vocoders import GriffinLim
    from speechgen.evaluation.wavenet import bit_systems
    from speechgen.evaluation.wavenet import generate_set as make_all

    recordings = find_recordings(data_dir, limit)
    network = load_wavenet(model)
    others = []
    if network.config.mel:
        others = [GriffinLim(network), *(codec_systems(codec, bitrates(kbps)) if codec else [])]
    bits = bit_systems(model, baseline, train)
    facts = {"model": model_name(model), **model_facts(model)}
    with progress_bar("generate", len(recordings.utterances) * (len(others) + 2)) as advance:
        make_all(model, recordings, out, others, bits, facts, {"method": method, "temperature": temperature}, advance)
    typer.echo(f"{out}: {len(recordings.utterances)} recordings by {len(others) + 1} systems")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'wavenet generate-set' wrote.")],
    results: Annotated[Path | None, typer.Option(help="Also write the tables to this Markdown file.")] = None,
    nj: Annotated[int, typer.Option("--nj", min=1, help="Processes to score with.")] = 1,
) -> None:
    """Score a test set: bits per sample beside baselines, and how a vocoder sounds. Writes report.json and RESULTS.md.

    Example: speechgen wavenet score exp/wavenet/generate --results RESULTS.md
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.wavenet import count_items, score_set
    from speechgen.evaluation.wavenet_results import bits_table, vocoder_table, write_wavenet_results

    with progress_bar("score", count_items(folder)) as advance:
        report = score_set(folder, jobs=nj, on_item=advance)
    if results:
        write_wavenet_results(results, report)
    typer.echo(bits_table(report))
    if report["systems"]:
        typer.echo(f"\n{vocoder_table(report)}")


@app.command()
def pictures(
    folder: Annotated[Path, typer.Argument(help="Folder that 'wavenet generate-set' wrote.")],
    out: Annotated[Path, typer.Option(help="The .png to write.")],
    count: Annotated[int, typer.Option(min=1, max=12, help="Recordings to show, spread over all.")] = 4,
    only: Annotated[list[str] | None, typer.Option(help="Show this recording; again for more.")] = None,
) -> None:
    """Draw spectrograms of recorded and generated sounds side by side.

    Example: speechgen wavenet pictures exp/wavenet/generate --out notes.png --count 4
    """
    from speechgen.evaluation.side_by_side import draw_side_by_side

    shown = draw_side_by_side(folder, out, count, only or [])
    typer.echo(f"{out}: {', '.join(shown)}")


def _labels(given: list[str], **named: str | None) -> dict[str, str]:
    """Labels by kind; raises UserError for one that is no kind=name, or is given twice."""
    labels: dict[str, str] = {}
    for item in [*given, *(f"{kind}={name}" for kind, name in named.items() if name is not None)]:
        kind, equals, name = item.partition("=")
        if not (kind and equals and name):
            raise UserError(f"--label {item}: expected kind=name, such as pitch=a2")
        if kind in labels:
            raise UserError(f"label {kind} is given twice: {labels[kind]} and {name}")
        labels[kind] = name
    return labels
