"""`mirror bench --seam`: how still the pasted face's seam is on a still face, and whether anything else is touched.

One picture of a source in which a face is found is held, and gets the noise of a sensor anew for every frame. It goes
through the whole chain: MediaPipe and smoothing, encoder, generator, mask, light, shaders; drawn at the camera's own
size, without the film grain, which moves on purpose. Everything is deterministic but the noise, whose seed is fixed.

The seam is where the mask is neither 0 nor 1. Its flicker is what is seen there beyond the camera's own noise: the root
of the mean, over the seam's pixels and channels, of the variance in time on the canvas less the part of the camera's
variance that a mask which stands still would let through, (1 - alpha)^2.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import astuple, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack, load_pack
from engines.runtime.paths import find_pack
from installation.config import load_config
from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.core.types import Frame
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.eye_record import eye_fields
from installation.devices.landmarks import FaceFinder
from installation.devices.sources import choose_source, open_source
from installation.devices.watcher import FaceWatcher
from installation.display.config import DisplayConfig
from installation.display.renderer import Renderer
from installation.display.scene import Scene
from installation.display.windows import open_window
from installation.errors import DeviceError
from installation.inference import Inference
from installation.report import StageTimes
from installation.runtime.slots import SharedSlot
from installation.wish import Reflection, Wish

FRAMES = 60
SETTLE = 15
"""Frames left out at the start: the filters settle on the face."""

HZ = 30.0
NOISE = 2.0
"""Standard deviation of the sensor's noise in codes of 255: a webcam in a lit room."""

LIMIT = 1.0
_SEEK = 400  # pictures of a source looked at for a face
_SEARCHES = 12
_EDGE_PX = 2  # a triangle covers the pixels whose centres it covers


@dataclass(frozen=True, slots=True)
class SeamFigures:
    """What was measured; flicker in codes of 255.

    Attributes:
        seam: Flicker of the seam beyond the camera's noise.
        inside: Flicker of the face within it, where nothing of the camera picture is.
        camera: Noise of the camera picture in the seam, for comparison.
        seam_pixels: Size of the seam.
        touched: Pixels outside the mask that differ from the camera picture in any frame.
        frames: Measured frames.
    """

    seam: float
    inside: float
    camera: float
    seam_pixels: int
    touched: int
    frames: int


def measure_seam(still: NDArray[np.uint8], pack: Pack, *, frames: int = FRAMES, noise: float = NOISE) -> SeamFigures:
    """Hold one picture with a face and measure.

    Args:
        still: (h, w, 3) uint8 RGB.
        pack: With an encoder; left open.
        frames: How many frames, `SETTLE` of them not measured.
        noise: Of the sensor, codes of 255.

    Raises:
        DeviceError: If no face is found in the picture.
    """
    height, width = still.shape[:2]
    config = DisplayConfig(size=(width, height), grain=0.0, view_fade_s=0.0)
    window = open_window(config, headless=True)
    renderer = Renderer(window.ctx, config)
    chain = _Chain(pack, max(width, height))
    rng = np.random.default_rng(7)
    canvases, cameras = [], []
    try:
        for number in range(frames):
            grain = rng.normal(0.0, noise, still.shape)
            camera = np.clip(np.round(still + grain), 0, 255).astype(np.uint8)
            now = number / HZ
            reflection = chain.reflect(Frame(camera, number + 1, now))
            taken = reflection.camera
            assert taken is not None
            renderer.show_pictures(reflection.picture)
            renderer.show_camera(taken.pixels, taken.size_wh, taken.landmarks, taken.quad)
            renderer.draw(Scene(view="mirror", time_s=now, freeze=True), (width, height))
            canvas = renderer.read(now=True)
            assert canvas is not None
            if number >= SETTLE:
                canvases.append(canvas[:, ::-1, :3].copy())
                cameras.append(camera)
        rings = renderer.mask_rings * (width, height)
    finally:
        chain.close()
        renderer.release()
        window.close()
    return _figures(np.stack(canvases), np.stack(cameras), rings)


def bench_seam(options: argparse.Namespace) -> int:
    """Measure and print; 1 if the seam flickers or anything outside the mask is touched."""
    config = load_config(options.config)
    with load_pack(find_pack(options.pack or config.engine.pack), options.backend or "auto") as pack:
        spec, _ = choose_source(options.source or config.camera.source)
        figures = measure_seam(_still(spec), pack)
    kept = figures.seam < LIMIT and figures.touched == 0
    if options.json:
        print(json.dumps({name: getattr(figures, name) for name in SeamFigures.__slots__} | {"kept": kept}, indent=2))
        return 0 if kept else 1
    print(f"still face of {spec}, {figures.frames} frames, sensor noise {NOISE:g}/255, no film grain")
    print(f"seam ({figures.seam_pixels} pixels): {figures.seam:.2f}/255 rms beyond the camera's {figures.camera:.2f}")
    print(f"face inside it: {figures.inside:.2f}/255 rms")
    print(f"pixels outside the mask that were touched: {figures.touched}")
    print("kept" if kept else f"MISSED: the seam may flicker by less than {LIMIT:g}/255, and nothing else be touched")
    return 0 if kept else 1


