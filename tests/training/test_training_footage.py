"""The rows of real faces, on stills and a film that are drawn; and what is said where nothing can be told."""

import math

import cv2
import numpy as np
import pytest

from engines.runtime.pack import DEFAULT_PACK, load_pack
from engines.training.bench import Bench
from engines.training.verify_footage import Clip, _correlation, _separation, footage_rows
from installation.devices.synthetic import VISITOR_CLIP
from installation.errors import DeviceError


@pytest.fixture(scope="module")
def bench():
    with load_pack(DEFAULT_PACK, "openvino") as pack:
        made = Bench(pack)
        yield made
        made.close()


def by_name(rows):
    return {row.name.removeprefix("footage: "): row for row in rows}


def moving(seen, made, **options):
    faces = [[{"yaw": value, "smile": value} for value in values] for values in (seen, made)]
    return Clip("one", seen=faces[0], made=faces[1], **options)


def test_stills_are_measured_when_the_likeness_has_settled(bench, tmp_path):
    for number, person in enumerate(bench.people(6)):
        picture = cv2.resize(bench.renderer.render(person), (400, 400), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture[..., ::-1])
    rows = by_name(footage_rows(bench, tmp_path))
    assert rows["landmark error through the generator, of the mean face's"].met
    assert rows["skin difference, dE"].met
    assert rows["yaw through the generator, correlation within clips"].note == "1 clips in which it moves"
    apart = rows["people apart, of the distance within a clip"]
    assert (apart.met, math.isnan(apart.value)) == (None, True)
    assert str(apart).startswith("no data")


def test_a_film_is_measured(bench, tmp_path):
    (tmp_path / "visitor.mp4").symlink_to(VISITOR_CLIP)
    rows = by_name(footage_rows(bench, tmp_path))
    assert rows["landmark error through the generator, of the mean face's"].met
    assert rows["yaw through the generator, correlation within clips"].met
    assert rows["people apart, of the distance within a clip"].met is None, "it takes two people"


def test_a_folder_without_a_face_is_refused(bench, tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 300, 3), 90, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(DeviceError, match="no face was found"):
        footage_rows(bench, tmp_path)


def test_a_clip_counts_about_its_own_mean():
    seen = np.array([0.0, 10.0, 20.0, 10.0, 0.0])
    clips = [moving(seen, seen + 40.0), moving(seen + 100.0, seen)]
    assert _correlation(clips, "yaw", "made") == (pytest.approx(1.0), "2 clips in which it moves")
    assert _correlation([moving(seen, -seen)], "yaw", "made")[0] == pytest.approx(-1.0)


def test_what_stands_still_tells_nothing():
    still = np.zeros(9)
    assert _correlation([moving(still, np.arange(9.0))], "yaw", "made")[0] is None
    assert _correlation([moving(np.arange(0.0, 40.0, 10.0), still[:4])], "yaw", "made")[0] is None, "too few looks"
    assert _correlation([moving(np.arange(0.0, 90.0, 10.0), still)], "yaw", "made")[0] == 0.0


def test_stills_are_compared_in_pose_alone():
    stills = [moving([angle], [0.9 * angle], still=True) for angle in (-20.0, -5.0, 0.0, 10.0, 30.0)]
    assert _correlation(stills, "yaw", "made")[0] == pytest.approx(1.0)
    assert _correlation(stills, "smile", "made")[0] is None


def test_stills_do_not_make_people_steadier():
    moving_person = [np.array([[0.0]]), np.array([[2.0]])]
    assert _separation([moving_person, [np.array([[11.0]])]]) == pytest.approx(10.0)
    assert _separation([[np.array([[0.0]])], [np.array([[5.0]])]]) is None
    assert _separation([moving_person]) is None
