"""Verbs on .sgc files: encode, decode, info. Those that measure codecs are in ``codec_eval``."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.precision import Precision

app = typer.Typer(no_args_is_help=True, help="Code audio, and measure how good it is.")

MODEL = "speech-16k"
PIPE = Path("-")


class Channels(enum.StrEnum):
    mix = "mix"
    each = "each"


@app.command()
def encode(
    audio: Annotated[Path, typer.Argument(help="Recording of any format that libsndfile reads; - for stdin.")],
    out: Annotated[Path, typer.Argument(help="The .sgc file to write; - for stdout.")],
    kbps: Annotated[float, typer.Option(help="Most kbit/s that the codes of a channel may take.")] = 3.0,
    model: Annotated[str, typer.Option(help="Name or folder of a codec.")] = MODEL,
    channels: Annotated[
        Channels | None, typer.Option(help="Of a recording with several: mix them down, or code each.")
    ] = None,
    entropy: Annotated[
        bool, typer.Option("--entropy/--no-entropy", help="Entropy-code, where the codec has a model for it.")
    ] = True,
    precision: Precision = "f32",
) -> None:
    """Code a recording of any length as a .sgc file.

    Example: speechgen codec encode talk.wav talk.sgc --kbps 3
    """
    import sys

    from speechgen.audio.files import read_audio_info
    from speechgen.errors import UserError
    from speechgen.evaluation.coding import load_codec, model_name
    from speechgen.models.coding import encode_recording
    from speechgen.models.load import load_entropy, unit_fingerprint
    from speechgen.tokenizers.sgc import pack_sgc, write_sgc

    _check_target(out, audio)
    codec = load_codec(model, precision)
    codebooks = codec.codebooks_for(kbps)
    coder = load_entropy(model) if entropy else None
    coder = coder if coder and coder.codebooks >= codebooks else None
    with _readable(audio) as path:
        count = read_audio_info(path).channels
        if count > 1 and channels is None:
            raise UserError(f"{audio}: has {count} channels; say --channels mix or --channels each")
        names = {"model": model_name(model), "weights": unit_fingerprint(codec)}
        names["entropy"] = coder.fingerprint if coder else ""
        codes, header = encode_recording(codec, path, codebooks, channels != Channels.each, **names)
    if out == PIPE:
        content = pack_sgc(codes, header, coder)
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        size = len(content)
    else:
        size = write_sgc(out, codes, header, coder)
    seconds = header.samples / header.sample_rate
    mixed = f", {count} channels mixed down" if count > header.channels else ""
    mixed = f", {count} channels" if header.channels > 1 else mixed
    rate = f"{size * 8 / 1000 / seconds:.2f} kbit/s"
    typer.echo(f"{_name(out, 'stdout')}: {size} bytes, {seconds:.2f} s, {rate}{mixed}", err=out == PIPE)


@app.command()
def decode(
    coded: Annotated[Path, typer.Argument(help="The .sgc file; - for stdin.")],
    out: Annotated[Path, typer.Argument(help="Audio to write; the extension names the format; - for WAV on stdout.")],
    model: Annotated[str | None, typer.Option(help="Name or folder of the codec; else the one the file names.")] = None,
    start: Annotated[float | None, typer.Option("--from", min=0, help="Seconds to start at.")] = None,
    end: Annotated[float | None, typer.Option("--to", min=0, help="Seconds to stop at.")] = None,
    precision: Precision = "f32",
) -> None:
    """Decode a .sgc file. Of a damaged one the sound part is written, the place is named, and the exit status is 1.

    Example: speechgen codec decode talk.sgc talk.wav --from 60 --to 75.5
    """
    import sys
    from contextlib import nullcontext

    from speechgen.audio.files import writable
    from speechgen.audio.stream import AudioWriter, WavPipe
    from speechgen.errors import UserError
    from speechgen.evaluation.coding import load_codec
    from speechgen.models.coding import check_codec, decode_between, samples_between
    from speechgen.models.load import load_entropy, unit_fingerprint
    from speechgen.tokenizers.sgc import SgcReader, open_sgc

    if out != PIPE:
        writable(out)
    name = _name(coded, "stdin")
    with nullcontext(sys.stdin.buffer) if coded == PIPE else open_sgc(coded) as file:
        reader = SgcReader(file, name)
        header = reader.header
        codec = load_codec(model or header.model, precision)
        check_codec(header, codec, unit_fingerprint(codec), name)
        first, last = samples_between(header, name, start, end)
        coder = load_entropy(model or header.model, header.entropy) if header.entropy else None
        pieces = decode_between(codec, reader, coder, first, last)
        piece, written = next(pieces, None), 0
        if piece is None:
            raise UserError(reader.damage or f"{name}: holds no sound")
        shape = (codec.sample_rate, header.channels)
        with (
            nullcontext(WavPipe(sys.stdout.buffer, *shape, last - first))
            if out == PIPE
            else AudioWriter(out, *shape) as sink
        ):
            while piece is not None:
                sink.write(piece)
                written += piece.shape[1]
                piece = next(pieces, None)
    sys.stdout.flush()
    heard = f"{written / codec.sample_rate:.2f} s at {codec.sample_rate} Hz"
    typer.echo(f"{_name(out, 'stdout')}: {heard}", err=out == PIPE)
    for told in filter(None, (reader.damage, reader.surplus)):
        typer.echo(f"warning: {told}", err=True)
    if reader.damage:
        raise typer.Exit(1)


@app.command()
def info(
    file: Annotated[str, typer.Argument(help="A .sgc file (- for stdin), or the name or folder of a codec.")],
) -> None:
    """Say what a .sgc file holds, and whether it is sound (exit status 1 when it is not); or what a codec can do.

    Example: speechgen codec info talk.sgc
    """
    import sys
    from contextlib import nullcontext

    from speechgen.models.load import folder_of
    from speechgen.tokenizers.sgc import SgcReader, open_sgc

    if folder_of(file).is_dir():
        _describe(file)
        return
    with nullcontext(sys.stdin.buffer) if file == "-" else open_sgc(file) as opened:
        reader = SgcReader(opened, _name(Path(file), "stdin"))
        reader.check()
    header, size = reader.header, reader.size
    seconds = header.samples / header.sample_rate
    channels = f", {header.channels} channels" if header.channels > 1 else ""
    typer.echo(f"model: {header.model} (weights {header.weights})")
    typer.echo(f"audio: {seconds:.2f} s at {header.sample_rate} Hz{channels}")
    frames = f"{header.frames} frames of {header.hop} samples"
    typer.echo(f"codes: {header.codebooks} of {header.codebook_size}, {frames}")
    typer.echo(f"entropy coding: {f'model {header.entropy}' if header.entropy else 'none'}")
    if seconds and not reader.damage:
        packed = header.block_bytes(header.frames) * header.channels
        typer.echo(f"size: {size} bytes, {size * 8 / 1000 / seconds:.2f} kbit/s ({packed} bytes of codes unpacked)")
    typer.echo(f"damage: {reader.damage or 'none'}")
    if reader.surplus:
        typer.echo(f"warning: {reader.surplus}", err=True)
    if reader.damage:
        raise typer.Exit(1)


def _describe(model: str) -> None:
    from speechgen.evaluation.coding import load_codec
    from speechgen.models.load import load_entropy, unit_fingerprint

    codec, coder = load_codec(model), load_entropy(model)
    parameters = sum(parameter.numel() for parameter in codec.parameters())
    typer.echo(f"model: {model} (weights {unit_fingerprint(codec)}), {parameters / 1e6:.2f} M parameters")
    typer.echo(f"audio: {codec.sample_rate} Hz, {codec.frame_rate:g} frames per second")
    typer.echo(f"codes: {codec.codebooks} of {codec.codebook_size}")
    typer.echo(f"bitrates: {codec.kbps(1):g} to {codec.kbps(codec.codebooks):g} kbit/s in steps of {codec.kbps(1):g}")
    typer.echo(f"algorithmic delay: {1000 * codec.config.latency:g} ms")
    typer.echo(f"entropy coding: {f'model {coder.fingerprint}' if coder else 'none; see fit-entropy'}")


def _check_target(out: Path, audio: Path) -> None:
    """Raises UserError, before any work, where the file cannot be written or would take the recording's place."""
    from speechgen.errors import UserError

    if out == PIPE:
        return
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise UserError(f"{out}: is a folder; name the .sgc file to write")
    if out.exists() and audio.exists() and out.samefile(audio):
        raise UserError(f"{out}: is the recording itself; give the .sgc file another name")


class _readable:
    """The path of a recording; what comes from stdin is put into a temporary file, since formats need to seek."""

    def __init__(self, audio: Path):
        self._audio, self._folder = audio, None

    def __enter__(self) -> Path:
        if self._audio != PIPE:
            return self._audio
        import shutil
        import sys
        import tempfile

        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name, "stdin")
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return path

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        from speechgen.errors import UserError

        if self._folder:
            self._folder.cleanup()
        if self._folder and isinstance(error, UserError):  # a name that means nothing to whoever wrote to the pipe
            raise UserError(str(error).replace(str(Path(self._folder.name, "stdin")), "stdin")) from None


def _name(path: Path, pipe: str) -> str:
    return pipe if path == PIPE else str(path)
