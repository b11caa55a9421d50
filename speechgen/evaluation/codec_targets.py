"""What a good speech codec reaches at its bitrate, beside what was measured: every corpus by itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from speechgen.evaluation.codec_scored import Scored
from speechgen.evaluation.statistics import Estimate, PairedBootstrap, Value

DIFFERENCE = "dnsmos_difference"  # of what comes out from what went in


@dataclass(frozen=True)
class Tier:
    """Up to ``kbps``: the least of each metric, and how far DNSMOS may lie below that of the recordings."""

    kbps: float
    least: dict[str, float]
    below_recordings: float | None = None


# The first is above Codec2 at 3.2 kbit/s, the others above Opus at its real 7.7 and 9.4 (PESQ-WB, STOI, SIM).
TIERS = (
    Tier(1.6, {"pesq_wb": 1.75, "stoi": 0.81, "sim": 0.80}),
    Tier(3.2, {"pesq_wb": 2.10, "stoi": 0.865, "sim": 0.86}, 0.25),
    Tier(6.4, {"pesq_wb": 2.70, "stoi": 0.925, "sim": 0.90}, 0.15),
)


def codec_targets(
    subject: Iterable[Scored], recording: Scored, groups: dict[str, list[str]], bootstrap: PairedBootstrap
) -> list[dict]:
    """For each group of utterances and each tier, the best that the systems reach within its bitrate."""
    lines = []
    systems = list(subject)
    for group, names in groups.items():
        for tier in TIERS:
            within = [(rate, s) for s in systems if (rate := s.kbps(names)) is not None and rate <= tier.kbps]
            if not within:
                continue
            rate, system = max(within, key=lambda pair: pair[0])
            facts = {"group": group, "up_to_kbps": tier.kbps, "system": system.name, "kbps": rate}
            for metric, least in tier.least.items():
                values = system.inside(metric, names)
                if values:
                    lines.append({**facts, "what": metric, "target": least, **_line(bootstrap.mean(values), values)})
            values, recorded = system.inside("dnsmos", names), recording.inside("dnsmos", names)
            if tier.below_recordings is not None and values.keys() & recorded.keys():
                estimate = bootstrap.difference(values, recorded)
                target = -tier.below_recordings
                lines.append({**facts, "what": DIFFERENCE, "target": target, **_line(estimate, values)})
    for line in lines:
        line["met"] = line["measured"]["mean"] >= line["target"]
    return lines


def _line(estimate: Estimate, values: dict[str, Value]) -> dict:
    return {"measured": estimate.to_json(), "n": len(values)}
