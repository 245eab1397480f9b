"""A running show makes no GL object: not per frame, not per picture, not per camera frame."""

import moderngl
import pytest

from installation.display.scene import VIEWS, OverlayData, Scene

MAKERS = (
    "texture", "texture3d", "texture_array", "buffer", "framebuffer", "simple_framebuffer", "renderbuffer",
    "depth_texture", "vertex_array", "simple_vertex_array", "program", "sampler", "query", "scope", "compute_shader",
)  # fmt: skip


@pytest.fixture
def made(monkeypatch):
    """Names of the GL objects made since the fixture was cleared."""
    names: list[str] = []
    for maker in MAKERS:
        original = getattr(moderngl.Context, maker)

        def counted(self, *args, _original=original, _name=maker, **kwargs):
            names.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(moderngl.Context, maker, counted)
    return names


@pytest.mark.parametrize("look", ["plain", "oil", "echo", "smear", "palette", "film"])
def test_nothing_is_allocated_per_frame(made, make_renderer, face_picture, drawn_face, look):
    renderer = make_renderer(view_fade_s=0.05)
    face = drawn_face()
    words = ("strength", "power")
    overlay = OverlayData({"draw": (1.0, 2.0)}, {"display": "30 Hz"})

    def play(view: str, frames: int) -> None:
        for frame in range(frames):
            renderer.show_pictures(face_picture(5, 32, frame_id=frame))
            renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
            renderer.draw(Scene(view, frame / 30, 0.3, (words[frame % 2],), look=look, overlay=overlay), (64, 36))
            renderer.read()

    play("portrait", 1)
    assert "texture" in made, "the counter counts"
    for view in VIEWS:  # views differ in size, so the first frames of one may make its textures anew
        play(view, 3)
        made.clear()
        play(view, 8)
        assert made == [], view


def test_everything_is_released(make_renderer, face_picture, drawn_face, ctx, monkeypatch):
    """After `release`, no texture, buffer, framebuffer, program or vertex array of the renderer is alive."""
    alive: dict[int, str] = {}
    for maker in MAKERS:
        original = getattr(moderngl.Context, maker)

        def kept(self, *args, _original=original, **kwargs):
            thing = _original(self, *args, **kwargs)
            alive[id(thing)] = thing
            return thing

        monkeypatch.setattr(moderngl.Context, maker, kept)
    renderer = make_renderer()
    face = drawn_face()
    renderer.show_pictures(face_picture(5, 32))
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    overlay = OverlayData({"draw": (1.0, 2.0)}, {"display": "30 Hz"})
    for view in VIEWS:
        for look in ("plain", "oil", "palette", "smear"):
            renderer.draw(Scene(view, captions=("power",), look=look, overlay=overlay), (64, 36))
            renderer.read()
    assert len(alive) > 40
    renderer.release()
    left = [thing for thing in alive.values() if not isinstance(thing.mglo, moderngl.InvalidObject)]
    assert left == []
