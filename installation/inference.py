"""From the newest crop to a picture: encode, settle, morph, generate; in buffers made once.

Everything of a visitor that is held here is one latent and what it was made from, wiped when the visit is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack
from installation.core.attract import AttractWalk
from installation.core.latents import Latent
from installation.core.morph import LADDER, Morph, blend_feedback
from installation.core.snapshot import Snapshot
from installation.display.scene import Picture
from installation.drawing import PICTURES, Drawing
from installation.likeness import LivingLikeness
from installation.painting import Painter
from installation.report import StageTimes
from installation.runtime.slots import SharedSlot
from installation.shader_portraits import ShaderPortraits
from installation.wish import CameraPicture, Reflection, Wish

_SEED = 20  # of the attract walk: the same faces in the same order every day
_ARRIVAL_HALF_LIFE_S = 0.12
_ARRIVAL_S = 1.0
"""For so long a face that follows another at once grows out of it, instead of jumping into its place."""


class Inference:
    """The networks of one show with their buffers. Used by one thread.

    Args:
        pack: Encoder, generator, mapping.
        morph: Of all targets.
        series: Of the targets that stand side by side.
        eye: Records of the eye process.
        psi: Truncation psi of the attract walk.
        attract_s: Seconds from one face of the walk to the next.
        smoothing_s: Half-life of the smoothing of the visitor's W+; 0 takes each encoding as it is.
        stages: Takes the times.
        likeness: Settles the visitor's likeness, where the pack can.
        shader: Draws in the generator's place; closed with this.
        painter: Paints what the generator drew, where the neural style is enabled; closed with this.
        on_control: Told the seconds from the receipt of an operator's message to the W+ that it changed.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        pack: Pack,
        morph: Morph,
        series: Morph,
        eye: SharedSlot,
        *,
        psi: float,
        attract_s: float,
        smoothing_s: float,
        stages: StageTimes,
        likeness: LivingLikeness | None = None,
        shader: ShaderPortraits | None = None,
        painter: Painter | None = None,
        on_control: Callable[[float], None] = lambda seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pack = pack
        self._morph = morph
        self._series = series
        self._eye = eye
        self._psi = psi
        self._smoothing_s = smoothing_s
        self._stages = stages
        self._clock = clock
        spec = pack.manifest.encoder
        self._encodes = spec is not None
        size = spec.input_size if spec is not None else 1
        shape = (pack.num_ws, pack.w_dim)
        self._encoder_in: dict[str, NDArray[np.float32]] = {"crop": np.zeros((1, 3, size, size), np.float32)}
        if spec is not None and spec.landmarks:
            self._encoder_in["landmarks"] = np.zeros((1, 478, 3), np.float32)
        self._crop: NDArray[np.uint8] = np.zeros((size, size, 3), np.uint8)
        self._encoded: Latent = np.zeros((1, *shape), np.float32)
        self._visitor: Latent = np.zeros(shape, np.float32)
        self._morphed: Latent = np.zeros(shape, np.float32)
        self._each: Latent = np.zeros((len(series.target_names), *shape), np.float32)
        self._ladder: Latent = np.zeros((len(LADDER), *shape), np.float32)
        self._all: Latent = np.zeros((1 + max(len(LADDER), len(series.target_names)), *shape), np.float32)
        self._shown: NDArray[np.float32] = np.zeros((3, size, size), np.float32)
        self._drawing = Drawing(pack, shader)
        self._camera: list[dict[str, NDArray[Any]]] = []
        self._camera_turn = 0
        self._face_id = 0
        self._wipe_in = 0
        self._encoded_at = 0.0
        self._arrived_at = float("-inf")
        self._seen = 0
        self._changes = 0
        self._on_control = on_control
        self._painter = painter
        self._likeness = likeness
        self._captured_at = 0.0
        self._frame_id = 0
        self._seeds = np.random.default_rng(_SEED).integers(0, 2**32, 4096)
        self._attract_s = attract_s
        self._attract: AttractWalk | None = None

    @property
    def has_news(self) -> bool:
        """Whether the eye has published something that was not looked at."""
        return self._eye.sequence != self._seen

    def warm_up(self) -> None:
        """Run each network before the curtain, so that no first run is slow on screen."""
        self._attract = AttractWalk(self._draw, self._attract_s)
        if self._encodes:
            for _ in range(2):
                self._encode(feedback=0.0)
            self._encoded[:] = 0.0
        if self._likeness is not None:
            self._likeness.warm_up(self._encoder_in)
        self._drawing.warm_up(self._attract.at(0.0)[None])
        if self._painter is not None:
            self._painter.warm_up()

    @property
    def resident(self) -> bool:
        """Whether the pictures were made on a GPU and could stay there."""
        return self._drawing.resident

    @property
    def changes(self) -> int:
        """How many of the operators' changes are in what was drawn last."""
        return self._changes

    def reflect(self, wish: Wish, tick: Callable[[float], Snapshot], now: float) -> Reflection:
        """Reflect the newest record as wished and played; the buffers are reused after `PICTURES` more.

        The instrument is ticked twice, for looking and for morphing: what is played while the encoder runs counts, too.
        """
        assert self._attract is not None, "warm_up comes first"
        if wish.forget:
            self.forget()
        camera = self._look(wish, tick(now), now) if self._encodes and wish.look else None
        began = self._clock()
        snapshot = tick(began)
        attract = self._attract.at(now)
        presence = wish.presence if self._face_id else 0.0
        latents = self._blend(wish, snapshot, attract, presence, now)
        morphed = self._clock()
        self._stages.add("morph", morphed - began)
        played_at = None
        if snapshot.changes != self._changes:
            self._changes, played_at = snapshot.changes, snapshot.changed_at
            self._on_control(morphed - played_at)
        feeds_back = snapshot.number("/mirror/feedback") > 0.0
        images = self._drawing.draw(latents, stay=wish.resident and not feeds_back and self._painter is None)
        ended = self._clock()
        self._stages.add("generate", ended - morphed)
        if isinstance(images, np.ndarray):
            if feeds_back:
                _shrink(images[0], self._shown)
            if self._painter is not None:
                images = self._painter.paint(images, snapshot)
                painted = self._clock()
                self._stages.add("paint", painted - ended)
                ended = painted
        shown_face = self._face_id if presence > 0.0 else 0
        single = wish.single and images.shape[0] > 1
        picture = Picture(images, self._captured_at, self._frame_id, shown_face, ended, single)
        return Reflection(picture, camera, wish, played_at)

    def forget(self, *, resting: bool = False) -> None:
        """Wipe all that is known of the visitor. Called again and again while nobody is there.

        Pictures are wiped some calls later, when the display has taken others. The attract walk draws over those of
        the single view; `resting`, it does not, and they are wiped as well.
        """
        if self._wipe_in:
            self._wipe_in -= 1
            if self._wipe_in == 0:
                self._drawing.wipe(resting=resting)
                self._pack.forget()
                if self._painter is not None:
                    self._painter.wipe(resting=resting)
        if not self._face_id:
            return
        self._wipe_in = 2 * PICTURES
        for latent in (self._visitor, self._encoded, self._morphed, self._each, self._ladder, self._all, self._shown):
            latent[:] = 0.0
        for tensor in self._encoder_in.values():
            tensor[:] = 0.0
        self._crop[:] = 0
        for copy in self._camera:
            for values in copy.values():
                values[:] = 0
        if self._likeness is not None:
            self._likeness.forget()
        self._drawing.forget()
        self._face_id = 0
        self._arrived_at = float("-inf")

    def close(self) -> None:
        """Release what is not the pack's."""
        self._drawing.close()
        if self._painter is not None:
            self._painter.close()

    def _draw(self, k: int) -> Latent:
        """Give the k-th face of the attract walk."""
        rng = np.random.default_rng(self._seeds[k % self._seeds.size])
        z = rng.normal(size=(1, self._pack.manifest.z_dim)).astype(np.float32)
        latent: Latent = self._pack.map(z, self._psi)[0]
        return latent

    def _blend(self, wish: Wish, snapshot: Snapshot, attract: Latent, presence: float, now: float) -> Latent:
        """Decide what is drawn: (n, num_ws, w_dim); the array is reused."""
        if presence <= 0.0:
            return attract[None]
        if wish.series:
            latents = self._series.apply_each(self._visitor, snapshot, now=now, out=self._each)
        elif wish.ladder:
            latents = self._morph.apply_ladder(self._visitor, snapshot, now=now, out=self._ladder)
        else:
            self._morph.apply(self._visitor, snapshot, now=now, out=self._morphed)
            latents = self._morphed[None]
        if wish.single and (wish.series or wish.ladder):
            several, latents = latents, self._all[: 1 + len(latents)]
            latents[1:] = several
            self._morph.apply(self._visitor, snapshot, now=now, out=latents[0])
        if presence < 1.0:  # an ordinary interpolation in W+
            latents -= attract
            latents *= np.float32(presence * presence * (3.0 - 2.0 * presence))
            latents += attract
        return latents

    def _look(self, wish: Wish, snapshot: Snapshot, now: float) -> CameraPicture | None:
        """Take the eye's newest record and encode it, if it is new and shows somebody."""
        sequence, record = self._eye.latest()
        if record is None or sequence == self._seen:
            return None
        self._seen = sequence
        face_id = int(record["face_id"])
        if not face_id:
            return None
        began = self._clock()
        np.copyto(self._crop, record["crop"])
        if "landmarks" in self._encoder_in:
            np.copyto(self._encoder_in["landmarks"][0], record["crop_landmarks"])
        captured_at, frame_id = float(record["captured_at"]), int(record["frame_id"])
        camera = self._keep_camera(record) if wish.camera else None
        if not self._eye.still_valid(sequence):
            return None  # the eye lapped us; the next record is already there
        self._captured_at, self._frame_id = captured_at, frame_id
        feedback = snapshot.number("/mirror/feedback")
        if snapshot.number("/mirror/freeze") < 0.5 or face_id != self._face_id:
            self._encode(feedback)
            if self._likeness is not None and feedback <= 0.0:  # what is fed back is no visitor's
                self._likeness.settle(self._encoded, face_id, self._encoder_in, now)
            self._settle(face_id, now)
        self._stages.add("encode", self._clock() - began)
        return camera

    def _encode(self, feedback: float) -> None:
        """Encode the crop: as bytes, where the back-end makes numbers of them and nobody else needs those."""
        engine, outputs = self._pack.engine("encoder", 1), {"w_plus": self._encoded}
        alone = feedback <= 0.0 and self._likeness is None and len(self._encoder_in) == 1
        if alone and engine.run_bytes(self._crop, outputs):
            return
        crop = self._encoder_in["crop"][0]
        np.multiply(self._crop.transpose(2, 0, 1), np.float32(1.0 / 127.5), out=crop, casting="unsafe")
        crop -= 1.0
        if feedback > 0.0:
            blend_feedback(crop, self._shown, feedback, out=crop)
        engine.run(self._encoder_in, outputs)

    def _settle(self, face_id: int, now: float) -> None:
        """Move the visitor's W+ toward the newest encoding; a broken one is left out.

        The first face of a visit begins at once. One that follows another at once grows out of it.
        """
        if not np.isfinite(self._encoded).all():
            return
        if face_id != self._face_id and self._face_id:
            self._arrived_at = now
        half_life_s = self._smoothing_s
        if now - self._arrived_at < _ARRIVAL_S:
            half_life_s = max(half_life_s, _ARRIVAL_HALF_LIFE_S)
        if not self._face_id or half_life_s <= 0.0:
            np.copyto(self._visitor, self._encoded[0])
        else:
            alpha = 1.0 - 2.0 ** (-max(now - self._encoded_at, 0.0) / half_life_s)
            self._encoded[0] -= self._visitor
            self._encoded[0] *= np.float32(alpha)
            self._visitor += self._encoded[0]
        self._face_id, self._encoded_at = face_id, now

    def _keep_camera(self, record: Mapping[str, NDArray[Any]]) -> CameraPicture:
        """Copy the camera picture beside the crop; the eye will overwrite its own."""
        if not self._camera:
            self._camera = [
                {name: np.zeros_like(record[name]) for name in ("camera", "landmarks", "quad")} for _ in range(PICTURES)
            ]
        self._camera_turn = (self._camera_turn + 1) % PICTURES
        copy = self._camera[self._camera_turn]
        width, height = (int(v) for v in record["frame_size"])
        np.copyto(copy["camera"][:height, :width], record["camera"][:height, :width])
        np.copyto(copy["landmarks"], record["landmarks"])
        np.copyto(copy["quad"], record["quad"])
        return CameraPicture(copy["camera"], (width, height), copy["landmarks"], copy["quad"])


def _shrink(image: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    """Reduce a square picture (3, r, r) to (3, s, s): mean of blocks where s divides r, else the nearest pixel."""
    size, side = into.shape[-1], image.shape[-1]
    if side % size == 0:
        block = side // size
        np.mean(image.reshape(3, size, block, size, block), axis=(2, 4), out=into)
    else:
        index = (np.arange(size) * side) // size
        into[...] = image[:, index[:, None], index[None, :]]
