"""RESULTS.md of a WaveNet: bits per sample beside baselines, and a vocoder's metrics beside other ways back."""

from pathlib import Path

from speechgen.evaluation.logs import write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.metrics import METRICS
from speechgen.evaluation.results import DIGITS, page, short_path, table, with_interval


def write_wavenet_results(path: str | Path, report: dict) -> None:
    """Write a WaveNet's report as RESULTS.md; the file appears complete or not at all."""
    minutes = report["seconds"] / 60
    facts = {
        "test data": f"{short_path(report['source'])}, {minutes:.1f} minutes at {report['sample_rate']} Hz",
        **{str(key): str(value) for key, value in report["facts"].items()},
        "scored on": describe_machine(),
    }
    notes = [
        "Means with 95 % bootstrap intervals over recordings. Bits per sample: the surprise at each mu-law code given "
        "all before it, of recordings held out of training; n-grams are counted on the training set and interpolated "
        "(Witten-Bell).",
    ]
    tables = [bits_table(report)]
    if report["systems"]:
        tables.append(vocoder_table(report))
        notes.append(
            "The vocoder and Griffin-Lim are told the same mel spectrogram; the codec has only its codes, at the "
            "bitrate in its name."
        )
    elif report.get("x_real_time"):
        facts["generation"] = f"{report['x_real_time']:.1f}x real time, one stream"
    write_text(Path(path), page("WaveNet results", "speechgen wavenet score", facts, tables, notes))


def bits_table(report: dict) -> str:
    """Bits per sample of the model and of what knows less."""
    rows = [[one["name"], str(one["n"]), str(one["failed"]), with_interval(one["bits"], 3)] for one in report["bits"]]
    return table(["system", "n", "failed", "bits per sample"], rows)


def vocoder_table(report: dict) -> str:
    """The metrics of every way back from a spectrogram or from codes."""
    names = report["metrics"]
    rows = [
        [
            one["name"],
            str(one["n"]),
            str(one["failed"]),
            *(with_interval(one[name], DIGITS[name]) for name in names),
            "-" if one["x_real_time"] is None else f"{one['x_real_time']:.1f}",
        ]
        for one in report["systems"]
    ]
    return table(["system", "n", "failed", *(METRICS[name].title for name in names), "x real time"], rows)
