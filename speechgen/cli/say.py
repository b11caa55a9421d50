"""``speechgen say``: text to speech in the voice of a prompt."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from speechgen.errors import UserError

DEFAULT_VOICE = "kathleen"


def say(
    out: Annotated[Path, typer.Option("--out", "-o", help="Audio file to write: .wav, .flac, .ogg, .mp3.")],
    text: Annotated[str | None, typer.Argument(help="What to say; '-' reads it from standard input.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the text from this file instead.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="Recording of the voice to speak in; 3 s or more.")] = None,
    transcript: Annotated[str | None, typer.Option(help="What the prompt says: the voice is copied closer.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice instead of a prompt: a shipped name or a file.")] = None,
    model: Annotated[str, typer.Option(help="TTS: a shipped name, a model folder or a run.")] = "starter-tts",
    language: Annotated[str, typer.Option(help="Language of the text.")] = "en",
    prompt_language: Annotated[
        str | None, typer.Option("--prompt_language", help="Language of the prompt, where it is another one.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of the flow head: more is finer and slower.")] = 8,
    guidance: Annotated[float, typer.Option(help="How strictly to follow text and voice; 1 is off.")] = 1.5,
    temperature: Annotated[float, typer.Option(help="How lively to draw; 0 is the plainest.")] = 0.7,
    speed: Annotated[float, typer.Option(help="2 is twice as fast.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same audio.")] = 0,
    guard: Annotated[
        bool, typer.Option("--guard/--no-guard", help="Listen to each chunk, and try again where words went wrong.")
    ] = True,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Tries more for a chunk that the guard rejects.")] = 2,
    takes: Annotated[int, typer.Option(min=1, max=100, help="Renderings, with seed, seed + 1, ...")] = 1,
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
    if prompt and not prompt.is_file():
        raise UserError(f"{prompt}: no such file; check the path of the prompt")
    targets = [out] if takes == 1 else [out.with_stem(f"{out.stem}-{take + 1}") for take in range(takes)]

    from speechgen.audio.files import writable, write_audio
    from speechgen.cli.progress import progress_bar
    from speechgen.models.speak import Drawing
    from speechgen.serving.synthesiser import Synthesiser, check_drawing
    from speechgen.serving.voices import find_voice

    writable(out)  # before the work, not after it
    drawing = Drawing(steps, guidance, temperature, speed)
    check_drawing(drawing)
    synthesiser = Synthesiser.load(model)
    chunks = synthesiser.chunks(written, language)
    if prompt:
        speaker = synthesiser.voice(prompt, transcript, prompt_language or language, warn=_warn)
    elif voice:
        speaker = find_voice(voice)
    else:
        speaker = _default_voice(synthesiser)
    with progress_bar("say", takes * len(chunks)) as advance:
        checking = synthesiser.guard(retries) if guard else None
        spoken = synthesiser.say(written, speaker, language, drawing, seed, takes, advance, checking)
    for warning in spoken.warnings:
        _warn(warning)
    for take, target in zip(spoken.takes, targets, strict=True):
        write_audio(target, take.wave, spoken.sample_rate)
        typer.echo(f"{target}: {len(take.wave) / spoken.sample_rate:.2f} s, seed {take.seed}")
        for check in take.checks:
            if check.tries > 1 or check.reasons:
                typer.echo(f"guard: {check}")
    typer.echo(f"{spoken.x_real_time:.1f}x real time, first audio after {spoken.first_audio:.2f} s")


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
