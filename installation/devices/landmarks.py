"""Find faces and their 478 landmarks with MediaPipe's own graphs.

MediaPipe's `FaceMesh` class detects and tracks inside one closed graph: a detector for near faces
only, one threshold for finding and keeping, no score, and no say in who is tracked. Here its two halves
run separately: a detector (near or far) proposes squares, and the landmark network reads one square and
tells how face-like it is. Who is who is decided in `core/tracking.py`.

The landmark network sees a 192 px square that we cut ourselves: reduced by area, and lifted when the
picture is dark. Everything is CPU; one thread owns a `FaceFinder`.

Source: MediaPipe 0.10.21, subgraphs FaceDetectionShortRangeCpu, FaceDetectionFullRangeCpu, FaceLandmarkCpu
("Attention Mesh", Grishchenko et al., CVPRW 2020).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from installation.core.smoothing import quad_from_pose
from installation.core.types import NUM_LANDMARKS
from installation.devices.cropping import sample_square
from installation.devices.quiet import without_native_noise

MESH_INPUT_PX = 192
_DETECT_SIDE_PX = 384  # longest side handed to the detectors, whose inputs are 128 and 192 px
_MIDDLE_GREY = 110.0  # mean brightness that dark squares are lifted to
_DARK = 70.0  # squares darker than this are lifted
_STEP_US = 33_333  # MediaPipe wants strictly increasing time stamps; any step will do

_DETECTOR = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "%s"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
  node_options { [type.googleapis.com/mediapipe.FaceDetectionOptions] { min_score_thresh: %g } }
}
"""
_MESH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_SCORE_STREAM = "facelandmarkcpu__face_presence_score"
_GATE = "threshold: 0.5"


@dataclass(frozen=True, slots=True)
class Detection:
    """A face proposed by a detector.

    Attributes:
        quad: (4, 2) float64 square in frame pixels for the landmark network to read, upright with the eyes.
        score: 0..1.
    """

    quad: NDArray[np.float64]
    score: float


