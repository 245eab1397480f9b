"""OpenVINO's devices by name, its threads and its cache; of devices that are not here, what their plugins accept."""

import os

import numpy as np
import openvino as ov
import pytest

from engines.runtime import DEFAULT_PACK
from engines.runtime.backends import BackendOptions, create_backend
from engines.runtime.openvino_backend import OpenVinoBackend, device_properties, parallel_streams
from installation.config import EngineConfig
from installation.errors import EngineError

CORE = ov.Core()


def property_of(engine, name):
    return engine._requests[0].get_compiled_model().get_property(name)


def outputs_of(engine):
    inputs = {name: np.ones(spec.shape, np.float32) for name, spec in engine.inputs.items()}
    outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}
    engine.run(inputs, outputs)
    return outputs


@pytest.mark.parametrize(
    ("device", "precision"),
    [("CPU", "f32"), ("CPU", "bf16"), ("GPU", "f32"), ("GPU", "f16"), ("NPU", None)],
)
def test_every_property_is_one_that_the_devices_plugin_takes(device, precision):
    """The wheel brings the plugins of all three; they know their properties without the hardware."""
    try:
        supported = CORE.get_property(device, "SUPPORTED_PROPERTIES")
    except RuntimeError as error:
        pytest.skip(f"this build of OpenVINO has no plugin for {device}: {error}")
    properties = device_properties(device, precision, threads=2)
    assert {name: supported.get(name) for name in properties} == dict.fromkeys(properties, "RW")
    ov.Core().set_property(device, properties)  # refuses values it does not know


def test_only_a_cpu_has_threads_to_give():
    assert device_properties("CPU", "f32", 3)["INFERENCE_NUM_THREADS"] == 3
    for device in ("GPU", "GPU.1", "NPU"):
        assert "INFERENCE_NUM_THREADS" not in device_properties(device, "f32", 3)


def test_a_device_that_is_not_here_is_named_beside_those_that_are():
    device = "GPU.7"
    with pytest.raises(EngineError, match=r"OpenVINO has no device 'GPU\.7' here; it has CPU"):
        create_backend("openvino", BackendOptions(device=device))


def test_the_configuration_reaches_the_back_end():
    backend = create_backend("openvino", EngineConfig(device="CPU", threads=1, precision="half").options())
    assert (backend.device, backend.threads, backend.precision) == ("CPU", 1, "half")


@pytest.mark.parametrize("capable", [["FP16", "INT8", "EXPORT_IMPORT"], ["FP16"]])
def test_a_device_without_float32_is_not_asked_for_it(monkeypatch, tmp_path, capable):
    """As NPUs are: they compute in 16 bits whatever one asks, and refuse to be asked for 32."""
    monkeypatch.setattr(OpenVinoBackend, "_capabilities", lambda self: capable)
    asked = []

    def told(device, precision, threads, streams):
        asked.append(precision)
        return device_properties(device, precision, threads, streams)

    monkeypatch.setattr("engines.runtime.openvino_backend.device_properties", told)
    for precision in ("full", "half"):
        engine = OpenVinoBackend(cache=tmp_path, precision=precision).compile(DEFAULT_PACK, "mapping", 1)
        assert engine.precision == "fp16"
        engine.close()
    assert asked == [None, None]


@pytest.mark.parametrize("threads", [1, 64])
def test_no_more_threads_than_cores(tmp_path, threads):
    engine = OpenVinoBackend(threads=threads, cache=tmp_path).compile(DEFAULT_PACK, "mapping", 1)
    assert property_of(engine, "INFERENCE_NUM_THREADS") == min(threads, os.cpu_count())
    assert property_of(engine, "NUM_STREAMS") == 1
    engine.close()


def test_graphs_of_many_tiny_products_get_one_thread(tmp_path):
    engine = OpenVinoBackend(threads=2, cache=tmp_path).compile(DEFAULT_PACK, "settle", 1)
    assert property_of(engine, "INFERENCE_NUM_THREADS") == 1
    engine.close()


@pytest.mark.parametrize(
    ("batch", "threads", "streams"),
    [(1, 1, 1), (1, 2, 1), (5, 1, 1), (5, 2, 2), (5, 3, 3), (5, 4, 1), (5, 5, 5), (5, 8, 1), (4, 2, 2), (2, 2, 2)],
)
def test_a_batch_is_parted_where_few_threads_stay_idle(batch, threads, streams):
    assert parallel_streams(batch, threads) == streams


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core computes nothing at once")
@pytest.mark.parametrize("precision", ["full", "half"])
def test_rows_computed_at_once_are_those_computed_alone(tmp_path, precision):
    """To the bit: each row is a request of its own, on one thread. In the order of the batch, at every address."""
    together = OpenVinoBackend(threads=2, cache=tmp_path, precision=precision).compile(DEFAULT_PACK, "mapping", 5)
    assert property_of(together, "NUM_STREAMS") == 2
    assert together.inputs["z"].shape[0] == together.outputs["w_plus"].shape[0] == 5
    alone = OpenVinoBackend(threads=1, cache=tmp_path, precision=precision).compile(DEFAULT_PACK, "mapping", 1)
    assert alone.precision == together.precision
    for seed in range(3):
        z = np.random.default_rng(seed).normal(size=together.inputs["z"].shape).astype(np.float32)
        five = np.zeros(together.outputs["w_plus"].shape, np.float32)
        one = np.zeros(alone.outputs["w_plus"].shape, np.float32)
        together.run({"z": z}, {"w_plus": five})
        for row, expected in zip(z, five, strict=True):
            alone.run({"z": row[None].copy()}, {"w_plus": one})
            np.testing.assert_array_equal(one[0], expected)
    for engine in (together, alone):
        engine.close()


@pytest.mark.parametrize(
    "damage", [lambda blob: blob[: len(blob) // 2], lambda blob: b"x" * len(blob), lambda blob: b""]
)
def test_what_was_compiled_is_kept_and_what_was_damaged_is_compiled_again(tmp_path, damage):
    def compiled():
        """Whether it came from the cache, and its numbers."""
        engine = OpenVinoBackend(threads=1, cache=tmp_path).compile(DEFAULT_PACK, "mapping", 1)
        found = property_of(engine, "LOADED_FROM_CACHE"), outputs_of(engine)["w_plus"]
        engine.close()
        return found

    cached, expected = compiled()
    assert not cached
    cached, kept = compiled()
    assert cached
    (blob,) = tmp_path.glob("*.blob")
    whole = blob.read_bytes()
    blob.unlink()  # OpenVINO maps the file: another one takes its place, nothing changes under a mapping
    blob.write_bytes(damage(whole))
    cached, again = compiled()
    assert not cached
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(again, expected)


def test_a_graph_that_is_none_is_told_in_a_sentence(tmp_path):
    (tmp_path / "mapping.onnx").write_bytes(b"no graph at all")
    with pytest.raises(EngineError, match=r"OpenVINO cannot compile .*mapping\.onnx: (?!Exception from)"):
        OpenVinoBackend(cache=tmp_path).compile(tmp_path, "mapping", 1)