class _Chain:
    """Eye and networks without their processes, on the time of the frames."""

    def __init__(self, pack: Pack, side_px: int) -> None:
        spec = pack.manifest.encoder
        if spec is None:
            raise DeviceError(f"the pack {pack.name!r} has no encoder: it shows nobody's reflection; take another")
        self._finder = FaceFinder()
        angle = CameraConfig().view_angle_deg
        self._watcher = FaceWatcher(FacesConfig(), angle, self._finder, upright_crops=spec.upright)
        self._slot = SharedSlot(eye_fields(spec.input_size, side_px))
        self._instrument = Instrument(control_table((), ()))
        morph = Morph(pack.w_avg, pack.bands, {}, {})
        self._inference = Inference(
            pack, morph, morph, self._slot, psi=0.7, attract_s=1e6, smoothing_s=0.06, stages=StageTimes()
        )
        self._inference.warm_up()

    def reflect(self, frame: Frame) -> Reflection:
        """Take one frame through the chain, as the two processes do.

        Raises:
            DeviceError: If no face is found in it.
        """
        record = self._slot.begin()
        for _ in range(_SEARCHES):  # while nobody is followed, each look searches in another way
            if (sighting := self._watcher.watch(frame, record["crop"])) is not None:
                break
        else:
            raise DeviceError("no face is found in the picture; take a source that shows one")
        height, width = frame.pixels.shape[:2]
        record["camera"][:height, :width] = frame.pixels
        record["frame_size"][...] = (width, height)
        record["frame_id"][...], record["captured_at"][...] = frame.frame_id, frame.captured_at
        record["face_id"][...], record["faces"][...] = sighting.face_id, 1
        record["landmarks"][...], record["quad"][...] = sighting.landmarks, sighting.quad
        record["crop_landmarks"][...] = sighting.crop_landmarks
        record["measures"][...] = astuple(sighting.measures)
        self._slot.commit()
        wish = Wish(1.0, camera=True, forget=False)
        return self._inference.reflect(wish, self._instrument.tick, frame.captured_at)

    def close(self) -> None:
        """Release MediaPipe and the slot."""
        self._finder.close()
        self._slot.close(unlink=True)


def _still(spec: str) -> NDArray[np.uint8]:
    """Find the first picture of a source in which a face has been followed for a while."""
    source = open_source(spec, CameraConfig(), as_fast_as_possible=True)
    finder = FaceFinder()
    watcher = FaceWatcher(FacesConfig(), CameraConfig().view_angle_deg, finder)
    crop = np.zeros((64, 64, 3), np.uint8)
    followed = 0
    try:
        source.open()
        for number in range(_SEEK):
            shot = source.read()
            if shot is None:
                break
            seen = watcher.watch(Frame(shot.pixels, number + 1, number / HZ), crop) is not None
            followed = followed + 1 if seen else 0
            if followed == SETTLE:
                return shot.pixels.copy()
    finally:
        source.close()
        finder.close()
    raise DeviceError(f"no face is found in the first {_SEEK} pictures of {spec}; take a source that shows one")


def _figures(canvases: NDArray[np.uint8], cameras: NDArray[np.uint8], rings: NDArray[np.float64]) -> SeamFigures:
    """Compare canvases with camera pictures, both (n, h, w, 3); `rings` (2, POINTS, 2), inner and outer, pixels."""
    size = canvases.shape[1:3]
    inner, mask = (_filled(ring, (size[0], size[1])) for ring in rings)
    outside = cv2.dilate(mask, np.ones((2 * _EDGE_PX + 1,) * 2, np.uint8)) == 0
    seam, inside = (mask > 0) & (inner == 0), inner > 0
    to_outer, to_inner = (cv2.distanceTransform(area, cv2.DIST_L2, 5) for area in (mask, 255 - inner))
    ramp = to_outer / np.maximum(to_outer + to_inner, 1e-6)
    through = np.square(1.0 - ramp * ramp * (3.0 - 2.0 * ramp))[..., None]  # as the mask's shader eases it
    touched = (canvases != cameras).any(axis=(0, 3))
    shown, seen = (pictures.astype(np.float32).var(axis=0) for pictures in (canvases, cameras))

    def flicker(where: NDArray[np.bool_], less: NDArray[np.float32] | float) -> float:
        return float(np.sqrt(max(0.0, float(np.mean((shown - less)[where])))))

    return SeamFigures(
        seam=flicker(seam, seen * through),
        inside=flicker(inside, 0.0),
        camera=float(np.sqrt(seen[seam].mean())),
        seam_pixels=int(seam.sum()),
        touched=int((touched & outside).sum()),
        frames=len(canvases),
    )


def _filled(ring: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.round(ring).astype(np.int32)], (255,))
    return mask
