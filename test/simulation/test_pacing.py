"""Simulated time keeps step with real time, and slips where it cannot."""

from __future__ import annotations

import pytest

from pilotnet_brain.simulation.pacing import Pacer


class FakeClock:
    """Real time as the test has it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("rtf", [0.5, 1.0, 4.0])
def test_a_machine_with_time_to_spare_reaches_the_asked_factor(rtf: float) -> None:
    clock = FakeClock()
    pacer = Pacer(rtf, clock)
    simulated = 0.0
    for _ in range(400):
        simulated += 0.005
        clock.now += max(0.0, pacer.wait_s(simulated))
        pacer.measure(simulated)
    assert pacer.real_time_factor == pytest.approx(rtf, rel=1e-6)


def test_a_short_delay_is_caught_up() -> None:
    clock = FakeClock()
    pacer = Pacer(1.0, clock)
    pacer.wait_s(0.0)
    clock.now += 0.05
    assert pacer.wait_s(0.005) < 0.0
    assert pacer.wait_s(0.1) == pytest.approx(0.05)


def test_a_long_delay_is_given_up() -> None:
    clock = FakeClock()
    pacer = Pacer(1.0, clock)
    pacer.wait_s(0.0)
    clock.now += 5.0
    assert pacer.wait_s(0.005) == pytest.approx(0.0)
    assert pacer.wait_s(0.010) == pytest.approx(0.005)


def test_a_machine_at_half_speed_says_so() -> None:
    clock = FakeClock()
    pacer = Pacer(1.0, clock)
    simulated = 0.0
    for _ in range(800):
        simulated += 0.005
        clock.now += max(0.0, pacer.wait_s(simulated)) + 0.010
        pacer.measure(simulated)
    assert pacer.real_time_factor == pytest.approx(0.5, rel=0.05)


def test_after_a_reset_nothing_is_owed() -> None:
    clock = FakeClock()
    pacer = Pacer(1.0, clock)
    pacer.wait_s(50.0)
    pacer.restart()
    assert pacer.wait_s(0.005) == pytest.approx(0.0)
    assert pacer.real_time_factor is None
