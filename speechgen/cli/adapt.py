"""Reading and learning voices, with a bar to watch."""

from pathlib import Path

import typer


def read_voice(synthesiser, recordings: list[Path], transcripts: list[str] | None, language: str, adapt: bool):
    """The voice of one or more recordings, learned if ``adapt``; what is not ideal about them is told."""
    from speechgen.cli.progress import progress_bar
    from speechgen.serving.synthesiser import ADAPTING

    told = lambda line: typer.echo(f"warning: {line}", err=True)  # noqa: E731
    asked = (list(recordings), list(transcripts) if transcripts else None, language)
    if not adapt:
        return synthesiser.voice(*asked, warn=told)
    with progress_bar("adapt", ADAPTING.steps) as advance:
        return synthesiser.voice(*asked, warn=told, adapt=True, on_step=advance)


def adapt_voice(synthesiser, voice):
    """A voice with what the model learns of it from its prompt."""
    from speechgen.cli.progress import progress_bar
    from speechgen.serving.synthesiser import ADAPTING

    with progress_bar("adapt", ADAPTING.steps) as advance:
        return synthesiser.adapt(voice, on_step=advance)
