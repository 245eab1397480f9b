"""Counting the work of a network, against numbers worked out by hand."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engines.runtime.roofline import Peak, Work, count_work


def saved(tmp_path, result, parameter):
    ov.save_model(ov.Model([result], [parameter]), tmp_path / "g.xml", compress_to_fp16=False)
    return tmp_path / "g.xml"


@pytest.mark.parametrize("batch", [1, 5])
def test_a_convolution(tmp_path, batch):
    x = ops.parameter([-1, 3, 8, 8], np.float32)
    y = ops.convolution(x, np.ones((4, 3, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
    work = count_work(saved(tmp_path, y, x), batch)
    assert work.operations == 2 * batch * 4 * 64 * (3 * 9)
    assert work.bytes == 4 * (4 * 27 + batch * 3 * 64 + batch * 4 * 64)


def test_a_depthwise_convolution_costs_its_taps_alone(tmp_path):
    x = ops.parameter([-1, 6, 8, 8], np.float32)
    y = ops.group_convolution(x, np.ones((6, 1, 1, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
    assert count_work(saved(tmp_path, y, x), 1).operations == 2 * 6 * 64 * 9


def test_an_up_sampling_convolution_is_counted_by_its_input(tmp_path):
    x = ops.parameter([-1, 3, 8, 8], np.float32)
    y = ops.convolution_backprop_data(x, np.ones((3, 4, 3, 3), np.float32), [2, 2])
    assert count_work(saved(tmp_path, y, x), 1).operations == 2 * 3 * 64 * (4 * 9)


def test_a_matrix_product(tmp_path):
    x = ops.parameter([-1, 32], np.float32)
    y = ops.matmul(x, np.ones((16, 32), np.float32), False, True)
    assert count_work(saved(tmp_path, y, x), 2).operations == 2 * 2 * 32 * 16


def test_the_roofline_is_the_slower_of_arithmetic_and_memory():
    peak = Peak(operations_s=1e9, bytes_s=1e9)
    assert peak.least_ms(Work(operations=2e6, bytes=1e6)) == 2.0
    assert peak.least_ms(Work(operations=1e6, bytes=3e6)) == 3.0
