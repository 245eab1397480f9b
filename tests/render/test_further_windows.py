"""Several windows of one show: settings, EDIDs, and real monitors that are unplugged, come back and change."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.display.config import DisplayConfig
from installation.display.edid import describe_edid, kernel_edid
from installation.display.monitors import choose_monitor
from installation.display.scene import Picture, Scene

XORG_FOLDER = Path(os.environ.get("MIRROR_TEST_XORG", "/usr"))
"""Where an X server with the driver `dummy` lies; it has sixteen outputs that can be plugged in and out."""

TWO = {"monitor": "DUMMY0", "windows": [{"monitor": "DUMMY1", "view": "series", "margin": 0.1}]}


def edid(maker="DEL", product=0x1234, serial=0, model="U2720Q", text_serial="8XK4"):
    """A block as a monitor would send it."""
    block = bytearray(128)
    block[:8] = bytes((0, 255, 255, 255, 255, 255, 255, 0))
    packed = 0
    for letter in maker:
        packed = packed << 5 | (ord(letter) - 64)
    block[8:10] = packed.to_bytes(2, "big")
    block[10:12] = product.to_bytes(2, "little")
    block[12:16] = serial.to_bytes(4, "little")
    for at, (tag, text) in zip((54, 72), ((0xFC, model), (0xFF, text_serial)), strict=True):
        if text:
            block[at : at + 18] = bytes((0, 0, 0, tag, 0)) + (text + "\n").encode().ljust(13)
    block[127] = -sum(block) % 256
    return bytes(block)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (edid(), "DEL U2720Q 8XK4"),
        (edid(maker="EPS", model="", text_serial="", serial=77), "EPS 1234 77"),
        (edid(text_serial="", serial=0), "DEL U2720Q"),
        (edid() + bytes(128), "DEL U2720Q 8XK4"),
        (edid()[:100], ""),
        (bytes(128), ""),
        (b"", ""),
        (edid()[:-1] + b"\x01", ""),
    ],
)
def test_a_monitor_tells_maker_model_and_serial_number(block, said):
    assert describe_edid(block) == said


@given(st.binary(max_size=300))
def test_noise_on_the_cable_is_no_monitor(noise):
    assert isinstance(describe_edid(edid()[:8] + noise), str)


def test_the_kernel_has_edids_by_the_name_of_the_plug(tmp_path):
    for plug, block in (("card0-HDMI-A-1", edid()), ("card1-DP-1", b"")):
        (tmp_path / plug).mkdir()
        (tmp_path / plug / "edid").write_bytes(block)
    assert kernel_edid("HDMI-A-1", tmp_path) == edid()
    assert kernel_edid("DP-1", tmp_path) == b""
    assert kernel_edid("HDMI-A-2", tmp_path) == b""


@pytest.mark.parametrize(
    ("wanted", "index"), [("HDMI-1", 0), ("HDMI-2", 1), ("8xk5", 1), ("EPS", 2), ("DEL U2720Q", 0), ("VGA", None)]
)
def test_a_monitor_is_found_by_its_plug_or_by_what_it_says(wanted, index):
    names = ["HDMI-1 (DEL U2720Q 8XK4)", "HDMI-2 (DEL U2720Q 8XK5)", "HDMI-12 (EPS projector)"]
    assert choose_monitor(wanted, names) == index


def test_a_further_window_has_its_own_surface_and_the_show_s_picture():
    config = DisplayConfig.model_validate({"grain": 0.1, "rotation": 90, "mirrored": False, **TWO})
    own = config.further(config.windows[0])
    assert (own.monitor, own.margin, own.rotation, own.mirrored, own.fullscreen) == ("DUMMY1", 0.1, 0, True, True)
    assert (own.grain, own.view, own.windows) == (0.1, "series", ())


def test_one_result_serves_a_single_view_and_the_series(make_renderer, face_picture, shot):
    """With the morph before the five, the single view shows the morph, and the series what it would show alone."""
    six = face_picture(6, 32)
    rest = {"captured_at": 0.0, "frame_id": 1, "face_id": 1, "produced_at": 0.0}
    results = {
        "six": Picture(six.images, **rest, single=True),
        "five": Picture(six.images[1:].copy(), **rest),
        "one": Picture(six.images[:1].copy(), **rest),
    }
    for view, alone in (("portrait", "one"), ("series", "five")):
        seen = []
        for name in ("six", alone):
            renderer = make_renderer(grain=0.0)
            renderer.show_pictures(results[name])
            seen.append(shot(renderer, Scene(view=view, freeze=True)))
        assert np.abs(seen[0].astype(int) - seen[1]).max() <= 1, view


# ---- real monitors ------------------------------------------------------------------------------------------------

SERVER = """
Section "Device"
  Identifier "device"
  Driver "dummy"
  VideoRam 256000
