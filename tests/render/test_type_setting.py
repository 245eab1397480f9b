"""Words: every script, every case, missing letters, missing fonts."""

import re

import numpy as np
import pytest

from installation.display.config import CaptionConfig
from installation.display.scene import Scene
from installation.display.type_setting import clusters, is_rtl, load_font, set_caption, set_line
from installation.errors import DisplayError


def ink(text, **options):
    return np.asarray(set_caption(text, 40, CaptionConfig(**options)).mask)


@pytest.mark.parametrize(
    "text", ["leadership", "beauté", "сила", "δύναμη", "ուժ", "ძალა", "قوة", "כוח", "Iñtërnâtiônàl", "e\u0301te\u0301"]
)
def test_the_bundled_fonts_have_the_letters_of_many_scripts(text):
    line = set_caption(text, 40, CaptionConfig())
    assert line.notice == ""
    assert np.asarray(line.mask).max() == 255


def test_letters_that_no_font_has_leave_a_gap_and_a_notice():
    line = set_caption("力 power", 40, CaptionConfig())
    assert "力" in line.notice
    assert "fallback_font" in line.notice
    assert np.array_equal(np.asarray(line.mask), ink("power"))


@pytest.mark.parametrize("text", ["", "   ", "\n", "\u200d", "\x00"])
def test_nothing_to_set_is_no_error(text):
    assert set_caption(text, 40, CaptionConfig()).mask.width >= 1


def test_lines_share_a_base_line_whatever_their_letters():
    assert ink("aaa").shape[0] == ink("Ágj").shape[0]


def test_tracking_widens_words_and_never_joined_scripts():
    assert ink("power", tracking=0.5).shape[1] > 1.3 * ink("power", tracking=0.0).shape[1]
    assert np.array_equal(ink("قوة", tracking=0.5), ink("قوة", tracking=0.0))


def test_small_capitals_are_smaller_than_capitals_and_taller_than_none():
    def height(case):
        rows = np.flatnonzero(ink("x", case=case).max(axis=1) > 128)
        return rows[-1] - rows[0]

    assert height("upper") > height("small_caps") > 0.6 * height("upper")


def test_cases_that_change_nothing_change_nothing():
    assert np.array_equal(ink("POWER", case="upper"), ink("power", case="upper"))
    assert np.array_equal(ink("Power", case="lower"), ink("power", case="as_written"))


def test_turkish_has_its_own_capital_i():
    assert not np.array_equal(ink("izmir", case="upper", language="tr"), ink("izmir", case="upper"))
    assert np.array_equal(ink("izmir", case="upper", language="tr"), ink("İZMİR", case="as_written"))


@pytest.mark.parametrize(
    ("text", "rtl"),
    [("power", False), ("كلمة", True), ("כוח power", True), ("power כוח", False), ("123 כ", True), ("", False)],
)
def test_the_direction_is_read_from_the_first_letter_that_has_one(text, rtl):
    assert is_rtl(text) is rtl


def test_arabic_runs_from_the_right_and_is_joined():
    """Two joined letters are narrower than the two alone; an alef, written first, stands tall at the right."""
    joined, alone = ink("بب").shape[1], ink("ب").shape[1]
    assert joined < 1.9 * alone
    tall = np.flatnonzero(ink("اب").max(axis=1) > 128)[0]
    columns = np.flatnonzero(ink("اب")[tall] > 128)
    assert columns.min() > 0.6 * ink("اب").shape[1]
    assert not np.array_equal(ink("بب power", direction="rtl"), ink("بب power", direction="ltr"))


def test_marks_stay_with_their_letter():
    assert clusters("e\u0301a\u0327\u0302b") == ["e\u0301", "a\u0327\u0302", "b"]


@pytest.mark.parametrize("content", [b"this is no font", b"", None])
def test_a_font_that_is_none_is_told_and_another_takes_its_place(tmp_path, content):
    path = tmp_path / "no.ttf"
    if content is not None:
        path.write_bytes(content)
    line = set_caption("power", 40, CaptionConfig(font=str(path)))
    assert re.search(r"no\.ttf.*\.otf", line.notice)
    assert line.mask.getbbox() is not None
    with pytest.raises(DisplayError, match=r"no\.ttf"):
        load_font(path, 20)


def test_a_plain_line_is_cut_to_its_ink():
    assert set_line("i", 20).width < set_line("mm", 20).width


def test_a_word_without_its_letters_does_not_stop_the_show(make_renderer, face_picture, shot):
    renderer = make_renderer()
    renderer.show_pictures(face_picture())
    pixels = shot(renderer, Scene(captions=("力強さ",)))
    assert pixels[..., :3].std() > 10
    assert any("力" in notice for notice in renderer.notices)


def test_one_word_becomes_the_next_softly(make_renderer, face_picture, shot):
    """Half way through the change neither word stands; before and after, one does."""
    renderer = make_renderer(CaptionConfig(size=0.1), grain=0.0)
    black = face_picture()
    black.images[:] = -1.0
    renderer.show_pictures(black)
    levels = []
    for time_s, word in ((0.0, "power"), (1.0, "power"), (1.0, "beauty"), (1.25, "beauty"), (2.0, "beauty")):
        levels.append(int(shot(renderer, Scene(time_s=time_s, captions=(word,)))[..., :3].max()))
    assert levels[0] == levels[1] == levels[2] > 180
    assert levels[3] < 40
    assert levels[4] > 180


def test_a_word_too_long_for_its_place_is_made_smaller(make_renderer, face_picture, shot):
    renderer = make_renderer(CaptionConfig(size=0.1), grain=0.0)
    black = face_picture(5)
    black.images[:] = -1.0
    renderer.show_pictures(black)
    pixels = shot(renderer, Scene(view="series", captions=("incomprehensibilities",) + ("",) * 4))
    columns = np.flatnonzero(pixels[..., :3].max(axis=(0, 2)) > 60)
    assert len(columns)
    assert columns.max() < 70
