"""Windows: monitors by name and number, keys, the corner-pin editor; a real window where a screen can be had."""

import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from installation.display.config import DisplayConfig
from installation.display.monitors import choose_monitor
from installation.display.scene import Scene
from installation.display.surface_editor import STEP, SurfaceEditor, read_corners
from installation.errors import ConfigError

MONITORS = ["eDP-1", "HDMI-1", "HDMI-10", "Dell U2720Q"]
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("", 0), (0, 0), (2, 2), (4, None), (-1, None), ("HDMI-1", 1), ("hdmi-10", 2), ("dell", 3), ("VGA", None)],
)
def test_a_monitor_is_found_by_number_name_or_a_part_of_it(wanted, index):
    assert choose_monitor(wanted, MONITORS) == index


def test_without_monitors_there_is_none():
    assert choose_monitor("", []) is None


def test_a_headless_window_has_the_face_of_a_window(window):
    assert window.framebuffer is None
    assert window.size_px == (1280, 720)
    assert window.hz == 30.0
    assert window.poll() == []
    assert not window.should_close
    window.swap()


def test_corners_are_moved_by_keys_and_kept(tmp_path):
    path = tmp_path / "wall" / "surface.toml"
    editor = SurfaceEditor(SQUARE, str(path))
    assert not editor.handle("left"), "arrows mean nothing until the editor is up"
    for event in ("surface", "next", "left", "left", "down"):
        assert editor.handle(event)
    assert "top right" in editor.help
    assert editor.handle("surface")
    assert "saved" in editor.notice
    expected = (SQUARE[0], (1.0 - 2 * STEP, STEP), SQUARE[2], SQUARE[3])
    assert np.array(read_corners(path)) == pytest.approx(np.array(expected))
    assert SurfaceEditor(SQUARE, str(path)).corners == read_corners(path)
    assert [file.name for file in path.parent.iterdir()] == ["surface.toml"]


def test_a_corner_cannot_be_folded_over():
    editor = SurfaceEditor(((0.4, 0.4), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), "")
    editor.handle("surface")
    for _ in range(400):
        editor.handle("right")
        editor.handle("down")
    x, y = editor.corners[0]
    assert x + y < 1.0


@pytest.mark.parametrize("text", ["", "corners = 3", "corners = [[0,0],[1,0],[1,1]]", "no toml", "[corners]"])
def test_what_is_no_surface_file_is_refused(tmp_path, text):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigError, match="no surface file"):
        SurfaceEditor(SQUARE, str(tmp_path / "s.toml"))


def test_the_editor_is_on_the_canvas_while_it_is_up(make_renderer, face_picture, shot):
    renderer = make_renderer()
    renderer.show_pictures(face_picture())
    plain = shot(renderer, Scene(freeze=True))
    assert renderer.handle("surface")
    edited = shot(renderer, Scene(freeze=True))
    assert (edited != plain).any(axis=2).mean() > 0.05
    renderer.handle("next")
    marked = (shot(renderer, Scene(freeze=True)).astype(int) - edited).max(axis=2) > 60
    assert marked[:30, 290:].any(), "the mark has gone from the top-left corner to the top-right"
    assert not marked[:30, :30].any()
    renderer.handle("surface")
    assert np.array_equal(shot(renderer, Scene(freeze=True)), plain)
    assert not renderer.handle("freeze")


# ---- a real window ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def screen():
    """An X server without a monitor, if there is one on this machine."""
    if shutil.which("Xvfb") is None:
        pytest.skip("no Xvfb on this machine: the real window cannot be tried")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        # -r: a key that is held too long, because the machine is busy, does not repeat itself
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-r"],
        pass_fds=(write_end,), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        display = pipe.readline().strip()
    if not display:
        server.wait()
        pytest.skip("Xvfb did not start")
    yield f":{display}"
    server.terminate()
    server.wait()


