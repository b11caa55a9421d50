"""Work in processes: results, items that take too long, processes that die."""

import math
import os
import time

import pytest

from speechgen.evaluation.workers import Broken, Workers


def run(work, items, **options):
    with Workers(work, **options) as workers:
        return dict(workers.run(items))


def test_results_are_the_same_here_and_in_processes():
    numbers = {str(number): number for number in range(20)}
    alone = run(math.sqrt, numbers)
    assert alone == {name: math.sqrt(number) for name, number in numbers.items()}
    assert run(math.sqrt, numbers, jobs=2) == alone


def test_what_takes_too_long_is_given_up_and_the_rest_goes_on():
    began = time.monotonic()
    done = run(time.sleep, {"slow": 600, "quick": 0.0, "also quick": 0.01}, jobs=2, time_limit=1.0)
    assert done["slow"] == Broken("took longer than 1 s", 1.0)
    assert done["quick"] is None and done["also quick"] is None
    assert time.monotonic() - began < 60


def test_one_process_with_a_limit_goes_on_as_well():
    done = run(time.sleep, {"slow": 600, "quick": 0.0}, time_limit=1.0)
    assert [isinstance(done[name], Broken) for name in ("slow", "quick")] == [True, False]


def test_a_process_that_dies_costs_its_item_only():
    done = run(os._exit, {"first": 3, "second": 4}, jobs=2)
    assert set(done) == {"first", "second"}
    assert all("process died" in broken.reason and broken.limit is None for broken in done.values())


def test_a_mistake_of_the_work_is_raised():
    with pytest.raises(ValueError, match="math domain"):
        run(math.sqrt, {"one": -1}, jobs=2)


def test_processes_end_with_the_block():
    with Workers(math.sqrt, jobs=2) as workers:
        assert dict(workers.run({"a": 4, "b": 9})) == {"a": 2, "b": 3}
        processes = [worker.process for worker in workers.idle]
    assert processes and not any(process.is_alive() for process in processes)
