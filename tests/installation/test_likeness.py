"""The visitor's likeness with the pack that ships: it fades in, settles, follows, and is forgotten."""

import numpy as np
import pytest

from engines.runtime import load_pack
from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.core.settling import FADE_S
from installation.devices.eye_record import eye_fields
from installation.inference import Inference
from installation.likeness import LivingLikeness
from installation.report import StageTimes
from installation.runtime.slots import SharedSlot
from installation.shader_portraits import ShaderPortraits
from installation.wish import Wish


@pytest.fixture(scope="module")
def pack():
    with load_pack(backend="openvino") as loaded:
        yield loaded


@pytest.fixture
def likeness(pack):
    made = LivingLikeness.of(pack)
    yield made
    made.forget()


class Visitor:
    """Encodings of one face that trembles, as the neural thread hands them on."""

    def __init__(self, pack, seed, tremble=0.03):
        self.rng = np.random.default_rng(seed)
        self.base = pack.map(self.rng.standard_normal((1, pack.manifest.z_dim)).astype(np.float32), 0.7)
        self.spread = tremble * np.abs(self.base - pack.w_avg).mean()
        self.seen = {
            "crop": pack.synthesize(self.base).clip(-1, 1),
            "landmarks": self.rng.uniform(0.2, 0.8, (1, 478, 3)).astype(np.float32),
        }

    def encoding(self):
        return self.base + self.spread * self.rng.standard_normal(self.base.shape).astype(np.float32)

    def stay(self, likeness, face_id, began, seconds, fps=10):
        """(frames, num_ws, w_dim) as shown."""
        shown = []
        for tick in range(round(seconds * fps)):
            w_plus = self.encoding()
            likeness.settle(w_plus, face_id, self.seen, began + tick / fps)
            shown.append(w_plus[0])
        return np.array(shown)


def test_the_first_picture_is_the_encoders_own(likeness, pack):
    visitor = Visitor(pack, 1)
    w_plus = visitor.encoding()
    first = w_plus.copy()
    likeness.settle(w_plus, 1, visitor.seen, 0.0)
    np.testing.assert_array_equal(w_plus, first)


def test_a_settled_face_trembles_less_and_is_still_theirs(likeness, pack):
    visitor = Visitor(pack, 2)
    raw = np.array([visitor.encoding()[0] for _ in range(20)])
    settled = visitor.stay(likeness, 1, 10.0, 6.0)[-20:]
    fine = slice(pack.bands["middle"][0], None)
    assert settled[:, fine].std(0).mean() < 0.6 * raw[:, fine].std(0).mean()
    own, strange = visitor.base[0, fine], Visitor(pack, 3).base[0, fine]
    mean = settled[:, fine].mean(0)
    assert np.linalg.norm(mean - own) < np.linalg.norm(mean - strange)


def test_it_fades_in_without_a_jump(likeness, pack):
    shown = Visitor(pack, 4, tremble=0.0).stay(likeness, 1, 0.0, 2.0 * FADE_S)
    whole = np.linalg.norm(shown[-1] - shown[0])
    steps = np.linalg.norm(np.diff(shown, axis=0), axis=(1, 2))
    assert whole > 0.0
    assert steps.max() < 0.25 * whole


def test_another_face_begins_anew_and_the_visit_leaves_nothing(likeness, pack):
    Visitor(pack, 5).stay(likeness, 1, 0.0, 2.0)
    other = Visitor(pack, 6)
    w_plus = other.encoding()
    first = w_plus.copy()
    likeness.settle(w_plus, 2, other.seen, 2.0)
    np.testing.assert_array_equal(w_plus, first)
    likeness.forget()
    assert likeness._settling.empty
    for values in (likeness._features, likeness._amount, likeness._settled, likeness._settling.mean):
        assert not values.any()


def test_what_is_found_beside_the_drawing_comes_with_the_next_picture(likeness, pack):
    visitor = Visitor(pack, 9, tremble=0.0)
    visitor.stay(likeness, 1, 0.0, 0.1)
    assert likeness._settling.empty
    visitor.stay(likeness, 1, 0.1, 0.1)
    assert not likeness._settling.empty


def test_forgetting_wipes_what_is_still_being_refined(likeness, pack):
    Visitor(pack, 10).stay(likeness, 1, 0.0, 0.1)
    assert likeness._refining
    likeness.forget()
    assert not likeness._refining
    assert set(likeness._taken) == {"w_plus", "crop", "landmarks"}
    for values in (likeness._found, likeness._features, *likeness._taken.values()):
        assert not values.any()


def test_a_broken_encoding_spoils_nothing(likeness, pack):
    visitor = Visitor(pack, 7, tremble=0.0)
    before = visitor.stay(likeness, 1, 0.0, 2.0)[-1]
    broken = np.full_like(visitor.base, np.nan)
    likeness.settle(broken, 1, visitor.seen, 2.0)
    after = visitor.stay(likeness, 1, 2.3, 1.0)[-1]
    np.testing.assert_allclose(after, before, atol=0.1 * np.abs(before).max())


def test_the_show_settles_its_visitor_and_forgets_with_the_visit(pack, likeness):
    eye = SharedSlot(eye_fields(pack.manifest.encoder.input_size, 64))
    morph = Morph(pack.w_avg, pack.bands, {}, {})
    shader = ShaderPortraits(pack, 64)
    made = Inference(
        pack, morph, morph, eye, psi=0.7, attract_s=1000.0, smoothing_s=0.0, stages=StageTimes(), likeness=likeness,
        shader=shader,
    )  # fmt: skip
    instrument = Instrument(control_table((), ()))
    made.warm_up()
    visitor = Visitor(pack, 8)
    for frame in range(1, 6):
        record = eye.begin()
        record["face_id"][...] = 1
        record["crop"][:] = ((visitor.seen["crop"][0] + 1.0) * 127.5).transpose(1, 2, 0)
        record["crop_landmarks"][:] = visitor.seen["landmarks"][0]
        record["frame_size"][:] = (64, 48)
        eye.commit()
        shown = made.reflect(Wish(1.0, forget=False), instrument.tick, float(frame))
    assert shown.picture.images.shape == (1, 3, 64, 64)
    assert not likeness._settling.empty
    made.forget()
    assert likeness._settling.empty
    for values in (
        likeness._found,
        likeness._settled,
        *likeness._taken.values(),
        shader._latent,
        shader._parameters,
        shader._bytes,
    ):
        assert not values.any()
    made.close()
    eye.close(unlink=True)
