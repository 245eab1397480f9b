"""The same tasks on a real Ray of our own, with two workers; one is killed."""

import gc
from pathlib import Path

import pytest

from installation.errors import DeviceError
from installation.runtime.ray_workers import RayWorkers
from installation.runtime.tasks import Task
from installation.runtime.workers import open_workers

ray = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")

HERE = Path(__file__).parent
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own deprecations


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        patch.syspath_prepend(str(HERE))
        with open_workers(cluster="local", count=2) as workers:
            yield workers
    gc.collect()  # what Ray leaves open is let go of here, where its warnings are not ours


def test_the_answers_are_those_of_plain_processes(cluster):
    tasks = [Task(f"{n}", "worker_tasks:square", (n,)) for n in range(12)]
    tasks += [Task("no", "worker_tasks:refuse", ("not this",)), Task("bug", "worker_tasks:stumble")]
    done = {one.name: one for one in cluster.run(tasks)}
    assert {name: one.value for name, one in done.items() if not one.error} == {f"{n}": n * n for n in range(12)}
    assert done["no"].error == "not this"
    assert done["bug"].error == "ZeroDivisionError: one is not zero"


def test_a_lost_worker_is_survived(cluster, tmp_path):
    tasks = [
        Task("once", "worker_tasks:die_once", (str(tmp_path / "mark"),)),
        Task("always", "worker_tasks:die_always"),
    ]
    tasks += [Task(f"{n}", "worker_tasks:square", (n,)) for n in range(4)]
    done = {one.name: one for one in cluster.run(tasks)}
    assert done["once"].value == "well"
    assert "lost 3 times" in done["always"].error
    assert all(done[f"{n}"].value == n * n for n in range(4))


def test_nothing_is_reported_to_anybody(cluster):
    from ray._common.usage.usage_lib import usage_stats_enabled

    assert not usage_stats_enabled()


def test_a_cluster_that_is_not_there(cluster, monkeypatch):
    def refuse(**options):
        raise ConnectionError(f"nobody at {options['address']}")

    monkeypatch.setattr(ray, "init", refuse)  # its own time-out is half a minute
    with pytest.raises(DeviceError, match=r"'10.0.0.9:6379' does not answer .*ray start --head"):
        RayWorkers("10.0.0.9:6379", 2)
