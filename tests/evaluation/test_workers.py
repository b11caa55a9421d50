"""Work in processes: results, items that take too long, processes that die."""

import math
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

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


def test_what_an_item_needs_first_is_not_taken_from_its_time():
    assert run(math.sqrt, {"one": 1.0}, time_limit=0.5, prepare=time.sleep) == {"one": 1.0}


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


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone ends a process with its parent")
def test_a_killed_run_leaves_no_process_behind():
    script = """
        import time
        from speechgen.evaluation import workers
        workers.PRELOADED = []
        with workers.Workers(time.sleep, jobs=2) as crowd:
            run = crowd.run({"quick": 0.0, "slow": 600.0, "slower": 600.0})
            next(run)
            print(*(worker.process.pid for worker in [*crowd.busy.values(), *crowd.idle]), flush=True)
            time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        numbers = [int(word) for word in process.stdout.readline().split()]
        process.kill()
    assert len(numbers) == 2
    until = time.monotonic() + 30
    while any(map(_runs, numbers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [number for number in numbers if _runs(number)]


def _runs(number: int) -> bool:
    """Whether a process is there and has not ended; where nobody fetches its status, an ended one stays as a zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
