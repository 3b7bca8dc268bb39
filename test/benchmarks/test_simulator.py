"""The simulator's bench times what it says: every frame, on every circuit that was asked for."""

import pytest
from hot_path.simulator import bench_simulator

from pilotnet_brain.circuits.catalogue import UnknownCircuitError


def test_every_circuit_is_timed():
    speeds = bench_simulator(["nurburgring", "random-1"], frames=12)
    assert [speed.circuit for speed in speeds] == ["nurburgring", "random-1"]
    for speed in speeds:
        assert speed.frames == 12
        assert 0.0 < speed.frame_s_p50 <= speed.frame_s_p99
        assert 1.0 / speed.frame_s_p99 <= speed.frames_per_s


def test_an_unknown_circuit_is_refused():
    with pytest.raises(UnknownCircuitError, match="monaco"):
        bench_simulator(["nurburgring", "monaco"], frames=1)