EndSection
Section "Screen"
  Identifier "screen"
  Device "device"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "800x600" "640x480"
    Virtual 1600 600
  EndSubSection
EndSection
Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
"""


@pytest.fixture(scope="module")
def desktop(tmp_path_factory):
    """An X server with two monitors of 800x600 and 640x480 side by side."""
    program, modules = XORG_FOLDER / "lib/xorg/Xorg", XORG_FOLDER / "lib/xorg/modules"
    if not (program.is_file() and (modules / "drivers/dummy_drv.so").is_file() and shutil.which("xrandr")):
        pytest.skip("no Xorg with the driver dummy and xrandr on this machine: monitors cannot be plugged in and out")
    folder = tmp_path_factory.mktemp("xorg")
    (folder / "xorg.conf").write_text(SERVER)
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(write_end), "-config", folder / "xorg.conf", "-modulepath", modules,
         "-logfile", folder / "log", "-noreset", "-r", "-nolisten", "tcp", "-novtswitch", "-sharevts"],
        pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    if not number:
        server.wait()
        pytest.skip("Xorg did not start; its driver needs the right to")
    display = f":{number}"
    for arguments in (
        ("--output", "DUMMY0", "--mode", "800x600"),
        ("--addmode", "DUMMY1", "640x480"),
        ("--output", "DUMMY1", "--mode", "640x480", "--right-of", "DUMMY0"),
        ("--query",),
    ):
        subprocess.run(
            ["xrandr", *arguments], env={**os.environ, "DISPLAY": display}, check=True, stdout=subprocess.DEVNULL
        )
    yield display
    server.terminate()
    server.wait()


PLAY = """
import ctypes, logging, subprocess
import glfw
import numpy as np
from ctypes.util import find_library
from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.further_windows import FurtherWindows
from installation.display.glfw_window import GlfwWindow
from installation.display.monitors import monitor_names
from installation.display.renderer import Renderer
from installation.display.scene import Picture, Scene
from installation.display.windows import open_window
from dataclasses import replace

logging.disable()
images = np.full((1, 3, 16, 16), -1.0, np.float32)
images[:, 0] = 1.0  # red

def xrandr(*arguments):
    subprocess.run(["xrandr", *arguments], check=True)
    subprocess.run(["xrandr"], check=True, stdout=subprocess.DEVNULL)  # the driver dummy looks at its plugs when asked

def play(first, renderer, further, frames=3):
    for _ in range(frames):
        keys = first.poll() + further.poll()
        renderer.draw(Scene(freeze=True), first.size_px)
        renderer.present(first.framebuffer)
        assert first.ctx.error == "GL_NO_ERROR"
        further.draw(lambda own: Scene(view=own or "portrait", freeze=True))
        first.swap()
    return keys

def look_again(first, further):
    for window in (first, *(one.window for one in further._all)):
        window._look_again_at = 0.0

