"""The files of a kiosk: state that outlives a power cut, pictures that do not outlive their time, units, TOML."""

import os
import tomllib

import numpy as np
import pytest
from PIL import Image

from installation.config import Config, check_config
from installation.core.kiosk import Mode
from installation.kiosk import install
from installation.kiosk.config_text import as_toml
from installation.kiosk.daybook import Daybook
from installation.kiosk.keepsake import Keepsakes, KeepsakeTask, sweep
from installation.kiosk.state import (
    NotAcknowledged,
    acknowledge,
    read_state,
    require_acknowledgement,
    write_state,
)


def test_state_is_written_whole_and_a_damaged_one_is_an_empty_one(tmp_path):
    path = tmp_path / "deep" / "resume.json"
    assert write_state(path, {"cue": "calm"})
    assert read_state(path) == {"cue": "calm"}
    path.write_text('{"cue": "ca')
    assert read_state(path) == {}
    path.write_text("[1, 2]")
    assert read_state(path) == {}
    assert read_state(tmp_path / "absent.json") == {}
    assert [p.name for p in path.parent.iterdir()] == ["resume.json"]


def test_a_disk_that_refuses_is_no_error(tmp_path):
    (tmp_path / "x").write_text("a file")
    assert not write_state(tmp_path / "x" / "resume.json", {})


def config(tmp_path, **sections):
    return check_config({"kiosk": {"state_folder": str(tmp_path)}, **sections}, "test")


def test_a_kiosk_needs_an_acknowledgement_of_exactly_this_notice(tmp_path):
    with pytest.raises(NotAcknowledged, match="mirror kiosk acknowledge"):
        require_acknowledgement(config(tmp_path))
    acknowledge(config(tmp_path))
    require_acknowledgement(config(tmp_path))
    for changed in (
        {"privacy": {"notice": {"en": "Smile."}}},
        {"privacy": {"notice_s": 0}},
        {"keepsake": {"enabled": True}},
        {"display": {"snapshots": True}},
    ):
        with pytest.raises(NotAcknowledged):
            require_acknowledgement(config(tmp_path, **changed))


def test_a_notice_in_a_language_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Exception, match="has no notice"):
        config(tmp_path, privacy={"language": "fi"})


PICTURE = np.full((8, 8, 3), 128, np.uint8)


def keepsakes(tmp_path, wall=1000.0):
    return Keepsakes(KeepsakeTask(True, tmp_path, 5.0, 60.0), wall=lambda: wall)


def test_a_picture_is_taken_after_a_visible_countdown_and_says_that_it_is_synthetic(tmp_path):
    keeper = keepsakes(tmp_path)
    assert not keeper.step(0.0, present=True)
    keeper.ask(0.0, True)
    said = []
    for tick in range(49):
        assert not keeper.step(tick * 0.1, present=True)
        said.append(keeper.words)
    assert [str(n) in said[k] for n, k in ((5, 1), (3, 25), (1, 48))] == [True] * 3
    assert all("cancel" in words for words in said)
    assert keeper.step(5.0, present=True)
    assert not keeper.step(5.1, present=True)
    keeper.save(PICTURE)
    assert keeper.state == "saved"
    (path,) = tmp_path.iterdir()
    with Image.open(path) as image:
        assert "Synthetic" in image.info["Description"]
    keeper.step(9.0, present=True)
    assert (keeper.state, keeper.words) == ("ready", "")


@pytest.mark.parametrize("how", ["word", "leaves"])
def test_it_can_be_cancelled_by_word_and_by_leaving(tmp_path, how):
    keeper = keepsakes(tmp_path)
    keeper.ask(0.0, True)
    keeper.step(4.9, present=True)
    if how == "word":
        keeper.ask(4.95, False)
    assert not any(keeper.step(5.0 + k * 0.1, present=how == "word") for k in range(10))
    assert keeper.words == ""


def test_nobody_gets_a_picture_where_it_is_switched_off(tmp_path):
    keeper = Keepsakes(KeepsakeTask(False, tmp_path, 1.0, 60.0))
    keeper.ask(0.0, True)
    assert not keeper.step(2.0, present=True)
    assert keeper.state == "off"


