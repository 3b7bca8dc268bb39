import pytest

from pilotnet_brain.learning.offline.durations import Durations


def test_the_percentiles_of_a_hundred_and_one_steps_are_the_steps_themselves() -> None:
    """With 0..100 the p-th percentile is p, whatever the way of interpolating."""
    durations = Durations.of([float(step) for step in reversed(range(101))])
    assert (durations.median_s, durations.p99_s) == pytest.approx((50.0, 99.0))
