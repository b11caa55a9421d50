"""Verbs on codecs: encode, decode, info. Those that measure are in codec_eval.py."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Code audio, and measure how good it is.")

MODEL = "speech-16k"
Model = Annotated[str, typer.Option(help="Name or folder of a codec.")]


@app.command()
def encode(
    audio: Annotated[Path, typer.Argument(help="Recording to code, of any format that libsndfile reads.")],
    out: Annotated[Path, typer.Argument(help="The .sgc file to write.")],
    kbps: Annotated[float, typer.Option(help="Most kbit/s that the codes may take.")] = 3.0,
    model: Model = MODEL,
) -> None:
    """Code a recording as a .sgc file.

    Example: speechgen codec encode talk.wav talk.sgc --kbps 3
    """
    from speechgen.audio.files import read_audio
    from speechgen.evaluation.coding import encode, load_codec, model_name
    from speechgen.models.load import unit_fingerprint
    from speechgen.tokenizers.sgc import write_sgc

    codec = load_codec(model)
    codebooks = codec.codebooks_for(kbps)
    wave, rate = read_audio(audio, codec.sample_rate)
    size = write_sgc(out, *encode(codec, model_name(model), unit_fingerprint(codec), wave, codebooks))
    seconds = len(wave) / rate
    typer.echo(f"{out}: {size} bytes, {seconds:.2f} s, {size * 8 / 1000 / seconds:.2f} kbit/s")


@app.command()
def decode(
    coded: Annotated[Path, typer.Argument(help="The .sgc file.")],
    out: Annotated[Path, typer.Argument(help="Audio to write; the extension names the format.")],
    model: Annotated[str | None, typer.Option(help="Name or folder of the codec; else the one the file names.")] = None,
) -> None:
    """Decode a .sgc file. Of a damaged one the sound part is written, the place is named, and the exit status is 1.

    Example: speechgen codec decode talk.sgc talk.wav
    """
    from speechgen.audio.files import write_audio
    from speechgen.errors import UserError
    from speechgen.evaluation.coding import decode, load_codec
    from speechgen.models.load import unit_fingerprint
    from speechgen.tokenizers.sgc import read_sgc

    file = read_sgc(coded)
    codec = load_codec(model or file.header.model)
    if unit_fingerprint(codec) != file.header.weights:
        raise UserError(
            f"{coded}: coded by {file.header.model!r} with weights {file.header.weights}, and {model or 'that model'} "
            f"has {unit_fingerprint(codec)}; give the folder of the one that coded it with --model"
        )
    if not file.codes.shape[1]:
        raise UserError(file.damage or f"{coded}: holds no sound")
    wave = decode(codec, file.codes)[: file.header.samples]
    write_audio(out, wave, codec.sample_rate)
    typer.echo(f"{out}: {len(wave) / codec.sample_rate:.2f} s at {codec.sample_rate} Hz")
    if file.damage:
        typer.echo(f"warning: {file.damage}", err=True)
        raise typer.Exit(1)


@app.command()
def info(coded: Annotated[Path, typer.Argument(help="The .sgc file.")]) -> None:
    """Say what a .sgc file holds, and whether it is sound; exit status 1 when it is not.

    Example: speechgen codec info talk.sgc
    """
    from speechgen.tokenizers.sgc import read_sgc

    file = read_sgc(coded)
    header, size = file.header, coded.stat().st_size
    seconds = header.samples / header.sample_rate
    typer.echo(f"model: {header.model} (weights {header.weights})")
    typer.echo(f"audio: {seconds:.2f} s at {header.sample_rate} Hz")
    frames = f"{header.frames} frames of {header.hop} samples"
    typer.echo(f"codes: {header.codebooks} of {header.codebook_size}, {frames}")
    if seconds:
        typer.echo(f"size: {size} bytes, {size * 8 / 1000 / seconds:.2f} kbit/s")
    typer.echo(f"damage: {file.damage or 'none'}")
    if file.damage:
        raise typer.Exit(1)
