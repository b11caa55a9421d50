"""``speechgen say``: text to speech in the voice of a prompt."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.adapt import adapt_voice, read_voice
from speechgen.cli.precision import Precision
from speechgen.errors import UserError

DEFAULT_VOICE = "kathleen"
Temperature = Annotated[
    float | None, typer.Option(help="How lively to draw; 0 is the plainest. By default 0.5 of latents, 0.9 of codes.")
]


def say(
    text: Annotated[str | None, typer.Argument(help="What to say; '-' reads it from standard input.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Audio file to write: .wav, .flac, .ogg, .mp3.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Read the text from this file; call it again to go on with a long one."),
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Write WAV to standard output as it is made.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Stream bare 16-bit samples instead of WAV.")] = False,
    srt: Annotated[Path | None, typer.Option(help="Subtitle file to write: when each chunk is heard.")] = None,
    prompt: Annotated[
        list[Path] | None, typer.Option(help="Recording of the voice to speak in; 3 s or more. Again: they are joined.")
    ] = None,
    transcript: Annotated[
        list[str] | None, typer.Option(help="What the prompt says: the voice is copied closer. One for each prompt.")
    ] = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Learn the voice from its prompt first, some 15 s: much closer.")
    ] = False,
    voice: Annotated[str | None, typer.Option(help="Voice instead of a prompt: a shipped name or a file.")] = None,
    model: Annotated[str, typer.Option(help="TTS: a shipped name, a model folder or a run.")] = "starter-tts",
    draft: Annotated[str | None, typer.Option(help="Smaller TTS that proposes codes to a TTS of codes.")] = None,
    precision: Precision = "f32",
    language: Annotated[str, typer.Option(help="Language of the text.")] = "en",
    prompt_language: Annotated[
        str | None, typer.Option("--prompt_language", help="Language of the prompt, where it is another one.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of the flow head: more is finer and slower.")] = 8,
    guidance: Annotated[float, typer.Option(help="How strictly to follow text and voice; 1 is off.")] = 1.5,
    temperature: Temperature = None,
    speed: Annotated[float, typer.Option(help="2 is twice as fast.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same audio.")] = 0,
    guard: Annotated[
        bool | None,
        typer.Option(
            "--guard/--no-guard",
            help="Listen to each chunk, and try again where words went wrong; --stream does it only when asked to.",
        ),
    ] = None,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Tries more for a chunk that the guard rejects.")] = 2,
    takes: Annotated[int, typer.Option(min=1, max=100, help="Renderings, with seed, seed + 1, ...")] = 1,
    watermark: Annotated[
        bool, typer.Option("--watermark/--no-watermark", help="Mark the audio, inaudibly, as generated.")
    ] = True,
) -> None:
    """Say a text in the voice of a prompt, of a voice file, or of the voice that comes with the package.

    Clone a voice only with its speaker's consent, and say that the speech is generated where that matters.

    Example: speechgen say "Good morning to you all." --prompt me.wav --transcript "My name is Ann." -o out.wav
    """
    # What can be known without torch is told before it is loaded.
    written = read_text(text, file)
    if not written.strip():
        raise UserError("the text is empty; give at least one word")
    if prompt and voice:
        raise UserError("give --prompt or --voice, not both")
    if transcript and not prompt:
        raise UserError("--transcript is what a --prompt says: give both")
    for path in prompt or []:
        if not path.is_file():
            raise UserError(f"{path}: no such file; check the path of the prompt")
    if (out is None) == (not stream):
        raise UserError("give --out FILE, or --stream to write to standard output")
    if raw and not stream:
        raise UserError("--raw is a way to --stream: give both")
    if stream and takes > 1:
        raise UserError("--stream plays one take; leave out --takes")
    if srt and not srt.parent.is_dir():
        raise UserError(f"{srt}: the folder {srt.parent} does not exist; make it first")

    from speechgen.audio.files import writable
    from speechgen.models.lines import Drawing
    from speechgen.serving.subtitles import to_srt
    from speechgen.serving.synthesiser import Synthesiser, check_drawing
    from speechgen.serving.voices import find_voice

    if out:
        writable(out)  # before the work, not after it
    drawing = Drawing(steps, guidance, temperature, speed)
    check_drawing(drawing)
    synthesiser = Synthesiser.load(model, precision, draft)
    synthesiser.chunks(written, language)
    if prompt:
        speaker = read_voice(synthesiser, prompt, transcript, prompt_language or language, adapt)
    elif voice:
        speaker = find_voice(voice)
    else:
        speaker = _default_voice(synthesiser)
    if adapt and not prompt and speaker is not None:
        speaker = adapt_voice(synthesiser, speaker)
    asked = (synthesiser, written, speaker, language, drawing, seed)
    # A stream that is guarded holds every chunk back until it is whole, so that has to be wanted.
    checking = synthesiser.guard(retries) if (not stream if guard is None else guard) else None
    if stream:
        takes_spans = [_stream(*asked, checking, watermark, raw)]
    elif file:
        takes_spans = _to_files(*asked, _numbered(out, takes), checking, watermark)
    else:
        takes_spans = _to_file(*asked, _numbered(out, takes), checking, watermark)
    if srt:
        for spans, target in zip(takes_spans, _numbered(srt, takes), strict=True):
            target.write_text(to_srt(spans), encoding="utf-8")


def _numbered(path: Path, takes: int) -> list[Path]:
    """A path for each take."""
    return [path] if takes == 1 else [path.with_stem(f"{path.stem}-{take + 1}") for take in range(takes)]


def _to_file(synthesiser, text, speaker, language, drawing, seed, targets, guard, watermark) -> list:
    """Say all takes, then write them; the spans of each."""
    from speechgen.audio.files import write_audio
    from speechgen.cli.progress import progress_bar

    takes = len(targets)
    with progress_bar("say", takes * len(synthesiser.chunks(text, language))) as advance:
        spoken = synthesiser.say(text, speaker, language, drawing, seed, takes, advance, guard, watermark=watermark)
    for warning in spoken.warnings:
        _warn(warning)
    for take, target in zip(spoken.takes, targets, strict=True):
        write_audio(target, take.wave, spoken.sample_rate)
        typer.echo(f"{target}: {len(take.wave) / spoken.sample_rate:.2f} s, seed {take.seed}")
        _tell(take.checks)
    for tally in spoken.tallies:
        typer.echo(f"draft: {tally}")
    typer.echo(f"{spoken.x_real_time:.1f}x real time, first audio after {spoken.first_audio:.2f} s")
    return [take.spans for take in spoken.takes]


def _to_files(synthesiser, text, speaker, language, drawing, seed, targets, guard, watermark) -> list:
    """Say and write take after take, chunk by chunk, so that it can be broken off; the spans of each."""
    from speechgen.cli.progress import progress_bar
    from speechgen.serving.long import read_aloud

    readings, chunks = [], len(synthesiser.chunks(text, language))
    with progress_bar("say", len(targets) * chunks) as advance:
        for number, target in enumerate(targets):
            asked = (speaker, language, drawing, seed + number, guard, watermark)
            try:
                readings.append(read_aloud(synthesiser, text, target, *asked, on_chunk=advance))
            except KeyboardInterrupt:
                typer.echo(f"broken off; {target}.parts keeps what was said: the same command goes on", err=True)
                raise
    for warning in dict.fromkeys(warning for reading in readings for warning in reading.warnings):
        _warn(warning)
    for number, (reading, target) in enumerate(zip(readings, targets, strict=True)):
        there = f", {reading.resumed} of {chunks} chunks were there" if reading.resumed else ""
        typer.echo(f"{target}: {reading.seconds:.2f} s, seed {seed + number}{there}")
        for check in reading.checks:
            typer.echo(f"guard: {check}")
        if reading.tally and reading.tally.steps:
            typer.echo(f"draft: {reading.tally}")
    typer.echo(f"{readings[-1].x_real_time:.1f}x real time")
    return [reading.spans for reading in readings]


def _stream(synthesiser, text, speaker, language, drawing, seed, guard, watermark, raw) -> list:
    """Say to standard output, each block as it is made, or with a guard each chunk as it is checked; the spans."""
    import os

    from speechgen.audio.stream import PcmPipe, WavPipe

    session = synthesiser.stream(text, speaker, language, drawing, seed, guard, watermark=watermark)
    output = sys.stdout.buffer
    try:
        pipe = PcmPipe(output) if raw else WavPipe(output, synthesiser.sample_rate, 1, None)
        for block in session:
            pipe.write(block[None])
    except BrokenPipeError:  # the listener has left; what is still buffered must not fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    for warning in session.warnings:
        _warn(warning)
    _tell(session.checks, err=True)
    if synthesiser.draft is not None:
        typer.echo(f"draft: {session.tally}", err=True)
    shape = f"{synthesiser.sample_rate} Hz, 16 bits, mono"
    typer.echo(f"standard output: {session.spans[-1].end:.2f} s, {shape}, seed {seed}", err=True)
    return session.spans


def _tell(checks, err: bool = False) -> None:
    """A line for each chunk that the guard rejected."""
    for check in checks:
        if check.tries > 1 or check.reasons:
            typer.echo(f"guard: {check}", err=err)


def read_text(text: str | None, file: Path | None) -> str:
    """The text given, or read from standard input or a file; raises UserError where none can be read."""
    if (text is None) == (file is None):
        raise UserError("give the text, or '-' to read it from standard input, or --file")
    if file is None and text != "-":
        return text
    try:
        content = sys.stdin.buffer.read() if file is None else file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file or 'standard input'}: not UTF-8 text; convert it") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None


def _default_voice(synthesiser):
    """The voice that comes with the package, or none where the model speaks through another codec."""
    from speechgen.serving.voices import find_voice, shipped_voices

    if DEFAULT_VOICE in shipped_voices():
        voice = find_voice(DEFAULT_VOICE)
        if voice.codec == synthesiser.codec_fingerprint:
            return voice
    _warn(f"the voice {DEFAULT_VOICE} is not for this model, which now speaks in none in particular; give --prompt")
    return None


def _warn(line: str) -> None:
    typer.echo(f"warning: {line}", err=True)
