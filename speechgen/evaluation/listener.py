"""What a listener makes of a test set: phonemes, characters and speaker of every utterance, and how often it errs.

Layout: DIR/heard.jsonl has a line for each utterance, DIR/generate.json says what ran on what.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torchaudio.functional import edit_distance

from speechgen.audio.files import AudioError
from speechgen.data.origins import corpus_of
from speechgen.errors import UserError
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import read_json, write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.recognisers import spoken_words
from speechgen.evaluation.recordings import Recordings
from speechgen.evaluation.results import page, percent, short_path, table, with_interval
from speechgen.evaluation.score import REPORT
from speechgen.evaluation.statistics import ratio_estimate
from speechgen.models.listener import Listener, greedy
from speechgen.models.load import fingerprint, load
from speechgen.text.normalise import normalise
from speechgen.text.spelling import PAUSE, spell_each

HEARD = "heard.jsonl"
SHORTEST = 0.1  # seconds


def load_listener(model: str | Path) -> Listener:
    """A listener by name or folder; raises UserError for a model of another kind."""
    listener = load(model)
    if not isinstance(listener, Listener):
        raise UserError(f"{model}: is no listener; give the name or folder of one")
    return listener


def hear_all(
    listener: Listener,
    recordings: Recordings,
    out: str | Path,
    facts: dict,
    on_utterance: Callable[[], None] = lambda: None,
) -> list[dict]:
    """Recognise every utterance and return the lines of DIR/heard.jsonl; those already there and unchanged are kept.

    ``facts``: plain values for the report, such as the model's card. An utterance that cannot be heard is written
    down with the reason. Raises UserError for a folder that holds something else.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()) and not (out / SUMMARY).exists():
        raise UserError(f"{out}: holds something else; choose another --out")
    weights = fingerprint(listener)
    summary = {"source": recordings.source, "weights": weights, "facts": facts}
    known = {}
    if (out / SUMMARY).exists() and read_json(out / SUMMARY).get("weights") == weights:
        known = {line["id"]: line for line in read_heard(out)}
    stamps = {name: f"{recordings.stamp(name)} {recordings.utterances[name].text}" for name in recordings.utterances}
    kept = [known[name] for name, stamp in stamps.items() if known.get(name, {}).get("stamp") == stamp]
    write_text(out / HEARD, "".join(_json_line(line) for line in kept))
    write_json(out / SUMMARY, summary)
    lines = {line["id"]: line for line in kept}
    pending = [name for name in stamps if name not in lines]
    spelled = dict(zip(pending, spell_each([recordings.utterances[name] for name in pending]), strict=True))
    with open(out / HEARD, "a", encoding="utf-8") as file:
        for name in stamps:
            if name in spelled:
                heard = _hear(listener, recordings, name, spelled[name])
                lines[name] = {"id": name, "stamp": stamps[name], **heard}
                file.write(_json_line(lines[name]))
                file.flush()
            on_utterance()
    return [lines[name] for name in stamps]


def read_heard(folder: Path) -> list[dict]:
    """The whole lines of DIR/heard.jsonl; a last one that a killed process left half-written is dropped.

    Raises UserError when the file is missing.
    """
    try:
        text = (folder / HEARD).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder / HEARD}: no such file; run 'speechgen listener generate' first") from None
    lines = []
    whole = text.split("\n")[:-1]  # not splitlines, which also divides at characters that a text may hold
    for number, line in enumerate(whole, start=1):
        try:
            lines.append(json.loads(line))
        except ValueError:
            raise UserError(f"{folder / HEARD}: line {number} is damaged; delete the folder and run again") from None
    return lines


@torch.inference_mode()
def _hear(listener: Listener, recordings: Recordings, name: str, phonemes: list[str] | str) -> dict:
    utterance, config = recordings.utterances[name], listener.config
    told = {"speaker": utterance.speaker, "language": utterance.language}
    if isinstance(phonemes, str):
        return {**told, "failed": phonemes}
    try:
        wave = recordings.read(name, config.sample_rate)
    except AudioError as error:
        return {**told, "failed": str(error)}
    if len(wave) < SHORTEST * config.sample_rate:
        return {**told, "failed": f"{len(wave) / config.sample_rate:.2f} seconds are too short"}
    heard = listener(wave[None])
    return {
        **told,
        "seconds": round(len(wave) / config.sample_rate, 3),
        "text": utterance.text,
        "phonemes": phonemes,
        "heard_phonemes": [config.phonemes[i] for i in listener.recognise(heard.phonemes[0])],
        "heard_text": "".join(config.characters[i] for i in greedy(heard.characters[0])).strip(),
        "heard_speaker": config.speakers[int(heard.speakers[0].argmax())],
        "knows_speaker": utterance.speaker in config.speakers,
    }


