"""The lock-step bench times whole laps, each by the clock and by the processor's."""

import pytest
from hot_path.lockstep import bench_lockstep

from pilotnet_brain.circuits.catalogue import UnknownCircuitError
from pilotnet_brain.driving.model.catalogue import UnknownModelError


def test_every_circuit_is_timed(int8_file):
    speeds = bench_lockstep(["nurburgring", "random-1"], str(int8_file), time_limit_s=3.0)
    assert [speed.circuit for speed in speeds] == ["nurburgring", "random-1"]
    for speed in speeds:
        assert speed.model == "int8"
        assert 0.0 < speed.simulated_s <= 3.1
        assert 0.0 < speed.times_real_time_p1 <= speed.times_real_time_p50
        assert speed.times_cpu_time > 0.0


def test_an_unknown_circuit_or_model_is_refused():
    with pytest.raises(UnknownCircuitError, match="monaco"):
        bench_lockstep(["nurburgring", "monaco"])
    with pytest.raises(UnknownModelError, match="no_such_model"):
        bench_lockstep(["nurburgring"], "no_such_model")