def test_pictures_go_when_their_time_has_come_even_after_a_power_cut_or_a_wrong_clock(tmp_path):
    keepsakes(tmp_path, 1000.0).save(PICTURE)
    (due,) = tmp_path.iterdir()
    keepsakes(tmp_path, 1030.0).save(PICTURE)
    keepsakes(tmp_path, 9000.0).save(PICTURE)  # the clock was ahead
    (tmp_path / "keepsake-1000-9999-abcd.png.part").write_bytes(b"cut off")
    (tmp_path / "holiday.png").write_bytes(b"not ours")
    assert sweep(tmp_path, 1060.0) == (3, [])
    assert not due.exists()
    assert sorted(p.name.split("-")[0] for p in tmp_path.iterdir()) == ["holiday.png", "keepsake"]
    assert sweep(tmp_path, 1060.0) == (0, [])
    assert sweep(tmp_path / "absent", 0.0) == (0, [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everything")
def test_a_picture_that_cannot_be_deleted_is_told(tmp_path):
    keepsakes(tmp_path).save(PICTURE)
    tmp_path.chmod(0o500)
    try:
        assert len(sweep(tmp_path, 9999.0)[1]) == 1
    finally:
        tmp_path.chmod(0o700)


def test_a_config_survives_being_written():
    told = {
        "hours": {
            "zone": "Europe/Madrid",
            "sunday": [],
            "exceptions": {"2026-12-25": [], "2026-12-31": ["10:00-14:00"]},
        },
        "privacy": {"notice": {"en": 'A "quoted" line\nand another', "es": "Sí"}},
        "display": {"size": [640, 360], "corners": [[0, 0], [1, 0], [1, 1], [0, 1.5]]},
        "kiosk": {"retry_s": 60.0},
    }
    before = check_config(told, "test")
    assert check_config(tomllib.loads(as_toml(before)), "again") == before
    assert as_toml(Config()).strip() == ""


@pytest.mark.parametrize("session", ["cage", "x11"])
def test_units_feed_a_watchdog_and_never_give_up(session, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    texts = install.files(session, tmp_path / "my.toml")
    service = texts[install.unit_folder() / install.SERVICE]
    for line in ("Type=notify", "StartLimitIntervalSec=0", "Restart=always", "LimitCORE=0", "NotifyAccess=all"):
        assert f"\n{line}\n" in service
    assert "RestartSteps" in service, "RestartMaxDelaySec is ignored without it"
    assert "$" not in service
    assert str(tmp_path / "my.toml") in "".join(texts.values())
    script = next(text for path, text in texts.items() if path.name == "kiosk-setup.sh")
    assert "$TERM" in script


def test_the_daybook_counts_a_visit_once_however_often_it_is_told(tmp_path):
    from datetime import datetime

    book, morning = Daybook(tmp_path, Config().health, datetime(2026, 11, 21, 9)), datetime(2026, 11, 21, 9)
    told = [
        {"visits_done": 1, "dwell_s": [12.0], "displayed": 100},
        {"visits_done": 1, "dwell_s": [12.0], "displayed": 200},
        {"visits_done": 3, "dwell_s": [12.0, 20.0, 30.0], "displayed": 300, "latency_ms": 50.0},
    ]
    for second, status in enumerate(told):
        book.follow(second * 1.1, morning, Mode.SHOW, "live", status)
    book.new_show()
    book.follow(5.0, morning, Mode.SHOW, "stalled", {"visits_done": 1, "dwell_s": [5.0], "displayed": 10})
    book.follow(9.0, morning, Mode.CLOSED, "closed", {})
    book.log.close()
    import json

    (line,) = (tmp_path / "summaries.jsonl").read_text().splitlines()
    day = json.loads(line)
    assert day["visits"] == 4
    assert day["dwell_s"]["total"] == 67
    assert day["frames"] == 310
    assert day["faults"] == {"camera stalled": 1}
