"""Every corpus of a joined set by itself, and what a good codec reaches at its bitrate."""

from pathlib import Path

import pytest
import torch

from speechgen.audio.files import write_audio
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.evaluation.codec_report import build_report
from speechgen.evaluation.codec_scored import Scored
from speechgen.evaluation.recordings import corpora, find_recordings
from speechgen.evaluation.results import write_codec_results
from speechgen.evaluation.statistics import Value

SPEAKERS = {"n1": "north-a", "n2": "north-b", "n3": "north-b", "s1": "south", "s2": "south", "s3": "south"}
METRICS = ["pesq_wb", "dnsmos"]


def scored(name, kbps, pesq, dnsmos):
    """One second of each utterance, at kbps by corpus; values by corpus."""
    where = {n: speaker.partition("-")[0] for n, speaker in SPEAKERS.items()}
    coded = {n: {"bytes": int(kbps[where[n]] * 125), "seconds": 1.0, "compute_seconds": 0.1} for n in SPEAKERS}
    values = {
        "pesq_wb": {n: Value(pesq[where[n]]) for n in SPEAKERS},
        "dnsmos": {n: Value(dnsmos[where[n]]) for n in SPEAKERS},
    }
    return Scored(name, Path(name), {"utterances": coded, "failed": {}, "settings": {"system": {}}}, values, {}, {})


@pytest.fixture
def report():
    about = {n: {"speaker": speaker, "language": "en", "text": "", "extras": {}} for n, speaker in SPEAKERS.items()}
    systems = [
        scored("recording", {"north": 256, "south": 256}, {"north": 4.64, "south": 4.64}, {"north": 3.0, "south": 3.0}),
        scored("ours-1k", {"north": 1.0, "south": 1.0}, {"north": 1.5, "south": 1.8}, {"north": 2.0, "south": 2.0}),
        scored("ours-3k", {"north": 3.0, "south": 3.4}, {"north": 2.2, "south": 2.3}, {"north": 2.7, "south": 2.8}),
        scored("other-3k", {"north": 3.0, "south": 3.0}, {"north": 4.0, "south": 4.0}, {"north": 3.0, "south": 3.0}),
    ]
    summary = {
        "source": "test",
        "utterances": list(SPEAKERS),
        "sample_rate": 16000,
        "systems": [one.name for one in systems],
        "subject": ["ours-1k", "ours-3k"],
        "about": about,
        "facts": {},
    }
    return build_report(summary, METRICS, systems, {}, {})


def test_corpora_are_told_by_their_speakers():
    def split(*speakers):
        return corpora({str(i): speaker for i, speaker in enumerate(speakers)})

    assert split("north-a", "north-b", "south") == {"north": ["0", "1"], "south": ["2"]}
    assert split("s-1", "s-2") == {"": ["0", "1"]}
    assert split("1089", "1188") == {"": ["0", "1"]}  # speakers without hyphens are no corpora


def test_the_best_within_each_bitrate_is_held_against_its_target(report):
    found = {(one["group"], one["up_to_kbps"], one["what"]): one for one in report["targets"]}
    assert found["north", 1.6, "pesq_wb"]["system"] == "ours-1k" and not found["north", 1.6, "pesq_wb"]["met"]
    assert found["south", 1.6, "pesq_wb"]["met"]
    assert found["north", 3.2, "pesq_wb"]["system"] == "ours-3k" and found["north", 3.2, "pesq_wb"]["met"]
    assert found["south", 3.2, "pesq_wb"]["system"] == "ours-1k"  # there the larger one takes 3.4 kbit/s
    assert found["north", 3.2, "dnsmos_difference"]["measured"]["mean"] == pytest.approx(-0.3)
    assert not found["north", 3.2, "dnsmos_difference"]["met"]
    assert found["south", 6.4, "pesq_wb"]["system"] == "ours-3k" and found["south", 6.4, "pesq_wb"]["n"] == 3
    assert not [one for one in report["targets"] if one["system"].startswith("other")]


def test_results_have_a_table_of_each_corpus_and_the_targets(report, tmp_path):
    write_codec_results(tmp_path / "RESULTS.md", report)
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    for corpus, kbps, pesq in (("north", "3.00", "2.20"), ("south", "3.40", "2.30")):
        start = lines.index(f"## {corpus}")
        row = next(line for line in lines[start:] if line.startswith("| ours-3k"))
        assert row.startswith(f"| ours-3k | {kbps} | 3 | {pesq} (")
    assert "| north: ours-1k | 1.00 | 1.6 | PESQ-WB | 1.75 | 1.50 (1.50-1.50) | 3 | no |" in lines
    assert (
        "| south: ours-3k | 3.40 | 6.4 | DNSMOS, above the recordings' | -0.15 | -0.20 (-0.20 to -0.20) | 3 | no |"
        in lines
    )


def test_a_limit_takes_equally_many_of_each_corpus(tmp_path):
    speakers = ["north-a"] * 3 + ["north-b"] * 3 + ["south"] * 2 + ["west-a"] * 20
    utterances = []
    for number, speaker in enumerate(speakers):
        path = tmp_path / f"{number:02d}.wav"
        write_audio(path, torch.zeros(160), 16000)
        utterances.append(Utterance(f"{speaker}-{number:02d}", path, "a word", speaker, "en"))
    DataDir(utterances, tmp_path).write(tmp_path / "test")
    taken = find_recordings(tmp_path / "test", 12).utterances
    assert {name: len(names) for name, names in corpora({n: u.speaker for n, u in taken.items()}).items()} == {
        "north": 5,
        "south": 2,
        "west": 5,
    }
    assert {u.speaker for u in taken.values()} == set(speakers) and list(taken) == sorted(taken)
