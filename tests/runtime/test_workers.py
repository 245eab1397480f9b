"""Tasks on processes and on Ray: the same answers, lost workers survived, Ctrl-C clean."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from installation.errors import MissingExtra
from installation.runtime.tasks import ATTEMPTS, Task
from installation.runtime.workers import Here, LocalPool, open_workers

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))  # spawned workers take our search path with them
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def answers(workers, tasks):
    with workers:
        return {done.name: done for done in workers.run(tasks)}


def mixture():
    tasks = [Task(f"{n}", "worker_tasks:square", (n,)) for n in range(12)]
    return [*tasks, Task("no", "worker_tasks:refuse", ("not\nthis",)), Task("bug", "worker_tasks:stumble")]


def check_mixture(done):
    assert {name: one.value for name, one in done.items() if not one.error} == {f"{n}": n * n for n in range(12)}
    assert done["no"].error == "not this"
    assert done["no"].traceback == ""
    assert done["bug"].error == "ZeroDivisionError: one is not zero"
    assert "stumble" in done["bug"].traceback


@pytest.mark.parametrize("make", [Here, lambda: LocalPool(2), lambda: open_workers(count=3)])
def test_every_task_is_answered(make):
    check_mixture(answers(make(), mixture()))


def test_no_tasks_start_no_processes():
    before = {child.pid for child in psutil.Process().children()}
    assert answers(LocalPool(2), []) == {}
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_lost_worker_is_survived_and_its_neighbours_are_not_blamed(tmp_path):
    tasks = mixture()[:6]
    tasks.insert(1, Task("once", "worker_tasks:die_once", (str(tmp_path / "mark"),)))
    tasks.insert(4, Task("always", "worker_tasks:die_always"))
    done = answers(LocalPool(2), tasks)
    assert len(done) == 8
    assert done["once"].value == "well"
    assert done["once"].attempts == 2
    assert done["always"].error == f"its worker was lost {ATTEMPTS} times, so it was given up"
    assert all(done[f"{n}"].value == n * n for n in range(6))


CALLER = """
import sys
from installation.runtime.tasks import Task
from installation.runtime.workers import LocalPool
with LocalPool(2) as workers:
    for _ in workers.run([Task("a", "worker_tasks:sit", (sys.argv[1] + "a",)),
                          Task("b", "worker_tasks:sit", (sys.argv[1] + "b",))]):
        pass
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_caller(tmp_path, how):
    script = tmp_path / "caller.py"
    script.write_text(f"if __name__ == '__main__':\n    {CALLER.strip().replace(chr(10), chr(10) + '    ')}\n")
    marks = [tmp_path / "marka", tmp_path / "markb"]
    for mark in marks:
        os.mkfifo(mark)  # reading waits for the worker's word
    caller = subprocess.Popen([sys.executable, str(script), str(tmp_path / "mark")], stderr=subprocess.DEVNULL)
    workers = [psutil.Process(int(mark.read_text())) for mark in marks]
    caller.send_signal(how)
    assert caller.wait(60) != 0
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.wait(60)
        assert not worker.is_running()


def test_ray_is_an_extra(monkeypatch):
    monkeypatch.setattr("installation.runtime.ray_workers.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"machine-reflections\[cluster\]"):
        open_workers(cluster="local")
