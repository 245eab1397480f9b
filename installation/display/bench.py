"""How fast the renderer alone is: `python -m installation.display.bench`, also part of `mirror bench`.

Draws moving scenes without networks or camera and waits for the graphics after each frame. Wall time
tells what a screen would get; processor time (of all threads, software rasteriser included) is what
a frame costs, and holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from installation.core.stats import Histogram
from installation.display.config import DisplayConfig
from installation.display.looks import PLAIN, look_names
from installation.display.pasteback import FACE_OVAL
from installation.display.renderer import Renderer
from installation.display.scene import VIEWS, Picture, Scene, View
from installation.display.windows import open_window

BURN_IN = 5
WORDS = ("strength", "leadership", "power", "femininity", "beauty")


@dataclass(frozen=True, slots=True)
class RenderTime:
    """Cost of one frame of a view in a look.

    Attributes:
        view, look: What was drawn.
        p50_ms, p95_ms, worst_ms: Wall time of a frame until the graphics had finished it.
        cpu_ms: Processor time of a frame, mean, over all threads.
        fps: Frames a second that p50 allows.
    """

    view: str
    look: str
    p50_ms: float
    p95_ms: float
    worst_ms: float
    cpu_ms: float
    fps: float


def measure(
    size: tuple[int, int] = (1280, 720),
    *,
    resolution: int = 256,
    frames: int = 60,
    views: tuple[View, ...] = VIEWS,
    looks: tuple[str, ...] = (PLAIN,),
) -> tuple[str, list[RenderTime]]:
    """Draw every view in every look without a screen.

    Args:
        size: Canvas in pixels.
        resolution: Of the generator's pictures.
        frames: Measured frames of each.
        views: Which views.
        looks: Which looks.

    Returns:
        (what drew, times).
    """
    config = DisplayConfig(size=size, view_fade_s=0.0)
    window = open_window(config, headless=True)
    renderer = Renderer(window.ctx, config)
    times = []
    try:
        camera, landmarks, quad = _visitor(size)
        for look, view in product(looks, views):
            five = _pictures(5 if view in ("series", "strip") else 1, resolution)
            wall = Histogram()
            spent = 0.0
            for frame in range(-BURN_IN, frames):
                if frame % 2 == 0:  # networks at half the rate of the display
                    renderer.show_pictures(five)
                    renderer.show_camera(camera, size, landmarks, quad)
                    window.ctx.finish()
                scene = Scene(view, frame / 30 + BURN_IN, 0.5 + 0.5 * (frame % 2), WORDS, look=look)
                began, cpu = time.perf_counter(), time.process_time()
                renderer.draw(scene, size)
                window.ctx.finish()
                if frame >= 0:
                    wall.add((time.perf_counter() - began) * 1000.0)
                    spent += (time.process_time() - cpu) * 1000.0
            p50, p95, worst = wall.percentile(50), wall.percentile(95), wall.worst
            times.append(RenderTime(view, look, p50, p95, worst, spent / frames, 1000.0 / max(p50, 1e-6)))
        return window.ctx.info["GL_RENDERER"], times
    finally:
        renderer.release()
        window.close()


def main() -> None:
    """Print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", default="1280x720", help="canvas in pixels, e.g. 3840x2160")
    parser.add_argument("--resolution", type=int, default=256, help="of the generator's pictures, in pixels")
    parser.add_argument("--frames", type=int, default=60, help="measured frames of each view and look")
    parser.add_argument("--looks", action="store_true", help="every look in the view portrait, too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    width, height = (int(part) for part in options.size.lower().split("x"))
    keywords = {"resolution": options.resolution, "frames": options.frames}
    drew, times = measure((width, height), **keywords)
    if options.looks:
        looks = look_names(DisplayConfig())[1:]
        times += measure((width, height), views=("portrait",), looks=looks, **keywords)[1]
    if options.json:
        rows = [{field: getattr(one, field) for field in RenderTime.__slots__} for one in times]
        print(json.dumps({"renderer": drew, "size": [width, height], "times": rows}, indent=2))
        return
    print(f"{drew}, {width}x{height}, pictures of {options.resolution} px, render only")
    print(f"{'view':10} {'look':14} {'p50 ms':>8} {'p95 ms':>8} {'worst':>8} {'cpu ms':>8} {'fps':>7}")
    for one in times:
        print(
            f"{one.view:10} {one.look:14} {one.p50_ms:8.2f} {one.p95_ms:8.2f} {one.worst_ms:8.2f} "
            f"{one.cpu_ms:8.2f} {one.fps:7.1f}"
        )


def _pictures(count: int, resolution: int) -> Picture:
    rng = np.random.default_rng(0)
    coarse = rng.uniform(-1, 1, (count, 3, 8, 8)).astype(np.float32)
    images = np.repeat(np.repeat(coarse, resolution // 8, axis=2), resolution // 8, axis=3)
    return Picture(images, 0.0, 1, 1, 0.0)


def _visitor(size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """A camera picture of the canvas' size with a face of a third of its height in the middle."""
    camera = np.random.default_rng(1).integers(40, 200, (size[1], size[0], 3), np.uint8)
    centre, side = np.array(size) / 2, min(size) * 0.6
    angle = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[list(FACE_OVAL), :2] = centre + side * np.stack([0.26 * np.sin(angle), -0.35 * np.cos(angle)], axis=1)
    quad = centre + side * np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
    return camera, landmarks, quad.astype(np.float32)


if __name__ == "__main__":
    main()
