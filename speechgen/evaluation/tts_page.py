"""report.html and report.csv of a voice: its scores beside those of the recordings, and every sentence, worst first."""

import csv
import io
from pathlib import Path

from speechgen.audio.files import AudioError, read_audio
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.recordings import Recordings, find_recordings
from speechgen.evaluation.report import HTML, part
from speechgen.evaluation.results import short_path
from speechgen.evaluation.score import TABLE
from speechgen.evaluation.sounds import LISTENED_SECONDS, WORST_BYTES, sound
from speechgen.evaluation.tts import RESYNTHESIS
from speechgen.evaluation.tts_report import JUDGED, VERSIONS
from speechgen.evaluation.tts_results import NAMES

DIGITS = {"dnsmos": 2, "sim": 3, "sim_other": 3, "sim_prompt": 3, "first": 0, "f0": 0, "f0_spread": 1, "length": 2}


def write_tts_html(folder: str | Path, report: dict) -> Path:
    """Write DIR/report.html from the report of ``score_speech`` and the audio in DIR; returns its path."""
    from jinja2 import Environment

    folder = Path(folder)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    content = environment.from_string(part("tts_report.html")).render(
        title=f"{report['facts'].get('model', 'A voice')} on {short_path(report['source'])}",
        style=part("report.css"),
        report=report,
        source=short_path(report["source"]),
        machine=describe_machine(),
        versions=VERSIONS,
        names=NAMES,
        judged=JUDGED,
        digits=DIGITS,
        sounds=_sounds(folder, report, find_recordings(report["source"])),
    )
    write_text(folder / HTML, content)
    return folder / HTML


def write_tts_csv(folder: str | Path, report: dict) -> Path:
    """Write DIR/report.csv: a row for each version of each sentence; what could not be scored is an empty cell."""
    recognisers = list(dict.fromkeys(name for corpus in report["corpora"] for name in corpus["recognisers"]))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    heard = [f"{what} ({name})" for name in recognisers for what in ("character error rate", "heard")]
    writer.writerow(["utterance", "speaker", "language", "version", *JUDGED, *heard, "problems"])
    for line in report["utterances"]:
        for version in VERSIONS:
            scores = line["scores"][version] if line["scores"] else {}
            row = [line["utterance"], line["speaker"], line["language"], version]
            row += ["" if scores.get(key) is None else scores[key] for key in JUDGED]
            for name in recognisers:
                one = scores.get("errors", {}).get(name)
                row += [one["character_errors"] / one["characters"], one["heard"]] if one else ["", ""]
            writer.writerow([*row, "; ".join(line["problems"]) if version == "speech" else ""])
    write_text(Path(folder) / TABLE, file.getvalue())
    return Path(folder) / TABLE


def _sounds(folder: Path, report: dict, recordings: Recordings) -> dict[str, dict[str, str]]:
    """By utterance and version its audio, and that of its prompt, from the worst on, until there is enough."""
    sounds: dict[str, dict[str, str]] = {}
    size, rate = 0, report["sample_rate"]
    for line in report["utterances"]:
        name = line["utterance"]
        sources = {
            "speech": lambda name=name: read_audio(folder / f"{name}.wav")[0],
            "recording": lambda name=name: recordings.read(name, rate),
            "resynthesis": lambda name=name: read_audio(folder / RESYNTHESIS / f"{name}.wav")[0],
            "prompt": lambda prompt=line["prompt"]: recordings.read(prompt, rate),
        }
        for version, read in sources.items():
            if version == "prompt" and not line["prompt"]:
                continue
            try:
                wave = read()
            except AudioError:  # of a sentence that was not said
                continue
            sounds.setdefault(name, {})[version] = sound(wave[: round(LISTENED_SECONDS * rate)], rate)
            size += len(sounds[name][version])
        if size > WORST_BYTES:
            break
    return sounds
