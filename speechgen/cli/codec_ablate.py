"""``speechgen codec ablate``: what does each loss, and each bottleneck, bring?"""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.codec_eval import Baselines, Jobs, Kbps, Limit, Metrics, Results, Source


def ablate(
    config: Annotated[Path, typer.Argument(help="Ablation config: a base experiment, and overrides by variant.")],
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder of the ablation: a run for each variant, curves, report.")],
    kbps: Kbps = "1.5,3,6",
    baselines: Baselines = "opus",
    set: Annotated[list[str] | None, typer.Option("--set", help="Override a key of all variants.")] = None,
    results: Results = None,
    metrics: Metrics = "pesq_wb,stoi,sim,dnsmos,si_sdr,mel",
    limit: Limit = None,
    nj: Jobs = 1,
    device: Annotated[str | None, typer.Option(help="'cpu' to leave a GPU unused.")] = None,
) -> None:
    """Train variants of a codec at equal budget, score them on the same recordings, and write one table.

    Goes on where it was stopped. Curves of all losses by step are kept as CSV and as a picture.

    Example: speechgen codec ablate conf/ablation.yaml data/dev --out exp/ablation --results ABLATION.md
    """
    from speechgen.cli.codec_eval import bitrates, listed, score
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.ablation import ablate as train_all
    from speechgen.evaluation.ablation import ablation_systems, read_ablation, write_table
    from speechgen.evaluation.baselines import make_baselines
    from speechgen.evaluation.generate import code_all
    from speechgen.evaluation.logs import read_json
    from speechgen.evaluation.metrics import check_metrics
    from speechgen.evaluation.recordings import find_recordings
    from speechgen.evaluation.score import REPORT

    # What is wrong is said now, and not after hours of training.
    variants, rates = read_ablation(config, set or []), bitrates(kbps)
    check_metrics(listed(metrics))
    recordings = find_recordings(source, limit)
    others, absent = make_baselines(baselines, rates)
    for name, reason in absent.items():
        typer.echo(f"left out {name}: {reason}", err=True)
    runs = train_all(variants, out, device, lambda name: typer.echo(f"variant {name}"))

    systems = ablation_systems(variants, out, rates)
    folder = out / "generate"
    facts = {f"left out {name}": reason for name, reason in absent.items()}
    rate = variants[0].experiment.model.sample_rate
    with progress_bar("generate", len(recordings.utterances) * (len(systems) + len(others) + 1)) as advance:
        subject = [system.name for system in systems]
        code_all(recordings, [*systems, *others], folder, rate, facts, advance, nj, subject=subject)
    score(folder, None, metrics, nj)
    table = results or out / "ablation.md"
    write_table(table, variants, out, read_json(folder / REPORT), runs)
    typer.echo(f"{table}: {len(variants)} variants")
