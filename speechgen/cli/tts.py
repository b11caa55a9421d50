"""Verbs that judge a voice: generate, score, eval, hard-list."""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.say import Temperature

app = typer.Typer(no_args_is_help=True, help="Say a test set, and measure how well it was said.")


Model = Annotated[str, typer.Argument(help="Name or folder of a TTS.")]
TestSet = Annotated[Path, typer.Argument(help="Kaldi data directory of the test set.")]
Out = Annotated[Path, typer.Option(help="Folder for the speech and the resynthesis of the recordings.")]
Corpora = Annotated[str, typer.Option(help="Only these corpora (what speaker ids begin with), with commas.")]
PerSpeaker = Annotated[
    int, typer.Option("--per_speaker", min=1, help="Utterances of each speaker, in corpora of more than 10.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many utterances, spread over all.")]
Steps = Annotated[int, typer.Option(min=1, help="Steps of the flow for each frame.")]
Guidance = Annotated[float, typer.Option(min=0, help="How strongly text and voice steer; 1: plainly.")]
Seed = Annotated[int, typer.Option(help="Of all draws.")]
Adapt = Annotated[bool, typer.Option("--adapt", help="Learn each voice from its prompt first, some 15 s each.")]
Results = Annotated[Path | None, typer.Option(help="Also write the tables to this Markdown file.")]
Ears = Annotated[
    str | None, typer.Option(help="Name or folder of the listener for character errors; else the model's own.")
]
Jobs = Annotated[int, typer.Option("--nj", min=1, help="Processes.")]
TimeLimit = Annotated[
    float, typer.Option("--time_limit", min=0.1, help="Seconds for one sentence; then it has failed.")
]
Whisper = Annotated[
    Path | None, typer.Option(help="Folder that transformers saved Whisper in: it listens, too. Nothing is fetched.")
]


