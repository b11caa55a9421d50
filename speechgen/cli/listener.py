"""Verbs on listeners: generate, score, align."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Recognise phonemes, characters and speakers; align text with speech.")

Model = Annotated[str, typer.Argument(help="Name or folder of a listener.")]


@app.command()
def generate(
    model: Model,
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory of the test set.")],
    out: Annotated[Path, typer.Option(help="Folder for what is heard: a JSON line for each utterance.")],
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many utterances, spread over all.")] = None,
) -> None:
    """Recognise every utterance: phonemes, characters, speaker. Goes on where it was stopped.

    Example: speechgen listener generate exp/listener data/test --out exp/listener/generate
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.coding import model_name
    from speechgen.evaluation.facts import model_facts
    from speechgen.evaluation.listener import hear_all, load_listener
    from speechgen.evaluation.recordings import find_recordings

    if not (data_dir / "wav.scp").exists():
        raise UserError(f"{data_dir}: is no Kaldi data directory (wav.scp, text, utt2spk), and texts are needed")
    recordings = find_recordings(data_dir, limit)
    facts = {"model": model_name(model), **model_facts(model)}
    with progress_bar("listen", len(recordings.utterances)) as advance:
        lines = hear_all(load_listener(model), recordings, out, facts, advance)
    failed = [line for line in lines if "failed" in line]
    for line in failed:
        typer.echo(f"failed {line['id']}: {line['failed']}", err=True)
    typer.echo(f"{out}: {len(lines) - len(failed)} utterances heard by {model_name(model)}, {len(failed)} failed")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'listener generate' wrote.")],
    results: Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")] = None,
) -> None:
    """Score what was heard, by language and corpus: report.json and, if wanted, RESULTS.md.

    Example: speechgen listener score exp/listener/generate --results RESULTS.md
    """
    from speechgen.evaluation.listener import score_heard, write_listener_results
    from speechgen.evaluation.results import percent, with_interval
    from speechgen.evaluation.score import REPORT

    report = score_heard(folder)
    if results:
        write_listener_results(results, report)
    for one in report["slices"]:
        errors = " ".join(
            f"{name} {with_interval(percent(one[key]), 1)} %"
            for key, name in (("phoneme_error", "phoneme errors"), ("cer", "CER"), ("speaker_accuracy", "speakers"))
            if one[key]
        )
        typer.echo(f"{one['name']}: {one['n']} utterances, {one['failed']} failed, {errors}")
    typer.echo(f"report: {folder / REPORT}")


@app.command()
def align(
    model: Model,
    source: Annotated[Path, typer.Argument(help="Kaldi data directory, or one recording.")],
    out: Annotated[Path, typer.Option(help="Folder for JSON, CTM and pictures.")],
    text: Annotated[str | None, typer.Option(help="What the recording says; else what the listener hears.")] = None,
    language: Annotated[str, typer.Option(help="Language of --text.")] = "en",
    limit: Annotated[int, typer.Option(min=0, help="At most so many utterances, spread over all; 0: all.")] = 10,
) -> None:
    """Find out when each phoneme is said.

    Writes for each utterance a JSON file and a picture (the spectrogram with the boundaries), and alignment.ctm.

    Example: speechgen listener align listener-16k talk.wav --text "What I say in it." --out aligned
    """
    from speechgen.audio.files import AudioError
    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.alignment import ctm_lines, write_alignment
    from speechgen.evaluation.listener import load_listener
    from speechgen.evaluation.logs import write_text
    from speechgen.evaluation.recordings import find_recordings
    from speechgen.models.align import align as align_wave
    from speechgen.models.align import hear_phonemes
    from speechgen.text.phonemes import phonemize
    from speechgen.text.spelling import PAUSE

    if text is not None and not source.is_file():
        raise UserError(f"--text is what one recording says, and {source} is none; leave it out")
    recordings = find_recordings(source, limit or None)
    listener = load_listener(model)
    out.mkdir(parents=True, exist_ok=True)
    failed: dict[str, str] = {}
    lines = []
    with progress_bar("align", len(recordings.utterances)) as advance:
        for name, utterance in recordings.utterances.items():
            try:
                wave = recordings.read(name, listener.config.sample_rate)
                said, spoken = (text, language) if text is not None else (utterance.text, utterance.language)
                symbols = [PAUSE, *phonemize(said, spoken), PAUSE] if said else hear_phonemes(listener, wave)
                alignment = align_wave(listener, wave, symbols)
                write_alignment(out, name, alignment, said, wave, listener.config.sample_rate)
                lines.append(ctm_lines(utterance.id.replace(" ", "_"), alignment))
            except (AudioError, UserError) as error:
                failed[name] = str(error)
            advance()
    for name, reason in failed.items():
        typer.echo(f"failed {name}: {reason}", err=True)
    if not lines:
        raise UserError(f"{source}: nothing could be aligned ({next(iter(failed.values()))})")
    write_text(out / "alignment.ctm", "".join(lines))
    typer.echo(f"{out}: {len(lines)} aligned, {len(failed)} failed")
