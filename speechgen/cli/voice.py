"""``speechgen voice``: voices in files, to speak in again without the recording."""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.adapt import adapt_voice, read_voice

app = typer.Typer(
    no_args_is_help=True,
    help="Keep voices, to speak in again without the recording. Do so only with the speaker's consent.",
)

Recordings = Annotated[list[Path], typer.Argument(help="Recording of the voice, 3 s or more; several are joined.")]
Transcript = Annotated[
    list[str] | None, typer.Option(help="What the recording says: the voice is copied closer. One for each recording.")
]
Adapt = Annotated[
    bool, typer.Option("--adapt", help="Learn the voice from all that the recordings say, some 15 s: much closer.")
]
Language = Annotated[str, typer.Option(help="Language of the recording.")]
Model = Annotated[str, typer.Option(help="TTS that will speak: a name, a model folder or a run.")]
Source = Annotated[str | None, typer.Option(help="Where the recording is from.")]
Licence = Annotated[str | None, typer.Option(help="Licence of the recording.")]
Consent = Annotated[str | None, typer.Option(help="Who agreed to the cloning of this voice, and how.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The name to speak under: say --voice NAME.")],
    recordings: Recordings,
    transcript: Transcript = None,
    adapt: Adapt = False,
    language: Language = "en",
    model: Model = "starter-tts",
    source: Source = None,
    licence: Licence = None,
    consent: Consent = None,
) -> None:
    """Keep the voice of a recording under a name, for say, serve and the app on this machine.

    Keep a voice only with its speaker's consent. Voices lie in $SPEECHGEN_VOICES, or in the user's data folder.

    Example: speechgen voice create ann ann.wav --transcript "My name is Ann." --adapt --consent "by letter, May 2026"
    """
    from speechgen.serving.voices import own_file

    out = own_file(name)
    out.parent.mkdir(parents=True, exist_ok=True)
    _save(recordings, out, transcript, adapt, language, model, name, source, licence, consent)


@app.command()
def export(
    recordings: Annotated[
        list[str], typer.Argument(help="Recording of the voice, 3 s or more, several are joined; or a voice's name.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Voice file to write, e.g. ann.voice.")],
    transcript: Transcript = None,
    adapt: Adapt = False,
    language: Language = "en",
    model: Model = "starter-tts",
    name: Annotated[str | None, typer.Option(help="Whose voice it is; the file's name if not given.")] = None,
    source: Source = None,
    licence: Licence = None,
    consent: Consent = None,
) -> None:
    """Save the voice of a recording in a file, to take elsewhere; or a voice that has a name here.

    The file holds a few seconds of the recording in the codec's units, not the audio, and with --adapt what the model
    has learned of the voice. Save a voice only with its speaker's consent.

    Example: speechgen voice export ann.wav -o ann.voice --transcript "My name is Ann." --licence CC0
    """
    from speechgen.errors import UserError
    from speechgen.models.voice import Voice
    from speechgen.serving.synthesiser import Synthesiser
    from speechgen.serving.voices import known_voices

    if not out.parent.is_dir():
        raise UserError(f"{out.parent}: no such folder")
    if recordings[0] not in known_voices():
        paths = [Path(recording) for recording in recordings]
        _save(paths, out, transcript, adapt, language, model, name or out.stem, source, licence, consent)
        return
    if transcript or len(recordings) > 1:
        raise UserError(f"{recordings[0]}: is a voice already; --transcript and joining are for recordings")
    voice = Voice.load(known_voices()[recordings[0]])
    if adapt:
        voice = adapt_voice(Synthesiser.load(model), voice)
    voice.facts.update(_facts(name=name, source=source, licence=licence, consent=consent))
    voice.save(out)
    typer.echo(f"{out}: {out.stat().st_size:,} bytes")


@app.command("list")
def list_() -> None:
    """List the voices that have a name here: those that came with the package, and your own.

    Example: speechgen voice list
    """
    from speechgen.serving.voices import find_voice, known_voices

    for name in sorted(known_voices()):
        voice = find_voice(name)
        typer.echo(f"{name}: {', '.join([voice.language, *voice.card()])}")
    if not known_voices():
        typer.echo("no voices are known here; 'speechgen voice create' makes one")


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
    typer.echo(f"adapted: {'to ' + found.adapter.model if found.adapter else 'to no model'}")


def _save(recordings, out, transcript, adapt, language, model, name, source, licence, consent) -> None:
    """Write the voice of recordings with its card."""
    from datetime import date

    from speechgen.serving.synthesiser import Synthesiser

    synthesiser = Synthesiser.load(model)
    voice = read_voice(synthesiser, recordings, transcript, language, adapt)
    seconds = f"{len(voice.latents) / synthesiser.codec.frame_rate:.1f}"
    today = date.today().isoformat()
    voice.facts.update(_facts(name=name, source=source, licence=licence, consent=consent, seconds=seconds, date=today))
    voice.save(out)
    typer.echo(f"{out}: {seconds} s, {out.stat().st_size:,} bytes")
    if not consent and not licence:
        typer.echo("warning: the card names neither --licence nor --consent; note who agreed to this voice", err=True)


def _facts(**facts: str | None) -> dict[str, str]:
    return {key: value for key, value in facts.items() if value}
