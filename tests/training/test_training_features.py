"""Features and copula: what networks see, and what z means."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from engines.faces.parameters import HIGH, INDEX, LOW, NP
from engines.training.features import Copula
from engines.training.portrait import portrait_features, portrait_layout, portrait_samples


@pytest.fixture(scope="module")
def people():
    return portrait_samples()


def test_every_parameter_feeds_some_rows():
    layout = portrait_layout()
    assert sorted([*layout.coarse, *layout.fine, *layout.both]) == list(range(NP))


def test_inversion_returns_the_parameters(people):
    features = portrait_features()
    some = torch.from_numpy(people[:200])
    back = features.invert(features(some))
    plain = [i for i in range(NP) if i not in portrait_layout().hues]
    torch.testing.assert_close(back[:, plain], some[:, plain], rtol=1e-4, atol=1e-3)


def test_hues_are_close_across_the_end_of_the_circle(people):
    features = portrait_features()
    low, high = torch.from_numpy(people[:1]).clone(), torch.from_numpy(people[:1]).clone()
    hue = INDEX["background_hue"]
    low[:, hue], high[:, hue] = 0.001, 0.999
    assert (features(low) - features(high)).abs().max() < 0.02
    assert features.invert(features(high))[0, hue].item() == pytest.approx(0.999, abs=1e-3)


def test_inversion_of_anything_stays_in_range():
    features = portrait_features()
    wild = features.invert(50.0 * torch.randn(64, features.count)).numpy()
    assert (wild >= LOW).all()
    assert (wild <= HIGH).all()


def test_features_have_about_unit_variance(people):
    spread = portrait_features()(torch.from_numpy(people)).std(0)
    assert ((spread > 0.8) & (spread < 1.2)).all()


@pytest.mark.parametrize("name", ["age", "skin_tone", "yaw", "mouth_open", "beard", "hair_curl", "background_hue"])
def test_z_reproduces_the_sampler(people, name):
    z = torch.randn(6000, NP, generator=torch.Generator().manual_seed(3))
    made = Copula(people)(z).numpy()[:, INDEX[name]]
    assert ks_2samp(made, people[:, INDEX[name]]).statistic < 0.04


def test_z_keeps_gaze_against_yaw_and_nothing_between_skin_and_shape(people):
    z = torch.randn(6000, NP, generator=torch.Generator().manual_seed(4))
    made = Copula(people)(z).numpy()

    def correlation(a, b):
        return np.corrcoef(made[:, INDEX[a]], made[:, INDEX[b]])[0, 1]

    assert correlation("yaw", "gaze_x") < -0.2
    for shape in ("nose_ratio", "lip_ratio", "jaw_width", "masculinity", "age"):
        assert abs(correlation("skin_tone", shape)) < 0.06
