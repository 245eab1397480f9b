"""Many photographs: refusals, resuming, killing, and the same bytes wherever the work is done."""

import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.cli import main
from installation.errors import PhotographError
from installation.runtime.tasks import Done, Task
from installation.runtime.workers import open_workers
from installation.studio.batch import folder_names, make_batch
from installation.studio.order import Order

ORDER = Order(pack="default", side=128, products=("series", "midway"))


@pytest.fixture(scope="module")
def photos(people, tmp_path_factory):
    """Four photographs: two good ones, one that is broken, one without a face."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("one.jpg", "other.png"):
        (folder / name).write_bytes((people / name).read_bytes())
    (folder / "broken.jpg").write_bytes((people / "one.jpg").read_bytes()[:900])
    Image.fromarray(np.full((300, 200, 3), 90, np.uint8)).save(folder / "wall.png")
    return sorted(folder.iterdir())


def fingerprints(out: Path) -> dict[str, str]:
    """Every file of every portrait, by its hash."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def plain(photos, tmp_path_factory):
    """The batch made in this process: (folder, summary)."""
    out = tmp_path_factory.mktemp("plain")
    with open_workers(count=1) as workers:
        return out, make_batch(photos, out, ORDER, workers)


def test_one_bad_photograph_does_not_stop_the_rest(photos, plain):
    out, summary = plain
    states = {outcome.name: outcome.state for outcome in summary.outcomes}
    assert states == {"one": "made", "other": "made", "broken": "refused", "wall": "refused"}
    sentences = {outcome.name: outcome.sentence for outcome in summary.outcomes}
    assert "is damaged" in sentences["broken"]
    assert "no face was found" in sentences["wall"]
    assert summary.exit_code == PhotographError.exit_code
    assert summary.lines()[-1] == "4 photographs: 2 made, 0 finished before, 2 not possible"
    assert json.loads((out / "summary.json").read_text())["portraits"] == 2
    assert [outcome.photo for outcome in summary.outcomes] == photos


def test_processes_make_the_same_bytes(photos, plain, tmp_path):
    with open_workers(count=2) as workers:
        make_batch(photos, tmp_path, ORDER, workers)
    assert fingerprints(tmp_path) == fingerprints(plain[0])


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_makes_the_same_bytes(photos, plain, tmp_path):
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    with open_workers(cluster="local", count=2) as workers:
        make_batch(photos, tmp_path, ORDER, workers)
    gc.collect()  # what Ray leaves open is let go of here
    assert fingerprints(tmp_path) == fingerprints(plain[0])


class Idle:
    """Workers who must not be asked for anything."""

    def run(self, tasks):
        assert not list(tasks), "nothing is done twice"
        return iter(())


def test_a_finished_batch_is_not_made_again(photos, plain):
    out, _ = plain
    before = {path: path.stat().st_mtime_ns for path in out.rglob("portrait.json")}
    summary = make_batch(photos, out, ORDER, Idle())
    assert (summary.count("kept"), summary.count("refused before")) == (2, 2)
    assert summary.exit_code == PhotographError.exit_code
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("portrait.json")}


class Clerk:
    """Notes what is asked for, and refuses it all."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, tasks: list[Task]):
        for task in tasks:
            self.asked.append(task.name)
            yield Done(task.name, error="the disk is full", kind="DisplayError")


def copied(out: Path, to: Path) -> Path:
    subprocess.run(["cp", "-r", str(out), str(to)], check=True)
    return to


def test_what_changed_is_made_again_and_only_that(photos, plain, tmp_path):
    out = copied(plain[0], tmp_path / "out")
    (out / "one" / "series.png").unlink()
    moved = [*photos[:-1], tmp_path / "wall.png"]
    moved[-1].write_bytes(photos[-1].read_bytes() + b" ")
    clerk = Clerk()
    summary = make_batch(moved, out, ORDER, clerk)
    assert clerk.asked == ["one", "wall"]
    assert summary.count("failed") == 2
    assert summary.exit_code == 1
    other = Clerk()
    make_batch(photos, out, Order(pack="default", side=160, products=("series", "midway")), other)
    assert sorted(other.asked) == ["broken", "one", "other", "wall"]


def test_a_failure_of_ours_is_not_held_against_a_photograph(photos, tmp_path):
    make_batch(photos, tmp_path, ORDER, Clerk())
    clerk = Clerk()
    make_batch(photos, tmp_path, ORDER, clerk)
    assert len(clerk.asked) == 4


CALLER = """
import sys
from pathlib import Path
from installation.studio.batch import make_batch
from installation.studio.order import Order
from installation.runtime.workers import open_workers
if __name__ == "__main__":
    order = Order(pack="default", side=128, products=("series", "midway"))
    with open_workers(count=1) as workers:
        make_batch(sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2]), order, workers)
"""


def test_killed_half_way_it_goes_on_where_it_was(photos, plain, tmp_path):
    script, out = tmp_path / "caller.py", tmp_path / "out"
    script.write_text(CALLER)
    caller = subprocess.Popen(
        [sys.executable, str(script), str(photos[0].parent), str(out)], stderr=subprocess.PIPE, text=True
    )
    assert caller.stderr is not None
    for line in caller.stderr:  # the progress bar tells when the second of four is done
        if "50%" in line:
            break
    os.kill(caller.pid, signal.SIGKILL)
    caller.stderr.close()
    caller.wait()
    finished = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/portrait.json")}
    assert "one" in finished
    with open_workers(count=1) as workers:
        summary = make_batch(photos, out, ORDER, workers)
    states = {outcome.name: outcome.state for outcome in summary.outcomes}
    assert all(states[name] == "kept" for name in finished)
    assert all((out / name / "portrait.json").stat().st_mtime_ns == at for name, at in finished.items())
    assert fingerprints(out) == fingerprints(plain[0])


def test_folders_are_named_apart():
    paths = [Path(p) for p in ("/a/x.jpg", "/b/x.jpg", "/b/y.jpg")]
    assert folder_names(paths) == ["a-x", "b-x", "b-y"]
    assert folder_names(paths[1:]) == ["x", "y"]
    assert folder_names([Path("/a/x.jpg"), Path("/a/x.png")]) == ["x-jpg", "x-png"]
    assert folder_names([Path("/a/x.jpg"), Path("/x.jpg"), Path("/b/a/x.jpg")]) == ["a-x", "x", "b-a-x"]


def test_the_command(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = ["portrait", str(photos[1]), "--out", "out", "--products", "series", "--size", "128", "--amount", "0.4"]
    assert main(good) == 0
    assert Path("out/one/series.png").is_file()
    assert capsys.readouterr().out.endswith("1 photographs: 1 made, 0 finished before, 0 not possible\nout/one\n")
    assert main(["portrait", str(photos[0]), "--out", "out"]) == PhotographError.exit_code
    assert capsys.readouterr().err.splitlines()[-1].startswith("mirror: broken.jpg is damaged")
    assert main(["portrait", "nowhere.jpg", "--out", "out"]) == PhotographError.exit_code
    assert "there is no photograph nowhere.jpg" in capsys.readouterr().err
    assert main(["portrait", str(photos[1]), "--out", "out", "--targets", "courage"]) == 2
    assert "no target courage" in capsys.readouterr().err