@app.command()
def generate(
    model: Model,
    data_dir: TestSet,
    out: Out,
    corpora: Corpora = "",
    per_speaker: PerSpeaker = 2,
    limit: Limit = None,
    steps: Steps = 8,
    guidance: Guidance = 1.5,
    temperature: Temperature = None,
    seed: Seed = 0,
    adapt: Adapt = False,
) -> None:
    """Say the test sentences in their speakers' voices; goes on where it was stopped.

    The prompt is another utterance of the same speaker, with its text. A run may be split by --corpora: what another
    call with the same options said stays.

    Example: speechgen tts generate exp/tts data/test --out exp/tts/generate
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.coding import model_name
    from speechgen.evaluation.facts import drawn_with, model_facts
    from speechgen.evaluation.recordings import find_recordings
    from speechgen.evaluation.tts import MANY_SPEAKERS, Choice, speak_all
    from speechgen.models.lines import Drawing, settled
    from speechgen.serving.synthesiser import ADAPTING, Synthesiser, check_drawing

    drawing = Drawing(steps, guidance, temperature)
    check_drawing(drawing)
    if not (data_dir / "wav.scp").exists():
        raise UserError(f"{data_dir}: is no Kaldi data directory (wav.scp, text, utt2spk), and sentences are needed")
    recordings = find_recordings(data_dir)
    named = tuple(name.strip() for name in corpora.split(",") if name.strip())
    chosen = Choice(named, per_speaker, limit).of(recordings)
    synthesiser = Synthesiser.load(model)
    drawing = settled(synthesiser.tts.config, drawing)
    facts = {
        "model": model_name(model),
        **model_facts(model),
        "codec": model_name(synthesiser.tts.config.codec),
        "drawn with": f"{drawn_with(synthesiser.tts.config, drawing)}, seed {seed}",
        "sentences": f"all, but {per_speaker} of each speaker in corpora of more than {MANY_SPEAKERS} speakers"
        + (f"; then {limit} of them" if limit else ""),
        **({"voices": f"adapted to their prompts, in {ADAPTING.steps} steps each"} if adapt else {}),
    }
    with progress_bar("say", len(chosen)) as advance:
        spoken = speak_all(synthesiser, recordings, chosen, out, drawing, seed, facts, advance, adapt)
    failed = {name: spoken.lines[name]["failed"] for name in chosen if "failed" in spoken.lines[name]}
    for name, reason in failed.items():
        typer.echo(f"failed {name}: {reason}", err=True)
    typer.echo(f"{out}: {len(chosen) - len(failed)} sentences said by {model_name(model)}, {len(failed)} failed")


@app.command("hard-list")
def hard_list(
    out: Annotated[Path, typer.Option(help="Folder for the speech and hard-list.json.")],
    model: Annotated[str, typer.Option(help="Name or folder of a TTS.")] = "starter-tts",
    voice: Annotated[str, typer.Option(help="A shipped voice or a .voice file.")] = "kathleen",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many lines, spread over all.")] = None,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Tries more for a chunk that the guard rejects.")] = 2,
    steps: Annotated[int, typer.Option(help="Steps of the flow for each frame.")] = 8,
    guidance: Annotated[float, typer.Option(help="How strongly text and voice steer; 1: plainly.")] = 1.5,
    temperature: Temperature = None,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Also write the tables to this Markdown file.")] = None,
) -> None:
    """Say 300 lines on which synthesis likes to fail, and count failures before and after the guard.

    One word, two words, digits, repeats, tongue twisters, 300 to 1,600 characters; goes on where it was stopped.

    Example: speechgen tts hard-list --voice kathleen --limit 40 --out hard-list
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.coding import model_name
    from speechgen.evaluation.facts import drawn_with
    from speechgen.evaluation.hard_list import read_hard_list, say_hard_list, write_hard_list_results
    from speechgen.models.lines import Drawing, settled
    from speechgen.serving.synthesiser import Synthesiser, check_drawing
    from speechgen.serving.voices import find_voice

    drawing = Drawing(steps, guidance, temperature)
    check_drawing(drawing)
    speaker = find_voice(voice)
    synthesiser = Synthesiser.load(model)
    drawing = settled(synthesiser.tts.config, drawing)
    lines = read_hard_list(limit)
    facts = {
        "model": model_name(model),
        "voice": Path(voice).stem,
        "drawn with": f"{drawn_with(synthesiser.tts.config, drawing)}, seed {seed}",
        "guard": f"{synthesiser.tts.config.listener}, {retries} retries",
    }
    with progress_bar("say", len(lines)) as advance:
        report = say_hard_list(
            synthesiser, speaker, lines, out, synthesiser.guard(retries), drawing, seed, facts, advance
        )
    if results:
        write_hard_list_results(results, report)
    for kind, line in report["failures"].items():
        before, after = (f"{100 * line[when]['mean']:.1f} %" for when in ("before", "after"))
        typer.echo(f"{kind}: {before} of {line['n']} failed before the guard, {after} after")
    typer.echo(f"{out / 'hard-list.json'}: {len(lines)} lines, {report['chunks']} chunks, {report['tries']} tries")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'tts generate' wrote.")],
    results: Results = None,
    listener: Ears = None,
    nj: Jobs = 1,
    time_limit: TimeLimit = 600.0,
    whisper: Whisper = None,
    before: Annotated[
        Path | None,
        typer.Option(help="Folder in which the model that training started from said the same: what changed is told."),
    ] = None,
) -> None:
    """Score what was said: errors of recognisers, similarity to the speaker and to others, DNSMOS, F0, lengths,
    failures, speed; report.html to listen to (worst first), report.json, report.csv and RESULTS.md.

    The recordings and what the codec alone makes of them are scored beside it.

    Example: speechgen tts score exp/tts/generate --results RESULTS.md
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.generate import SUMMARY
    from speechgen.evaluation.logs import read_json, write_json
    from speechgen.evaluation.score import REPORT
    from speechgen.evaluation.tts import read_list
    from speechgen.evaluation.tts_page import write_tts_csv, write_tts_html
    from speechgen.evaluation.tts_report import changes
    from speechgen.evaluation.tts_results import write_tts_results
    from speechgen.evaluation.tts_score import score_speech

    with progress_bar("score", len(read_list(folder))) as advance:
        report = score_speech(folder, listener, nj, on_utterance=advance, time_limit=time_limit, whisper=whisper)
    if before:
        ears = listener or read_json(folder / SUMMARY)["listener"]
        with progress_bar("score before", len(read_list(before))) as advance:
            older = score_speech(before, ears, nj, on_utterance=advance, time_limit=time_limit, whisper=whisper)
        report["before"] = {"model": older["facts"]["model"], "changes": changes(older, report)}
        write_json(folder / REPORT, report)
    write_tts_csv(folder, report)
    page = write_tts_html(folder, report)
    if results:
        write_tts_results(results, report)
    for target in report["targets"]:
        wanted = f"{target['bound']} {target['target']:g}: {'met' if target['met'] else 'missed'}"
        typer.echo(f"{target['what']}: {target['measured']['mean']:.2f} ({wanted})")
    for line in report.get("before", {}).get("changes", []):
        if change := line["sim"]["difference"]:
            low, high = change["ci95"]
            typer.echo(f"{line['name']}: SIM own {change['mean']:+.3f} ({low:+.3f} to {high:+.3f}) after training")
    typer.echo(f"{page}: {report['n']} scored, {report['failed']} failed")


@app.command("eval")
def evaluate(
    model: Model,
    data_dir: TestSet,
    out: Out,
    corpora: Corpora = "",
    per_speaker: PerSpeaker = 2,
    limit: Limit = None,
    steps: Steps = 8,
    guidance: Guidance = 1.5,
    temperature: Temperature = None,
    seed: Seed = 0,
    adapt: Adapt = False,
    results: Results = None,
    listener: Ears = None,
    nj: Jobs = 1,
    time_limit: TimeLimit = 600.0,
    whisper: Whisper = None,
) -> None:
    """Generate and score in one go: report.html with audio, worst first, and report.json to go on with.

    Example: speechgen tts eval starter-tts data/test --limit 40 --out report
    """
    from speechgen.evaluation.metrics import require_evaluation
    from speechgen.evaluation.recognisers import WHISPER, load_recogniser
    from speechgen.evaluation.tts_score import PACKAGES

    # What is missing is said now, and not after an hour of generation.
    for package in PACKAGES:
        require_evaluation(package)
    for name in (listener, f"{WHISPER}{whisper}" if whisper else None):
        if name:
            load_recogniser(name)
    generate(model, data_dir, out, corpora, per_speaker, limit, steps, guidance, temperature, seed, adapt)
    score(out, results, listener, nj, time_limit, whisper)
