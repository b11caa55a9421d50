"""``speechgen voice``: voices in files, to speak in again without the recording."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Save a prompt's voice in a file, and see what a file holds.")


@app.command()
def export(
    prompt: Annotated[Path, typer.Argument(help="Recording of the voice; 3 s or more.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Voice file to write, e.g. ann.voice.")],
    transcript: Annotated[str | None, typer.Option(help="What the prompt says: the voice is copied closer.")] = None,
    language: Annotated[str, typer.Option(help="Language of the prompt.")] = "en",
    model: Annotated[str, typer.Option(help="TTS that will speak: a name, a model folder or a run.")] = "starter-tts",
    name: Annotated[str | None, typer.Option(help="Whose voice it is; the file's name if not given.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the recording is from.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the recording.")] = None,
) -> None:
    """Save the voice of a recording. The file holds a few seconds of it in the codec's units, not the audio.

    Save a voice only with its speaker's consent.

    Example: speechgen voice export ann.wav -o ann.voice --transcript "My name is Ann." --licence CC0
    """
    from speechgen.errors import UserError
    from speechgen.serving.synthesiser import Synthesiser

    if not out.parent.is_dir():
        raise UserError(f"{out.parent}: no such folder")
    synthesiser = Synthesiser.load(model)
    voice = synthesiser.voice(prompt, transcript, language, warn=lambda line: typer.echo(f"warning: {line}", err=True))
    voice.facts.update({"name": name or out.stem})
    voice.facts.update({key: value for key, value in (("source", source), ("licence", licence)) if value})
    voice.save(out)
    typer.echo(f"{out}: {len(voice.latents) / synthesiser.codec.frame_rate:.1f} s, {out.stat().st_size:,} bytes")


@app.command("list")
def list_() -> None:
    """List the voices that came with the package.

    Example: speechgen voice list
    """
    from speechgen.serving.voices import find_voice, shipped_voices

    for name in shipped_voices():
        voice = find_voice(name)
        facts = [voice.language, *(voice.facts[key] for key in ("source", "licence") if key in voice.facts)]
        typer.echo(f"{name}: {', '.join(facts)}")
    if not shipped_voices():
        typer.echo("no voices came with this package; 'speechgen voice export' makes one")


@app.command()
def info(voice: Annotated[str, typer.Argument(help="A shipped voice or a file.")]) -> None:
    """Show what a voice file holds: its language, facts, codec and length.

    Example: speechgen voice info ann.voice
    """
    from speechgen.serving.voices import find_voice

    found = find_voice(voice)
    known = float((found.symbols >= 0).float().mean())
    for key, value in found.facts.items():
        typer.echo(f"{key}: {value}")
    typer.echo(f"language: {found.language}")
    typer.echo(f"codec: {found.codec}")
    typer.echo(f"frames: {len(found.latents)} of {found.latents.shape[1]} channels")
    typer.echo(f"transcript: {'known' if known > 0 else 'not known'}")
