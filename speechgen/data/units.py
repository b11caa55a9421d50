"""Dumps of units: latents, codes and alignments of a corpus, computed once and kept in memory for training."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from speechgen.data.folders import new_folder
from speechgen.errors import UserError

DONE = "done.json"
SHARD = 1000


@dataclass
class Units:
    """One utterance as units: ``latents`` (T, C) float16 normalised, ``codes`` (T, K) int16 (K may be 0), ``symbols``
    (N) and how many frames each lasts, ``durations`` (N,), together T."""

    id: str
    speaker: str
    language: str
    text: str
    frame_rate: float
    symbols: list[str]
    durations: np.ndarray
    latents: np.ndarray
    codes: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.latents)

    @property
    def seconds(self) -> float:
        return self.frames / self.frame_rate


def write_units(out_dir: Path, units: Iterable[Units], facts: dict) -> int:
    """Write shards of safetensors with a JSON line an utterance; the folder appears complete or not at all.

    ``facts``: plain values for the done-mark, such as the codec. Returns the number of utterances.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and not (out_dir / DONE).exists() and any(out_dir.iterdir()):
        raise UserError(f"{out_dir}: holds something that is no dump of units; name a new folder")
    with new_folder(out_dir) as folder:
        count, shard = 0, []
        for one in units:
            shard.append(one)
            count += 1
            if len(shard) == SHARD:
                _write_shard(folder, count // SHARD - 1, shard)
                shard = []
        if shard:
            _write_shard(folder, count // SHARD, shard)
        if not count:
            raise UserError(f"{out_dir}: nothing to dump; no utterance could be aligned")
        (folder / DONE).write_text(json.dumps({**facts, "utterances": count}, indent=1) + "\n", encoding="utf-8")
    return count


def read_units(out_dir: Path) -> list[Units]:
    """All utterances of a finished dump; raises UserError when it is missing, unfinished or damaged."""
    out_dir = Path(out_dir)
    if not (out_dir / DONE).exists():
        raise UserError(f"{out_dir}: is no finished dump; make it with 'speechgen dump units DUMP {out_dir}'")
    units = []
    for lines in sorted(out_dir.glob("units.*.jsonl")):
        try:
            arrays = load_file(lines.with_suffix(".safetensors"))
            # Not splitlines, which also divides at characters that a text may hold.
            for line in lines.read_text(encoding="utf-8").rstrip("\n").split("\n"):
                facts = json.loads(line)
                parts = {name: arrays[f"{name}/{facts['id']}"] for name in ("durations", "latents", "codes")}
                units.append(Units(**facts, **parts))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            raise UserError(f"{lines.with_suffix('')}: damaged; delete {out_dir} and dump again") from None
    return units


def _write_shard(folder: Path, number: int, units: list[Units]) -> None:
    arrays, lines = {}, []
    for one in units:
        facts = asdict(one)
        for name in ("durations", "latents", "codes"):
            arrays[f"{name}/{one.id}"] = np.ascontiguousarray(facts.pop(name))
        lines.append(json.dumps(facts, ensure_ascii=False))
    save_file(arrays, folder / f"units.{number:06d}.safetensors")
    (folder / f"units.{number:06d}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
