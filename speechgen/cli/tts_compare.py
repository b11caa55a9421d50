"""``speechgen tts compare``: which unit, order and head make the better voice?"""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.tts import Jobs, Limit, Results, Seed, TestSet, TimeLimit


def compare(
    config: Annotated[Path, typer.Argument(help="Comparison config: experiments by name, and how each is drawn.")],
    data_dir: TestSet,
    out: Annotated[Path, typer.Option(help="Folder of the comparison: a run for each variant, speech, reports.")],
    set: Annotated[list[str] | None, typer.Option("--set", help="Override a key of all variants.")] = None,
    results: Results = None,
    limit: Limit = None,
    seed: Seed = 0,
    nj: Jobs = 1,
    time_limit: TimeLimit = 600.0,
    device: Annotated[str | None, typer.Option(help="'cpu' to leave a GPU unused, 'cuda' to insist on one.")] = None,
) -> None:
    """Train voices at equal budget, let them say the same sentences, and write one table.

    Goes on where it was stopped. Each voice's own report lies beside its speech.

    Example: speechgen tts compare conf/compare.yaml data/test --out exp/compare --limit 40 --results COMPARE.md
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.cli.tts import generate
    from speechgen.evaluation.compare import forget_others, read_comparison, train_all, write_comparison
    from speechgen.evaluation.metrics import require_evaluation
    from speechgen.evaluation.recordings import find_recordings
    from speechgen.evaluation.tts import Choice, read_list
    from speechgen.evaluation.tts_page import write_tts_csv, write_tts_html
    from speechgen.evaluation.tts_score import PACKAGES, score_speech

    # What is wrong or missing is said now, and not after hours of training.
    compared = read_comparison(config, out, set or [])
    for package in PACKAGES:
        require_evaluation(package)
    chosen = Choice(limit=limit).of(find_recordings(data_dir))
    train_all(compared, out, device, lambda name: typer.echo(f"variant {name}"))

    reports = {}
    for one in compared:
        for row, drawing in one.rows().items():
            folder = out / "generate" / row
            forget_others(folder, chosen)
            drawn = {"steps": drawing.steps, "guidance": drawing.guidance, "temperature": drawing.temperature}
            generate(str(out / one.variant.name), data_dir, folder, limit=limit, seed=seed, **drawn)
            with progress_bar(f"score {row}", len(read_list(folder))) as advance:
                heard = {"on_utterance": advance, "time_limit": time_limit, "heard_in": out / "heard"}
                reports[row] = score_speech(folder, None, nj, **heard)
            write_tts_csv(folder, reports[row])
            write_tts_html(folder, reports[row])
    table = results or out / "compare.md"
    write_comparison(table, compared, out, reports)
    typer.echo(f"{table}: {len(compared)} variants, {len(reports)} rows")
