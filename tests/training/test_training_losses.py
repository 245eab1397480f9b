"""The picture loss and its weights."""

import pytest
import torch

from engines.training.losses import psnr, pyramid_loss, weight_map

POINTS = torch.tensor([[[0.35, 0.45], [0.65, 0.45], [0.5, 0.72]]])


def test_equal_pictures_lose_nothing():
    picture = torch.rand(1, 3, 32, 32)
    assert pyramid_loss(picture, picture, weight_map(POINTS, 32)).item() == 0.0


def test_weights_average_one_and_peak_at_the_eyes():
    weights = weight_map(POINTS, 64)[0, 0]
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-5)
    row, column = divmod(int(weights.argmax()), 64)
    assert abs(row / 64 - 0.45) < 0.04
    assert min(abs(column / 64 - 0.35), abs(column / 64 - 0.65)) < 0.04


def test_an_error_in_the_eye_costs_more_than_one_in_the_corner():
    true = torch.zeros(1, 3, 64, 64)
    eye, corner = true.clone(), true.clone()
    eye[:, :, 27:31, 21:25] = 1.0
    corner[:, :, 0:4, 0:4] = 1.0
    weights = weight_map(POINTS, 64)
    assert pyramid_loss(eye, true, weights) > 2.0 * pyramid_loss(corner, true, weights)


def test_psnr_of_a_known_error():
    true = torch.zeros(2, 3, 8, 8)
    assert psnr(true + 0.02, true) == pytest.approx(40.0, abs=1e-3)
    assert psnr(true + 5.0, true) == pytest.approx(6.0206, abs=1e-3)  # clamped to 1 before comparing