def shade(further):
    one = further._all[0]
    one.window.make_current()
    width, height = one.window.size_px
    raw = one.window.framebuffer.read((width // 2, height // 2, 1, 1), components=3)
    one.window.ctx.error  # moderngl names a colour attachment, which a window has not
    first.make_current()
    return "red" if raw[0] > 150 and raw[2] < 60 else f"{tuple(raw)}"

first = open_window(config, hidden=True)
renderer = Renderer(first.ctx, config)
further = FurtherWindows(first, config, CaptionConfig())
for shown in (renderer, further):
    shown.show_pictures(Picture(images, 0.0, 1, 1, 0.0))
play(first, renderer, further)
further.reveal()
first.reveal()
play(first, renderer, further)
"""

LEAVE = """
further.close()
renderer.release()
first.close()
"""


def in_show(display, body, **options):
    """Run `body` in a process with windows on `display`; returns the lines it printed."""
    code = "\n".join(
        ["from installation.display.config import DisplayConfig", f"config = DisplayConfig(**{options!r})", PLAY,
         textwrap.dedent(body), LEAVE]
    )  # fmt: skip
    environ = {**os.environ, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
    environ.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_monitors_leave_return_and_change_under_a_running_show(desktop):
    said = in_show(
        desktop,
        """
        second = further._all[0].window
        where = lambda: (*glfw.get_window_pos(second._handle), *second.size_px) if second.is_shown else "hidden"
        print(first.size_px, where(), shade(further))
        xrandr("--output", "DUMMY1", "--off")
        look_again(first, further)
        play(first, renderer, further)
        print(first.size_px, where())
        xrandr("--output", "DUMMY1", "--mode", "640x480", "--right-of", "DUMMY0")
        look_again(first, further)
        play(first, renderer, further)
        print(first.size_px, where(), shade(further))
        xrandr("--output", "DUMMY0", "--mode", "640x480")
        look_again(first, further)
        play(first, renderer, further, 5)
        print(first.size_px, where(), shade(further))
        xrandr("--output", "DUMMY0", "--mode", "800x600")
        """,
        fullscreen=True,
        monitor="DUMMY0",
        windows=[{"monitor": "DUMMY1"}],
    )
    assert said == [
        "(800, 600) (800, 0, 640, 480) red",
        "(800, 600) hidden",
        "(800, 600) (800, 0, 640, 480) red",
        "(640, 480) (800, 0, 640, 480) red",
    ]


def test_a_monitor_is_found_by_its_edid_and_one_that_is_missing_is_waited_for(desktop):
    said = in_show(
        desktop,
        f"""
        x11, randr = (ctypes.CDLL(find_library(name)) for name in ("X11", "Xrandr"))
        x11.XInternAtom.restype = ctypes.c_ulong
        x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        randr.XRRChangeOutputProperty.argtypes = [
            ctypes.c_void_p, *[ctypes.c_ulong] * 3, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        atom = x11.XInternAtom(glfw.get_x11_display(), b"EDID", False)
        output = glfw.get_x11_monitor(glfw.get_monitors()[1])
        randr.XRRChangeOutputProperty(glfw.get_x11_display(), output, atom, 19, 8, 0, {edid()!r}, 128)
        print(further._all[0].window.is_shown)
        xrandr("--output", "DUMMY1", "--off")
        play(first, renderer, further)
        xrandr("--output", "DUMMY1", "--mode", "640x480", "--right-of", "DUMMY0")
        look_again(first, further)
        play(first, renderer, further)
        look_again(first, further)
        play(first, renderer, further)
        print(monitor_names(glfw)[1], further._all[0].window.is_shown, shade(further))
        """,
        size=(300, 200),
        windows=[{"monitor": "8XK4"}],
    )
    assert said == ["False", "DUMMY1 (DEL U2720Q 8XK4) True red"]


def test_the_corner_pin_editor_belongs_to_the_window_with_the_keys(desktop):
    if shutil.which("xdotool") is None:
        pytest.skip("no xdotool on this machine: keys cannot be pressed")
    said = in_show(
        desktop,
        """
        import time
        second = further._all[0]
        glfw.focus_window(second.window._handle)
        play(first, renderer, further)
        passed_on = []
        for key in ("c", "Tab", "Left", "v"):
            subprocess.run(["xdotool", "key", "--clearmodifiers", key], check=True)
            deadline = time.monotonic() + 60
            state = lambda: (second.renderer.corner_pin.editing, second.renderer.corner_pin.chosen,
                             second.renderer.corner_pin.corners, len(passed_on))
            before = state()
            while state() == before and time.monotonic() < deadline:
                passed_on += play(first, renderer, further, 1)
        print(second.renderer.corner_pin.editing, second.renderer.corner_pin.corners[1], renderer.corner_pin.editing)
        print(passed_on)
        """,
        size=(300, 200),
        monitor="DUMMY0",
        windows=[{"monitor": "DUMMY1"}],
    )
    assert said == ["True (0.999, 0.0) False", "['view']"]
