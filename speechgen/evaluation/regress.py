"""Whether a report is worse than an older one: what ``--against`` says."""

from pathlib import Path

from speechgen.errors import UserError
from speechgen.evaluation.logs import read_json
from speechgen.evaluation.metrics import REPORTED


def read_report(path: str | Path) -> dict:
    """Read a report.json; raises UserError for a missing or damaged one, or for something else."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; give a report.json of 'speechgen codec eval'")
    report = read_json(Path(path))
    systems = report.get("systems")
    if not isinstance(systems, list) or not all(isinstance(s, dict) and "name" in s for s in systems):
        raise UserError(f"{path}: has no systems; give a report.json of 'speechgen codec eval'")
    return report


def regressions(report: dict, older: dict) -> list[str]:
    """One line for every metric that fell by more than its interval, for systems gone, and for new failures.

    A metric falls when its mean lies beyond the bad end of the older report's 95 % interval. Raises UserError for a
    report on other recordings.
    """
    theirs, ours = (one.get("recordings", {}).get("fingerprint") for one in (older, report))
    if theirs and ours and theirs != ours:
        raise UserError("the older report is of other recordings; scores can only be compared on the same ones")
    lines = []
    found = {system["name"]: system for system in report["systems"]}
    for before in older["systems"]:
        now = found.get(before["name"])
        if now is None:
            lines.append(f"{before['name']}: is not in this report")
            continue
        if now["failed"] > before.get("failed", 0):
            lines.append(f"{before['name']}: {now['failed']} recordings failed, {before.get('failed', 0)} before")
        lines += [line for metric in REPORTED if (line := _fallen(metric, before, now))]
    return lines


def _fallen(metric: str, before: dict, now: dict) -> str:
    """What there is to say about a metric that got worse, or an empty string."""
    old, new, kind = before.get(metric), now.get(metric), REPORTED[metric]
    if not old:
        return ""
    if not new:
        return f"{before['name']}: {kind.title} has no value any more"
    low, high = old["ci95"]
    # What is equal but for rounding has not fallen.
    slack = 1e-6 * max(1.0, abs(old["mean"]))
    worse = new["mean"] < low - slack if kind.higher_is_better else new["mean"] > high + slack
    if not worse:
        return ""
    return f"{before['name']}: {kind.title} {new['mean']:.4g}, before {old['mean']:.4g} ({low:.4g} to {high:.4g})"