PLAY = """
import sys
import numpy as np
from installation.display.config import DisplayConfig
from installation.display.renderer import Renderer
from installation.display.scene import Picture, Scene
from installation.display.windows import open_window

def picture():
    images = np.full((1, 3, 16, 16), -1.0, np.float32)
    images[:, 0, :8] = 1.0   # red above
    images[:, 2, 8:] = 1.0   # blue below
    return Picture(images, 0.0, 1, 1, 0.0)

def frame(window, renderer):
    events = window.poll()
    renderer.draw(Scene(freeze=True), window.size_px)
    renderer.present(window.framebuffer)
    width, height = window.size_px
    assert window.ctx.error == "GL_NO_ERROR"
    raw = window.framebuffer.read((0, 0, width, height), components=3)
    seen = np.frombuffer(raw, np.uint8).reshape(height, width, 3)[::-1]
    window.ctx.error  # moderngl names a colour attachment, which a window has not: the read works, the error is cleared
    window.swap()
    return events, seen
"""


def in_window(screen, body, **options):
    """Run `body` with a window on the screen; returns what it printed."""
    config = ", ".join(f"{name}={value!r}" for name, value in options.items())
    code = PLAY + f"config = DisplayConfig({config})\n" + textwrap.dedent(body)
    environ = {**os.environ, "DISPLAY": screen, "LIBGL_ALWAYS_SOFTWARE": "1"}
    environ.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_window_shows_the_canvas_the_right_way_up(screen):
    said = in_window(
        screen,
        """
        window = open_window(config)
        renderer = Renderer(window.ctx, config)
        renderer.show_pictures(picture())
        _, seen = frame(window, renderer)
        print(*window.size_px, "red" if seen[100, 200, 0] > 200 else "?", "blue" if seen[250, 200, 2] > 200 else "?")
        print(window.ctx.error)
        renderer.release()
        window.close()
        window.close()
        """,
        size=(400, 300),
    )
    assert said == ["400", "300", "red", "blue", "GL_NO_ERROR"]


def test_a_fullscreen_window_covers_the_monitor_and_a_turned_one_turns_the_picture(screen):
    said = in_window(
        screen,
        """
        window = open_window(config)
        renderer = Renderer(window.ctx, config)
        renderer.show_pictures(picture())
        _, seen = frame(window, renderer)
        print(*window.size_px, *renderer.size)
        print("left-blue" if seen[300, 200, 2] > 200 else "?", "right-red" if seen[300, 600, 0] > 200 else "?")
        renderer.release()
        window.close()
        """,
        fullscreen=True,
        rotation=270,
    )
    assert said == ["800", "600", "600", "800", "left-blue", "right-red"]


def test_a_monitor_that_is_not_there_is_told_with_those_that_are(screen):
    code = PLAY + "open_window(DisplayConfig(monitor='Beamer'))\n"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "DISPLAY": screen}, capture_output=True, text=True, timeout=240
    )
    assert "DisplayError: [display] monitor = 'Beamer': not connected; connected are 0 '" in done.stderr


def test_without_a_screen_the_message_says_what_to_do():
    code = PLAY + "open_window(DisplayConfig())\n"
    environ = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=240)
    assert "DisplayError: no screen can be reached" in done.stderr
    assert "--headless" in done.stderr


def test_keys_become_events(screen):
    if shutil.which("xdotool") is None:
        pytest.skip("no xdotool on this machine: keys cannot be pressed")
    said = in_window(
        screen,
        """
        import subprocess, time
        window = open_window(config)
        renderer = Renderer(window.ctx, config)
        renderer.show_pictures(picture())
        frame(window, renderer)
        seen = []
        for key in ("v", "t", "space", "F1", "g", "c", "Tab", "Left", "s", "f", "q"):
            subprocess.run(["xdotool", "key", "--clearmodifiers", key], check=True)
            before, deadline = len(seen), time.monotonic() + 60
            while len(seen) == before and time.monotonic() < deadline:
                seen += frame(window, renderer)[0]
        print(*seen)
        renderer.release()
        window.close()
        """,
        size=(300, 200),
        vsync=False,
    )
    wanted = ["view", "target", "freeze", "help", "grid", "surface", "next", "left", "snapshot", "fullscreen", "quit"]
    assert said == wanted


def test_config_knows_the_choices():
    with pytest.raises(ValueError, match="rotation"):
        DisplayConfig.model_validate({"rotation": 45})
