"""Random circuits keep their promises, seed by seed."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pilotnet_brain.circuits.random_circuit import random_circuit

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_circuit_is_a_road_one_can_drive(seed):
    line = random_circuit(seed).centerline
    assert 200.0 <= line.length <= 1500.0
    stations = np.arange(0.0, line.length, 0.05)
    assert np.abs(line.curvature(stations)).max() <= 1.0 / 2.0 + 1e-3
    # A line that crossed itself would come back to a point after more than a hairpin's length.
    every_half_metre = stations[::10]
    points = line.position(every_half_metre)
    along = np.abs(np.subtract.outer(every_half_metre, every_half_metre))
    far_along = np.minimum(along, line.length - along) > 12.0
    assert cdist(points, points)[far_along].min() > 3.4


def test_the_same_seed_gives_the_same_circuit_and_others_differ():
    first, again, other = random_circuit(3), random_circuit(3), random_circuit(4)
    assert np.array_equal(first.centerline.points, again.centerline.points)
    assert first.asphalt_half_width == again.asphalt_half_width
    assert first.centerline.length != other.centerline.length


def test_both_turning_senses_are_drawn():
    totals = set()
    for seed in SEEDS:
        line = random_circuit(seed).centerline
        totals.add(np.sign(line.curvature(np.arange(0.0, line.length, 0.5)).sum()))
    assert totals == {-1.0, 1.0}


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="-1"):
        random_circuit(-1)
