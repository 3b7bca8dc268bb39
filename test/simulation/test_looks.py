"""What a world looks like: plain, or drawn from a seed."""

from __future__ import annotations

from dataclasses import replace

from pilotnet_brain.simulation.looks import PLAIN, looks_of_seed, random_looks


def test_looks_that_are_named_by_a_seed_are_the_drawn_ones_with_a_line() -> None:
    without = 0
    for seed in range(1, 200):
        drawn, named = random_looks(seed), looks_of_seed(seed)
        assert named.line is not None
        assert replace(named, line=drawn.line) == drawn
        without += drawn.line is None
        assert drawn.line is None or named == drawn
    assert 5 < without < 40
    assert looks_of_seed(0) == PLAIN
