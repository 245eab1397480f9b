"""The reader's thread: newest frame only, states, retries on a growing delay. A scripted camera, a virtual clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.devices.config import CameraConfig
from installation.devices.reader import FrameReader, retry_delay
from installation.devices.source import SourceState
from installation.errors import ConfigError, DeviceError

PATIENCE_S = 60.0  # bound of a wait that ends as soon as the other thread has done its part
CONFIG = CameraConfig()


def reader_of(source, clock, **options) -> FrameReader:
    return FrameReader(source, CONFIG, now=clock, wait=clock.wait, **options)


def run_script(source, clock) -> FrameReader:
    """Start a reader and return when its camera has nothing more to give and hangs."""
    reader = reader_of(source, clock)
    reader.start()
    assert source.exhausted.wait(PATIENCE_S)
    return reader


def test_delays_double_up_to_the_longest():
    assert [retry_delay(k, 0.5, 8.0) for k in range(7)] == [0.5, 1, 2, 4, 8, 8, 8]


@given(st.integers(0, 10_000), st.floats(0.05, 60), st.floats(0.05, 600))
def test_delays_never_exceed_the_longest(attempt, first, longest):
    assert 0 < retry_delay(attempt, first, longest) <= longest


def test_the_newest_picture_is_delivered_and_gaps_show_what_was_dropped(scripted, clock, cards):
    reader = run_script(scripted([0, 1, 2, 3]), clock)
    frame = reader.wait_newer(PATIENCE_S)
    assert (frame.frame_id, cards.number_of(frame.pixels)) == (4, 3)
    assert reader.wait_newer(0.0) is None  # not the same one twice
    assert reader.status().captured == 4


def test_pictures_are_rgb(scripted, clock):
    frame = run_script(scripted([5]), clock).wait_newer(PATIENCE_S)
    assert frame.pixels[0, 0].tolist() == [40, 200, 0]
    assert frame.pixels[0, -1].tolist() == [40, 0, 200]


def test_the_capture_time_travels_with_the_picture(scripted, clock):
    reader = run_script(scripted([0]), clock)
    assert reader.wait_newer(PATIENCE_S).captured_at == clock.now

    source = scripted([0])
    assert reader_of(source, clock).status().state is SourceState.OPENING
    reader = run_script(source, clock)
    assert reader.status().state is SourceState.LIVE
    clock.now += CONFIG.stall_after_s + 5.0
    status = reader.status()
    assert status.state is SourceState.STALLED
    assert "no picture for 6 s" in status.message
    assert reader.stuck_s == pytest.approx(6.0)


def test_liveness_is_the_age_of_the_newest_picture(scripted, clock):
    reader = run_script(scripted([0]), clock)
    clock.now += 0.4
    assert reader.status().age_s == pytest.approx(0.4)


def test_the_rate_is_measured(scripted, clock):
    def tick(number):
        def deliver():
            clock.now += 0.05
            return number

        return deliver

    reader = run_script(scripted([tick(k) for k in range(50)]), clock)
    assert reader.status().fps == pytest.approx(20.0, rel=0.01)


def test_an_unplugged_camera_is_opened_again_and_again_until_it_is_back(scripted, clock):
    source = scripted([0, DeviceError("gone"), 1], refuse=[])
    source.script[1] = lambda: source.refuse.extend([DeviceError("still gone")] * 5) or DeviceError("gone")
    reader = run_script(source, clock)
    assert reader.status().state is SourceState.LIVE
    pauses = [b - a for a, b in zip(source.opened_at, source.opened_at[1:], strict=False)]
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 8])
    assert source.closed == 6  # released before each new try


def test_a_long_life_makes_the_delays_short_again(scripted, clock):
    def live_on():
        clock.now += 60.0
        return 1

    source = scripted([DeviceError("a"), DeviceError("b"), DeviceError("c"), live_on, DeviceError("d"), 2])
    run_script(source, clock)
    last = source.opened_at[-1] - source.opened_at[-2]
    assert last == pytest.approx(60.0 + 0.5)


def test_while_it_waits_the_source_is_stalled_and_says_why(scripted, clock):
    seen = []
    source = scripted([], refuse=[DeviceError("it is in use by another program")])
    reader = FrameReader(
        source, CONFIG, now=clock, wait=lambda stop, seconds: seen.append(reader.status()) or clock.wait(stop, seconds)
    )
    reader.start()
    assert source.exhausted.wait(PATIENCE_S)
    assert seen[0].state is SourceState.STALLED
    assert seen[0].message == "it is in use by another program"


def test_what_can_never_work_is_raised_to_whoever_reads(scripted, clock):
    reader = reader_of(scripted([], refuse=[ConfigError("no such file")]), clock)
    reader.start()
    reader._thread.join(PATIENCE_S)
    with pytest.raises(ConfigError, match="no such file"):
        reader.wait_newer(0.0)
    assert reader.status().state is SourceState.FAILED


def test_a_bug_in_a_source_is_not_swallowed_with_its_thread(scripted, clock):
    reader = reader_of(scripted([ZeroDivisionError("bug")]), clock)
    reader.start()
    reader._thread.join(PATIENCE_S)
    with pytest.raises(ZeroDivisionError, match="bug"):
        reader.wait_newer(0.0)


def test_the_end_of_a_source_is_a_reason_to_open_it_again(scripted, clock, cards):
    reader = run_script(scripted([0, None, 7]), clock)
    assert cards.number_of(reader.wait_newer(PATIENCE_S).pixels) == 7


def test_pictures_before_a_failure_are_still_delivered(scripted, clock):
    reader = reader_of(scripted([3, ConfigError("file cut short")]), clock)
    reader.start()
    reader._thread.join(PATIENCE_S)
    assert reader.wait_newer(0.0).frame_id == 1
    with pytest.raises(ConfigError):
        reader.wait_newer(0.0)


def test_stopping_while_a_driver_hangs_does_not_wait_for_it(scripted, clock):
    source = scripted([0])
    reader = run_script(source, clock)
    assert not reader.stop(0.0)
    source.let_go()
    assert reader.stop(PATIENCE_S)
    assert source.closed


def test_another_size_in_the_middle_is_passed_on(scripted, clock):
    source = scripted([])
    sizes = iter([(64, 48), (32, 24), (640, 360)])
    source.read_plain = source.read

    def read():
        from installation.devices.source import Shot

        try:
            width, height = next(sizes)
        except StopIteration:
            return source.read_plain()
        import numpy as np

        return Shot(np.zeros((height, width, 3), np.uint8), clock())

    source.read = read
    reader = run_script(source, clock)
    assert reader.wait_newer(PATIENCE_S).pixels.shape == (360, 640, 3)
