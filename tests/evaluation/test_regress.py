"""What --against says of two reports."""

import json

import pytest

from speechgen.errors import UserError
from speechgen.evaluation.regress import read_report, regressions


def report(name="toy-3k", failed=0, fingerprint="1", **metrics):
    """``metrics``: mean, low and high."""
    values = {metric: {"mean": m, "ci95": [low, high]} for metric, (m, low, high) in metrics.items()}
    return {"recordings": {"fingerprint": fingerprint}, "systems": [{"name": name, "failed": failed, **values}]}


def test_a_fall_within_the_interval_is_none():
    older = report(pesq_wb=(2.0, 1.9, 2.1), mel=(5.0, 4.8, 5.2))
    assert regressions(report(pesq_wb=(1.91, 1.8, 2.0), mel=(5.19, 5, 5.4)), older) == []
    assert regressions(report(pesq_wb=(3.0, 2.9, 3.1), mel=(1.0, 0.8, 1.2)), older) == []
    assert regressions(older, older) == []


def test_a_fall_beyond_it_is_one_line():
    older = report(pesq_wb=(2.0, 1.9, 2.1), mel=(5.0, 4.8, 5.2))
    lines = regressions(report(pesq_wb=(1.8, 1.7, 1.9), mel=(5.3, 5.1, 5.5)), older)
    assert lines == [
        "toy-3k: PESQ-WB 1.8, before 2 (1.9 to 2.1)",
        "toy-3k: mel distance (dB) 5.3, before 5 (4.8 to 5.2)",
    ]


def test_missing_systems_metrics_and_new_failures_are_told():
    older = report(stoi=(0.9, 0.9, 0.9))
    assert regressions(report("other-3k"), older) == ["toy-3k: is not in this report"]
    assert regressions(report(stoi=(0.9, 0.9, 0.9), failed=2), older) == ["toy-3k: 2 recordings failed, 0 before"]
    assert regressions(report(), older) == ["toy-3k: STOI has no value any more"]


def test_other_recordings_cannot_be_compared():
    with pytest.raises(UserError, match="of other recordings"):
        regressions(report(fingerprint="2"), report())


def test_what_is_no_report_is_named(tmp_path):
    with pytest.raises(UserError, match="old.json: no such file"):
        read_report(tmp_path / "old.json")
    (tmp_path / "old.json").write_text('{"rows": []}')
    with pytest.raises(UserError, match="has no systems"):
        read_report(tmp_path / "old.json")
    (tmp_path / "old.json").write_text(json.dumps(report()))
    assert read_report(tmp_path / "old.json") == report()