def score_heard(folder: str | Path) -> dict:
    """Score what ``hear_all`` wrote, write DIR/report.json and return it.

    Error rates are edits over what was said, pauses not counted as phonemes, letters compared without case and
    punctuation; speakers count only where the listener knows them. Raises UserError when nothing was heard.
    """
    folder = Path(folder)
    summary, lines = read_json(folder / SUMMARY), read_heard(folder)
    failed = {line["id"]: line["failed"] for line in lines if "failed" in line}
    if len(failed) == len(lines):
        reason = f" ({next(iter(failed.values()))})" if failed else ""
        raise UserError(f"{folder}: nothing was heard{reason}; run 'speechgen listener generate' again")
    counts = [{**line, **count_edits(line)} for line in lines if "failed" not in line]
    slices = [_slice("all", counts, lines)]
    for of in (lambda line: line["language"], lambda line: corpus_of(line["speaker"])):
        names = sorted({of(line) for line in lines} - {""})
        if len(names) > 1:
            for name in names:
                slices.append(_slice(name, [c for c in counts if of(c) == name], [c for c in lines if of(c) == name]))
    failures = [{"utterance": name, "reason": reason} for name, reason in failed.items()]
    report = {"source": summary["source"], "facts": summary["facts"], "slices": slices, "failures": failures}
    write_json(folder / REPORT, report)
    return report


def count_edits(line: dict) -> dict[str, int]:
    """Substitutions, deletions and insertions of one utterance's phonemes and letters, and how many were said."""
    said, heard = ([p for p in line[key] if p != PAUSE] for key in ("phonemes", "heard_phonemes"))
    text, heard_text = spoken_words(normalise(line["text"], line["language"])), spoken_words(line["heard_text"])
    return {
        "phoneme_edits": edit_distance(heard, said),
        "phonemes_said": len(said),
        "character_edits": edit_distance(heard_text, text),
        "characters_said": len(text),
    }


def _slice(name: str, counts: list[dict], lines: list[dict]) -> dict:
    """One line of the report."""

    def rate(parts: Iterable[float], wholes: Iterable[float]) -> dict | None:
        parts, wholes = list(parts), list(wholes)
        return ratio_estimate(parts, wholes).to_json() if sum(wholes) else None

    known = [c for c in counts if c["knows_speaker"]]
    return {
        "name": name,
        "n": len(counts),
        "failed": len(lines) - len(counts),
        "seconds": round(sum(c["seconds"] for c in counts), 1),
        "phoneme_error": rate((c["phoneme_edits"] for c in counts), (c["phonemes_said"] for c in counts)),
        "cer": rate((c["character_edits"] for c in counts), (c["characters_said"] for c in counts)),
        "known_speakers": len({c["speaker"] for c in known}),
        "speaker_accuracy": rate((float(c["heard_speaker"] == c["speaker"]) for c in known), (1 for _ in known)),
    }


def write_listener_results(path: str | Path, report: dict) -> None:
    """Write a report on a listener as RESULTS.md; the file appears complete or not at all."""
    header = [
        "test data",
        "n",
        "failed",
        "minutes",
        "phoneme errors, %",
        "CER, %",
        "known speakers",
        "named rightly, %",
    ]
    rows = [
        [
            one["name"],
            str(one["n"]),
            str(one["failed"]),
            f"{one['seconds'] / 60:.1f}",
            with_interval(percent(one["phoneme_error"]), 1),
            with_interval(percent(one["cer"]), 1),
            str(one["known_speakers"]),
            with_interval(percent(one["speaker_accuracy"]), 1),
        ]
        for one in report["slices"]
    ]
    facts = {
        "test data": short_path(report["source"]),
        **{str(key): str(value) for key, value in report["facts"].items()},
        "scored on": describe_machine(),
    }
    notes = [
        "Best path of CTC, no language model. Error rates are edits over what was said, in percent, with 95 % "
        "bootstrap intervals over utterances. Pauses are not counted as phonemes; letters are compared without case "
        "and punctuation. Speakers are asked for only where the listener was trained on them.",
    ]
    write_text(Path(path), page("Listener results", "speechgen listener score", facts, [table(header, rows)], notes))


def _json_line(line: dict) -> str:
    return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
