"""The bench of the instrument: a real show, a real player, real datagrams."""

import argparse

from installation.control_bench import bench_control, describe


def test_a_show_is_played_and_flooded(capfd):
    result = bench_control(argparse.Namespace(config=None, source="synthetic", pack=None, seconds=2.0))
    for show in result.values():
        assert show["control_ms"]["p50"] > 0.0
        assert show["control_to_swap_ms"]["p50"] > 0.0
    assert result["quiet"]["played"]["sent"] == 0
    played = result["flood"]["played"]
    assert played["sent"] > 1000
    assert played["last_wins"], played
    assert "the last value of each of 8 addresses won" in describe(result)[-1]
