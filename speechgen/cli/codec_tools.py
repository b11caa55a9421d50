"""Verbs that make something of a codec: fit-entropy, export."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor


def fit_entropy(
    model: Annotated[str, typer.Argument(help="Name or folder of a codec.")],
    sources: Annotated[list[Path], typer.Argument(help="Kaldi data directories, folders of audio, or dumps of audio.")],
    steps: Annotated[
        int, typer.Option(min=1, help="Training steps: 2,000 take about five minutes on one core.")
    ] = 2000,
    out: Annotated[Path | None, typer.Option(help="File to write; else entropy.safetensors beside the codec.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many recordings of each source.")] = None,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
) -> None:
    """Fit the model that entropy-codes a codec's .sgc files, on recordings like those to be coded.

    Every twentieth recording is held out, and what the model saves on it is said. A model that was there is put aside
    under another name, by which files that were coded with it are still decoded.

    Example: speechgen codec fit-entropy exp/codec/packed dump/train --steps 2000
    """
    import torch

    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.coding import load_codec
    from speechgen.models.load import folder_of, shipped
    from speechgen.tokenizers.chunks import encode_in_chunks
    from speechgen.tokenizers.entropy import FILE
    from speechgen.training.entropy import EntropyConfig, savings
    from speechgen.training.entropy import fit_entropy as fit

    if out is None and model in shipped():
        raise UserError(f"{model}: comes with the package, whose files stay as they are; give --out FILE")
    codec, codes = load_codec(model), []
    if not codec.codebooks:
        raise UserError(f"{model}: this codec is continuous; it has no codes to fit a model to")
    waves = [wave for source in sources for wave in _waves(source, codec.sample_rate, limit)]
    with progress_bar("encode", len(waves)) as advance:
        for read in waves:
            try:
                codes.append(encode_in_chunks(codec, read()[None, None]).values[0])
            except UserError as error:
                typer.echo(f"left out {error}", err=True)
            advance()
    if not codes:
        raise UserError(f"{sources[0]}: none of its recordings can be used")
    train = [one for number, one in enumerate(codes) if number % 20] or codes
    config = EntropyConfig(steps=steps, seed=seed)
    with progress_bar("fit", steps) as advance:
        fitted = fit(torch.cat(train, 1), codec.codebook_size, config, lambda _: advance(), codec.code_vectors())
    target = out or folder_of(model) / FILE
    if older := fitted.save(target):
        typer.echo(f"model {older} was there and lies beside it now, for the files that were coded with it")
    typer.echo(f"{target}: model {fitted.fingerprint}, {target.stat().st_size / 1e6:.1f} MB")
    for count in sorted({min(count, codec.codebooks) for count in (1, 3, 6, codec.codebooks)}):
        saved = savings(fitted, [one[:count] for one in codes[::20]], codec.codebook_size)
        typer.echo(f"saves {100 * saved:.1f} % of {codec.kbps(count):g} kbit/s")


def export(
    model: Annotated[str, typer.Argument(help="Name or folder of a codec.")],
    out: Annotated[
        Path, typer.Option(help="Folder for encoder.onnx, decoder.onnx, codec.json, and int8/ with the same.")
    ],
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of the noise to compare and to time with.")] = 10.0,
) -> None:
    """Write a codec as ONNX graphs that stream, in 32 and in 8 bits, and compare them with the codec itself.

    Example: speechgen codec export speech-16k --out speech-16k-onnx
    """
    import torch

    from speechgen.errors import UserError
    from speechgen.evaluation.coding import load_codec
    from speechgen.models.export import PARTS, STEP, OnnxCodec, compare, export_codec
    from speechgen.models.load import unit_fingerprint

    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; name a folder")
    codec = load_codec(model)
    export_codec(codec, unit_fingerprint(codec), out)
    samples = STEP * codec.hop * max(1, round(seconds * codec.frame_rate / STEP))
    wave = 0.1 * torch.randn(1, 1, samples, generator=torch.Generator().manual_seed(0))
    typer.echo(
        f"chunks of {1000 * STEP / codec.frame_rate:g} ms, one thread for ONNX, {torch.get_num_threads()} for torch"
    )
    for name, folder in (("f32", out), ("int8", out / "int8")):
        facts = compare(codec, OnnxCodec(folder), wave)
        size = sum((folder / f"{part}.onnx").stat().st_size for part in PARTS)
        speed = f"{facts['x_real_time']:.0f} x real time (torch {facts['x_real_time_torch']:.0f})"
        typer.echo(
            f"{name}: {size / 1e6:.1f} MB, {speed}, "
            f"{100 * facts['equal_codes']:.2f} % equal codes, decoded at {facts['snr']:.1f} dB of what torch decodes, "
            f"at most {facts['largest_error']:.1e} off"
        )


def _waves(source: Path, sample_rate: int, limit: int | None) -> "list[Callable[[], Tensor]]":
    """Functions that read the recordings of a source, one each."""
    import numpy as np
    import torch

    from speechgen.audio.resample import resample
    from speechgen.data.shards import DONE, read_shards
    from speechgen.evaluation.recordings import find_recordings

    if (source / DONE).exists():
        examples = read_shards(source)
        every = -(-len(examples) // limit) if limit else 1
        return [
            lambda example=example: resample(
                torch.from_numpy(example.audio.astype(np.float32) / 32768), example.sample_rate, sample_rate
            )
            for example in examples[::every]
        ]
    found = find_recordings(source, limit)
    return [lambda name=name: found.read(name, sample_rate) for name in found.utterances]