class FaceFinder:
    """Owns MediaPipe: made, used and closed by one thread."""

    def __init__(self, *, min_score: float = 0.45) -> None:
        cv2.setNumThreads(1)  # its pool costs more than it gains on pictures this small
        with without_native_noise():
            self._mp = mediapipe_framework()
            self._build(min_score)
            self._square = np.empty((MESH_INPUT_PX, MESH_INPUT_PX, 3), np.uint8)
            self._warm_up()

    def _build(self, min_score: float) -> None:
        packets = self._mp.packet_creator
        self._near = _Graph(self._mp, _DETECTOR % ("FaceDetectionShortRangeCpu", min_score), ("detections",))
        self._far = _Graph(self._mp, _DETECTOR % ("FaceDetectionFullRangeCpu", min_score), ("detections",))
        # The subgraph drops landmarks below its gate; open it and judge by the score ourselves.
        text = self._mp.CalculatorGraph(graph_config=_MESH).text_config
        if text.count(_GATE) != 1:
            raise RuntimeError("MediaPipe's FaceLandmarkCpu graph is not the one of 0.10.21")
        side = {"with_attention": packets.create_bool(True)}
        self._mesh = _Graph(self._mp, text.replace(_GATE, "threshold: -1"), ("landmarks", _SCORE_STREAM), side)
        # Message types must be known to Python before packets of them can be read.
        for name in ("detection_pb2", "landmark_pb2"):
            importlib.import_module(f"mediapipe.framework.formats.{name}")
        rect = importlib.import_module("mediapipe.framework.formats.rect_pb2")
        whole = rect.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
        self._whole = packets.create_proto(whole)

    def _warm_up(self) -> None:
        """Run each network once: the first run allocates and is several times slower."""
        blank = np.zeros((64, 64, 3), np.uint8)
        self.detect(blank, far=True)
        self.detect(blank, far=False)
        self.mesh(blank, np.array([[0, 0], [0, 63], [63, 63], [63, 0]], np.float64))

    def detect(
        self, frame: NDArray[np.uint8], *, far: bool, window: tuple[int, int, int, int] | None = None
    ) -> list[Detection]:
        """Look for faces.

        Args:
            frame: (h, w, 3) uint8 RGB.
            far: Use the detector trained up to five metres instead of two; slower, and weaker on near faces.
            window: (x0, y0, x1, y1) part of the frame to look at; a face then appears larger to the network.

        Returns:
            Proposals, best first.
        """
        x0, y0, x1, y1 = window or (0, 0, frame.shape[1], frame.shape[0])
        view = frame[y0:y1, x0:x1]
        ratio = min(_DETECT_SIDE_PX / max(view.shape[:2]), 1.0)
        if ratio < 1.0:
            view = np.asarray(cv2.resize(view, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA), np.uint8)
        found = (self._far if far else self._near).run(image=self._image(lifted(view)))
        if "detections" not in found:
            return []
        scale = np.array([(x1 - x0), (y1 - y0)], np.float64)
        proposals = []
        for item in self._mp.packet_getter.get_proto_list(found["detections"]):
            box, points = item.location_data.relative_bounding_box, item.location_data.relative_keypoints
            centre = np.array([box.xmin + box.width / 2, box.ymin + box.height / 2]) * scale + (x0, y0)
            side = float(max(box.width * scale[0], box.height * scale[1])) * 1.5
            eyes = (np.array([points[1].x, points[1].y]) - (points[0].x, points[0].y)) * scale
            proposals.append(
                Detection(quad_from_pose(centre, side, float(np.arctan2(eyes[1], eyes[0]))), float(item.score[0]))
            )
        return sorted(proposals, key=lambda proposal: -proposal.score)

    def mesh(self, frame: NDArray[np.uint8], quad: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
        """Read the landmarks inside a square.

        Args:
            frame: (h, w, 3) uint8 RGB.
            quad: (4, 2) square in frame pixels, about 1.5 times as wide as the face, upright with the eyes.

        Returns:
            ((478, 3) float32 frame pixels with z on the same scale, score 0..1 that this is a face).
        """
        sample_square(frame, quad, self._square, reflect=False)
        found = self._mesh.run(image=self._image(lifted(self._square)), roi=self._whole)
        points = self._mp.packet_getter.get_proto(found["landmarks"]).landmark
        unit = np.array([(p.x, p.y, p.z) for p in points], np.float64)
        assert unit.shape == (NUM_LANDMARKS, 3)
        right, down = quad[3] - quad[0], quad[1] - quad[0]
        out = np.empty((NUM_LANDMARKS, 3), np.float32)
        out[:, :2] = quad[0] + unit[:, :1] * right + unit[:, 1:2] * down
        out[:, 2] = unit[:, 2] * np.hypot(*right)
        return out, float(self._mp.packet_getter.get_float(found[_SCORE_STREAM]))

    def close(self) -> None:
        """End the graphs."""
        for graph in (self._near, self._far, self._mesh):
            graph.close()

    def _image(self, pixels: NDArray[np.uint8]) -> Any:
        return self._mp.packet_creator.create_image_frame(
            np.ascontiguousarray(pixels), image_format=self._mp.ImageFormat.SRGB, copy=True
        )


class _Graph:
    """One running MediaPipe graph, called like a function."""

    def __init__(self, mp: ModuleType, text: str, outputs: tuple[str, ...], side: dict[str, Any] | None = None) -> None:
        self._graph = mp.CalculatorGraph(graph_config=text)
        self._found: dict[str, Any] = {}
        self._stamp = 0
        for name in outputs:
            self._graph.observe_output_stream(name, self._found.__setitem__, False)
        self._graph.start_run(side or {})

    def run(self, **inputs: Any) -> dict[str, Any]:
        """Feed one packet to each input, wait, and return the packets that came out by stream name."""
        self._found.clear()
        self._stamp += _STEP_US
        for name, packet in inputs.items():
            self._graph.add_packet_to_input_stream(name, packet.at(self._stamp))
        self._graph.wait_until_idle()
        return self._found

    def close(self) -> None:
        self._graph.close()


def lifted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brighten a dark picture by a gamma curve, so that its mean nears middle grey; others pass unchanged."""
    mean = float(pixels[::4, ::4].mean())
    if mean >= _DARK or mean < 1.0:
        return pixels
    gamma = np.log(_MIDDLE_GREY / 255.0) / np.log(mean / 255.0)
    curve = np.rint(255.0 * (np.arange(256) / 255.0) ** max(gamma, 0.25)).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, curve), np.uint8)


def mediapipe_framework() -> ModuleType:
    """Import MediaPipe's graph runner without the rest of the package.

    `import mediapipe` runs a package body that pulls in matplotlib, the task API and through it the sound
    system: 1.0 s and 124 MB against 0.14 s and 53 MB (measured, 2 cores). The package is entered
    without running that body. If something else already imported MediaPipe, that is used.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    if "mediapipe" not in sys.modules:
        spec = importlib.util.find_spec("mediapipe")
        if spec is None or spec.submodule_search_locations is None:
            raise RuntimeError("mediapipe is not installed; install it with: pip install mediapipe==0.10.21")
        sys.modules["mediapipe"] = importlib.util.module_from_spec(spec)
    framework = importlib.import_module("mediapipe.python")
    package = os.path.dirname(os.path.dirname(os.path.abspath(str(framework.__file__))))
    framework.resource_util.set_resource_dir(os.path.dirname(package))
    return framework
