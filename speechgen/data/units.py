"""Dumps of units: latents, codes and alignments of a corpus, computed once and kept in memory for training."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

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
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out_dir.parent, prefix=f".{out_dir.name}."))
    try:
        count, shard = 0, []
        for one in units:
            shard.append(one)
            count += 1
            if len(shard) == SHARD:
                _write_shard(temporary, count // SHARD - 1, shard)
                shard = []
        if shard:
            _write_shard(temporary, count // SHARD, shard)
        if not count:
            raise UserError(f"{out_dir}: nothing to dump; no utterance could be aligned")
        (temporary / DONE).write_text(json.dumps({**facts, "utterances": count}, indent=1) + "\n", encoding="utf-8")
        os.chmod(temporary, 0o755)
        if out_dir.exists():
            shutil.rmtree(out_dir)
        os.replace(temporary, out_dir)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
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
        except (OSError, SafetensorError):
            raise UserError(f"{lines.with_suffix('.safetensors')}: damaged; dump again") from None
        for line in lines.read_text(encoding="utf-8").splitlines():
            facts = json.loads(line)
            key = facts["id"]
            parts = {name: arrays[f"{name}/{key}"] for name in ("durations", "latents", "codes")}
            units.append(Units(**facts, **parts))
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
