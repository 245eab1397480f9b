"""The neural thread: newest crop -> W+ -> morph -> picture, as fast as it fits.

It takes what is newest and never waits for anybody: the eye's record through a shared slot, the wishes
of the show (`Wish`) through another; it publishes into a third. Everything of a visitor that it holds is
two latents, wiped when the visit is over.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack
from installation.core.attract import AttractWalk
from installation.core.latents import Latent
from installation.core.morph import Morph, blend_feedback
from installation.core.snapshot import Snapshot
from installation.display.scene import Picture
from installation.errors import MirrorError
from installation.report import StageTimes
from installation.runtime.slots import SharedSlot, Slot

_POLL_S = 0.002
_PICTURES = 4  # one shown, one arriving, one being made, one spare
_SEED = 20  # of the attract walk: the same faces in the same order every day


@dataclass(frozen=True, slots=True)
class Wish:
    """What the show wants drawn next.

    Attributes:
        snapshot: Every control at one moment.
        presence: 0 the attract walk alone, 1 the visitor alone.
        series: Whether the targets of the series are drawn side by side instead of the one morph.
        camera: Whether the camera picture of the same frame is wanted too.
        forget: The visit is over: wipe what is known of the visitor.
        look: Whether the eye's records may be looked at; not before the visitor has been told.
        idle: Draw nothing new: the doors are closed.
    """

    snapshot: Snapshot
    presence: float = 0.0
    series: bool = False
    camera: bool = False
    forget: bool = True
    look: bool = True
    idle: bool = False


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """The camera picture that a reflection was made from, for views that show both.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, larger than the picture: only `size_wh` of it counts.
        size_wh: Width and height in use.
        landmarks: (478, 3) float32, frame pixels.
        quad: (4, 2) float32, frame pixels.
    """

    pixels: NDArray[np.uint8]
    size_wh: tuple[int, int]
    landmarks: NDArray[np.float32]
    quad: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reflection:
    """One result: what the generator drew, and the camera picture it belongs to where that was asked for."""

    picture: Picture
    camera: CameraPicture | None


class ReflectionThread(threading.Thread):
    """Owns the engines, and closes them. `wish` is written by the show; `reflections` holds the newest result.

    `rate_hz` may be changed at any time. A fault ends the thread; its cause is in `error` and the show tells it.
    """

    def __init__(
        self,
        pack: Pack,
        morph: Morph,
        series: Morph,
        eye: SharedSlot,
        *,
        rate_hz: float,
        psi: float,
        attract_s: float,
        smoothing_s: float,
        stages: StageTimes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="reflection", daemon=True)
        self._pack = pack
        self._morph = morph
        self._series = series
        self._eye = eye
        self.rate_hz = rate_hz
        self._psi = psi
        self._attract_s = attract_s
        self._smoothing_s = smoothing_s
        self._stages = stages
        self._clock = clock
        self._ending = threading.Event()
        self.wish: Slot[Wish] = Slot()
        self.reflections: Slot[Reflection] = Slot()
        self.inferences = 0
        self.error: MirrorError | None = None
        self.failure = ""

    def stop(self) -> None:
        """Ask the thread to end; it does so after the current inference."""
        self._ending.set()

    def run(self) -> None:
        try:
            with self._pack:
                _Loop(self).run()
        except MirrorError as error:
            self.error = error
        except Exception:
            self.failure = traceback.format_exc()


class _Loop:
    """The buffers and the hot method; lives on the thread."""

    def __init__(self, owner: ReflectionThread) -> None:
        self._owner = owner
        self._pack = pack = owner._pack
        self._morph, self._series = owner._morph, owner._series
        spec = pack.manifest.encoder
        self._encodes = spec is not None
        size = spec.input_size if spec is not None else 1
        shape = (pack.num_ws, pack.w_dim)
        self._encoder_in: dict[str, NDArray[np.float32]] = {"crop": np.zeros((1, 3, size, size), np.float32)}
        if spec is not None and spec.landmarks:
            self._encoder_in["landmarks"] = np.zeros((1, 478, 3), np.float32)
        self._encoded = np.zeros((1, *shape), np.float32)
        self._visitor = np.zeros(shape, np.float32)
        self._morphed: Latent = np.zeros(shape, np.float32)
        self._each: Latent = np.zeros((len(self._series.target_names), *shape), np.float32)
        self._shown: NDArray[np.float32] = np.zeros((3, size, size), np.float32)
        self._inputs: dict[int, Latent] = {}
        self._images: dict[int, list[NDArray[np.float32]]] = {}
        self._camera: list[dict[str, Any]] = []
        self._turn = 0
        self._face_id = 0
        self._encoded_at = 0.0
        self._crop: NDArray[np.uint8] = np.zeros((size, size, 3), np.uint8)
        self._seen = 0
        self._captured_at = 0.0
        self._frame_id = 0
        rng = np.random.default_rng(_SEED)
        seeds = rng.integers(0, 2**32, 4096)

        def draw(k: int) -> Latent:
            z = np.random.default_rng(seeds[k % seeds.size]).normal(size=(1, pack.manifest.z_dim))
            latent: Latent = pack.map(z.astype(np.float32), owner._psi)[0]
            return latent

        self._attract = AttractWalk(draw, owner._attract_s)

    def run(self) -> None:
        owner = self._owner
        self._warm_up()
        due = owner._clock()
        while not owner._ending.is_set():
            now = owner._clock()
            period_s = 1.0 / owner.rate_hz
            if now < due or (self._eye_is_behind() and now < due + period_s / 2):
                time.sleep(_POLL_S)
                continue
            due = max(due + period_s, now)
            _, wish = owner.wish.peek()
            if wish is not None and not wish.idle:
                self._reflect(wish, now)
            elif wish is not None and self._face_id:
                self._forget()

    def _eye_is_behind(self) -> bool:
        """Whether nothing newer than the last record is there; then a little patience saves a frame of delay."""
        return self._owner._eye.sequence == self._seen

    def _warm_up(self) -> None:
        """Run each engine before the curtain, so that no first run is slow on screen."""
        if self._encodes:
            for _ in range(2):
                self._pack.engine("encoder", 1).run(self._encoder_in, {"w_plus": self._encoded})
            self._encoded[:] = 0.0
        for _ in range(2):
            self._generate(self._attract.at(0.0)[None])

    def _reflect(self, wish: Wish, now: float) -> None:
        owner = self._owner
        if wish.forget and self._face_id:
            self._forget()
        camera = self._look(wish, now) if self._encodes and wish.look else None
        began = owner._clock()
        attract = self._attract.at(now)
        presence = wish.presence if self._face_id else 0.0
        latents = self._blend(wish, attract, presence, now)
        owner._stages.add("morph", owner._clock() - began)
        began = owner._clock()
        images = self._generate(latents)
        ended = owner._clock()
        owner._stages.add("generate", ended - began)
        owner.inferences += 1
        if float(wish.snapshot["/mirror/feedback"]) > 0.0:
            _shrink(images[0], self._shown)
        shown_face = self._face_id if presence > 0.0 else 0
        picture = Picture(images, self._captured_at, self._frame_id, shown_face, ended)
        owner.reflections.publish(Reflection(picture, camera))

    def _blend(self, wish: Wish, attract: Latent, presence: float, now: float) -> Latent:
        """Decide what is drawn: (n, num_ws, w_dim); the array is reused."""
        if presence <= 0.0:
            return attract[None]
        if wish.series:
            latents = self._series.apply_each(self._visitor, wish.snapshot, now=now, out=self._each)
        else:
            self._morph.apply(self._visitor, wish.snapshot, now=now, out=self._morphed)
            latents = self._morphed[None]
        if presence < 1.0:  # an ordinary interpolation in W+
            latents -= attract
            latents *= np.float32(presence * presence * (3.0 - 2.0 * presence))
            latents += attract
        return latents

    def _look(self, wish: Wish, now: float) -> CameraPicture | None:
        """Take the eye's newest record and encode it, if it is new and shows somebody."""
        owner = self._owner
        sequence, record = owner._eye.latest()
        if record is None or sequence == self._seen:
            return None
        self._seen = sequence
        face_id = int(record["face_id"])
        if not face_id:
            return None
        began = owner._clock()
        np.copyto(self._crop, record["crop"])
        if "landmarks" in self._encoder_in:
            np.copyto(self._encoder_in["landmarks"][0], record["crop_landmarks"])
        captured_at, frame_id = float(record["captured_at"]), int(record["frame_id"])
        camera = self._keep_camera(record) if wish.camera else None
        if not owner._eye.still_valid(sequence):
            return None  # the eye lapped us; the next record is already there
        self._captured_at, self._frame_id = captured_at, frame_id
        crop = self._encoder_in["crop"][0]
        np.multiply(self._crop.transpose(2, 0, 1), np.float32(1.0 / 127.5), out=crop, casting="unsafe")
        crop -= 1.0
        feedback = float(wish.snapshot["/mirror/feedback"])
        if feedback > 0.0:
            blend_feedback(crop, self._shown, feedback, out=crop)
        if wish.snapshot.number("/mirror/freeze") < 0.5 or face_id != self._face_id:
            self._pack.engine("encoder", 1).run(self._encoder_in, {"w_plus": self._encoded})
            self._settle(face_id, now)
        owner._stages.add("encode", owner._clock() - began)
        return camera

    def _settle(self, face_id: int, now: float) -> None:
        """Move the visitor's W+ toward the newest encoding; a new face begins at once, a broken one is left out."""
        if not np.isfinite(self._encoded).all():
            return
        if face_id != self._face_id or self._owner._smoothing_s <= 0.0:
            np.copyto(self._visitor, self._encoded[0])
        else:
            alpha = 1.0 - 2.0 ** (-(now - self._encoded_at) / self._owner._smoothing_s)
            self._encoded[0] -= self._visitor
            self._encoded[0] *= np.float32(alpha)
            self._visitor += self._encoded[0]
        self._face_id, self._encoded_at = face_id, now

    def _generate(self, latents: Latent) -> NDArray[np.float32]:
        """Draw (n, num_ws, w_dim) into the next buffer of the ring."""
        n = latents.shape[0]
        batch = n if n in (1, *self._pack.manifest.batches) else min(b for b in self._pack.manifest.batches if b >= n)
        if batch not in self._images:
            shape = (batch, 3, self._pack.resolution, self._pack.resolution)
            self._images[batch] = [np.zeros(shape, np.float32) for _ in range(_PICTURES)]
            self._inputs[batch] = np.zeros((batch, self._pack.num_ws, self._pack.w_dim), np.float32)
        self._turn = (self._turn + 1) % _PICTURES
        images, inputs = self._images[batch][self._turn], self._inputs[batch]
        np.copyto(inputs[:n], latents)
        self._pack.engine("generator", batch).run({"w_plus": inputs}, {"image": images})
        return images[:n]

    def _keep_camera(self, record: dict[str, NDArray[Any]]) -> CameraPicture:
        """Copy the camera picture beside the crop; the eye will overwrite its own."""
        if not self._camera:
            self._camera = [
                {name: np.zeros_like(record[name]) for name in ("camera", "landmarks", "quad")}
                for _ in range(_PICTURES)
            ]
        copy = self._camera[self._turn]
        width, height = (int(v) for v in record["frame_size"])
        np.copyto(copy["camera"][:height, :width], record["camera"][:height, :width])
        np.copyto(copy["landmarks"], record["landmarks"])
        np.copyto(copy["quad"], record["quad"])
        return CameraPicture(copy["camera"], (width, height), copy["landmarks"], copy["quad"])

    def _forget(self) -> None:
        """Wipe all that is known of the visitor."""
        for latent in (self._visitor, self._encoded, self._morphed, self._each, self._shown):
            latent[:] = 0.0
        for tensor in self._encoder_in.values():
            tensor[:] = 0.0
        self._crop[:] = 0
        for copy in self._camera:
            for values in copy.values():
                values[:] = 0
        self._face_id = 0


def _shrink(image: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    """Reduce a square picture (3, r, r) to (3, s, s): mean of blocks where s divides r, else the nearest pixel."""
    size, side = into.shape[-1], image.shape[-1]
    if side % size == 0:
        block = side // size
        np.mean(image.reshape(3, size, block, size, block), axis=(2, 4), out=into)
    else:
        index = (np.arange(size) * side) // size
        into[...] = image[:, index[:, None], index[None, :]]
