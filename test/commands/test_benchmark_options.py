"""Options as the values of a plan's keys."""

from __future__ import annotations

import pytest

from pilotnet_brain.commands.benchmark import (
    amounts_by_disturbance,
    listed,
    repetitions_by_circuit,
)
from pilotnet_brain.errors import UserError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (None, None),
        ("drawn", "drawn"),
        ("0", [0]),
        ("0,1,2", [0, 1, 2]),
        ("0,12.5", [0, 12.5]),
        ("1,two", [1, "two"]),
    ],
)
def test_numbers_are_listed_and_words_stay_words(text, values):
    assert listed(text) == values


def test_circuits_have_repetitions_or_leave_them_to_the_plan():
    given = repetitions_by_circuit(["montreal=3", "my/lap.csv", "random-1..20=2"])
    assert given == {"montreal": 3, "my/lap.csv": None, "random-1..20": 2}
    assert repetitions_by_circuit(None) is None


def test_disturbances_have_amounts_or_their_own():
    assert amounts_by_disturbance(["latency=50,100", "camera_noise"]) == {
        "latency": [50, 100], "camera_noise": None,
    }  # fmt: skip


def test_what_is_given_twice_is_refused():
    with pytest.raises(UserError, match="--disturbance latency is given twice"):
        amounts_by_disturbance(["latency=50", "latency=100"])
