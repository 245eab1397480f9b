"""The steward between supervisor and show: real slots, pipe and instrument, virtual time."""

import base64
import json
import multiprocessing

import numpy as np
import pytest

from installation.core.controls import control_table
from installation.core.cues import Cue, CueList
from installation.core.instrument import Instrument
from installation.core.visit import Visit, VisitTimes
from installation.display.scene import Picture
from installation.kiosk.config import PrivacyConfig
from installation.kiosk.keepsake import KeepsakeTask
from installation.kiosk.links import Dial, JsonSlot
from installation.kiosk.steward import KioskTask, Steward, preview
from installation.runtime.board import Heartbeat

CONTEXT = multiprocessing.get_context("spawn")
TABLE = control_table(["strength", "beauty"], ["age"], looks=("plain", "ink"))


class Stage:
    """A show of which only the steward is real."""

    def __init__(self, tmp_path, resume=None, notice_s=1.0) -> None:
        self.status = JsonSlot()
        self.receiver, self.commands = CONTEXT.Pipe(duplex=False)
        self.closed, self.inference = Dial(CONTEXT), Heartbeat(CONTEXT)
        self.instrument = Instrument(TABLE, cues=CueList((Cue("storm", {"/mirror/look": "ink", "/mirror/psi": 0.5}),)))
        task = KioskTask(
            self.status.layout, self.receiver, self.closed, self.inference, PrivacyConfig(notice_s=notice_s), 4,
            KeepsakeTask(True, tmp_path, 2.0, 60.0), resume or {},
        )  # fmt: skip
        self.steward = Steward(task, self.instrument, 0.0)
        self.visit = Visit(VisitTimes(hold_s=0.1, farewell_s=0.2))
        self.steward.resume_visit(self.visit)
        self.now = 0.0
        self.picture = Picture(np.zeros((1, 3, 16, 16), np.float32), 0.0, 1, 1, 0.0)

    def frame(self, face_id=0, seconds=0.1):
        """One frame; returns the steward's orders and the visit."""
        self.now += seconds
        orders = self.steward.step(self.now, self.visit, followed=face_id > 0, face_id=face_id)
        state = self.visit.step(self.now, orders.followed)
        self.instrument.tick(self.now)
        self.steward.tell(self.now, state, self.picture, 10, lambda: np.zeros((16, 16, 3), np.uint8))
        return orders, state

    def frames(self, seconds, face_id=0):
        for _ in range(round(seconds / 0.1)):
            last = self.frame(face_id)
        return last

    def ask(self, do, value=None):
        self.commands.send({"do": do, "value": value})

    def told(self):
        self.frames(0.3)
        return self.status.read()

    def close(self):
        self.steward.close()
        self.status.close(unlink=True)


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path)
    yield made
    made.close()


def test_the_notice_stands_before_anybody_is_reflected(stage):
    orders, _ = stage.frames(1.0)
    assert orders.words.startswith("A camera looks at your face")
    assert orders.words_alpha == 1.0
    seen = [stage.frame(face_id=1) for _ in range(15)]
    first = next(k for k, (orders, _) in enumerate(seen) if orders.followed)
    assert first >= 10
    assert all(state.visits == 0 for _, state in seen[:first])
    orders, state = stage.frames(2.0, face_id=1)
    assert (orders.words_alpha, state.visits) == (0.0, 1)


def test_somebody_new_in_a_farewell_reads_the_notice_and_who_comes_back_does_not(stage):
    stage.frames(4.0, face_id=1)
    stage.frames(0.2)  # farewell has begun
    assert stage.frame(face_id=1)[0].followed, "the same face goes on"
    stage.frames(0.2)
    assert not stage.frame(face_id=2)[0].followed, "another face is told first"


def test_closing_time_is_black_and_idle_and_resting_counts_as_progress(stage):
    stage.frames(3.0, face_id=1)
    stage.closed.set(1.0)
    before = stage.inference.progress
    orders, state = stage.frames(1.0, face_id=1)
    assert (orders.black, orders.idle, orders.followed) == (True, True, False)
    assert str(state.stage) == "nobody"
    assert stage.inference.progress > before


def test_commands_play_the_instrument(stage):
    stage.ask("blackout", True)
    stage.ask("cue", "storm")
    stage.ask("language", "es")
    stage.ask("light", 0.25)
    told = stage.told()
    assert (told["blackout"], told["cue"], told["look"], told["light"]) == (True, "storm", "ink", 0.25)
    orders, _ = stage.frames(6.0)
    assert orders.light == pytest.approx(0.25, abs=0.01)
    assert "cámara" in orders.words


def test_a_new_show_goes_on_where_the_last_one_stood(stage, tmp_path):
    stage.ask("cue", "storm")
    stage.ask("blackout", True)
    stage.ask("light", 0.5)
    stage.ask("target")
    resume = json.loads(json.dumps(stage.told()["resume"]))
    again = Stage(tmp_path, resume)
    try:
        told = again.told()
        keys = ("cue", "look", "blackout", "light", "language")
        assert [told[key] for key in keys] == ["storm", "ink", True, 0.5, "en"]
        assert again.instrument.snapshot.goal("/mirror/psi") == pytest.approx(0.5)
        assert told["resume"] == resume
    finally:
        again.close()


def test_what_only_a_mapping_played_is_not_taken_up_again(stage):
    stage.instrument.set("/mirror/psi", 0.25, "osc", stage.now)
    stage.instrument.set("/mirror/breath", 0.5, "mapping", stage.now + 0.1)
    assert stage.told()["resume"]["values"] == {"/mirror/psi": 0.25}


def test_visits_are_counted_with_their_length_and_nothing_else_of_them(stage):
    stage.frames(5.0, face_id=7)
    told = stage.told()
    stage.frames(1.0)
    told = stage.told()
    assert told["visits_done"] == 1
    assert told["dwell_s"][0] == pytest.approx(4.0, abs=0.6)
    assert set(told) == {
        "drawing", "stage", "visits", "visits_done", "dwell_s", "displayed", "inferences", "latency_ms", "cue", "cues",
        "view", "look", "blackout", "light", "language", "keepsake", "preview", "resume",
    }  # fmt: skip


def test_a_picture_on_request_needs_a_visitor_and_asks_for_one_frame(stage):
    stage.ask("keepsake", True)
    assert not any(stage.frame()[0].keep for _ in range(40))
    stage.frames(4.0, face_id=1)
    stage.ask("keepsake", True)
    orders, _ = stage.frame(face_id=1)
    assert "picture is taken in 2" in orders.words
    assert sum(stage.frame(face_id=1)[0].keep for _ in range(40)) == 1


def test_the_preview_is_a_few_cells_with_the_brightness_of_the_screen():
    image = np.zeros((10, 20, 3), np.uint8)  # two pictures, of which the first counts
    image[:5, :5, 0] = 255  # red at the top left
    image[:, 10:] = 200
    cells = np.frombuffer(base64.b64decode(preview(image, 2, 0.5)), np.uint8).reshape(2, 2, 3)
    assert cells[0, 0].tolist() == [127, 0, 0]
    assert cells[0, 1].tolist() == cells[1, 0].tolist() == [0, 0, 0]
    assert len(base64.b64decode(preview(image, 96, 1.0))) == 300
