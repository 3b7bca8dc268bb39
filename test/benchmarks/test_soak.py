"""A long run is judged by what it took."""

import pytest
from long_run.processes import Sample, Usage, usage_of
from long_run.results import costs_more


def samples(memory, processor_s):
    return [
        Sample(10.0 * i, {"metrics": memory(10.0 * i)}, {"metrics": processor_s(10.0 * i)})
        for i in range(721)
    ]


def test_a_run_that_costs_the_same_throughout_is_within_bounds():
    usage = usage_of(samples(lambda t: 100_000_000, lambda t: 0.2 * t))
    assert usage == [Usage("metrics", 100.0, 100.0, pytest.approx(12.0), pytest.approx(12.0))]
    assert costs_more(usage) == []


def test_memory_counts_from_the_tenth_minute_on():
    settling = samples(lambda t: int(1e8 + 1e5 * min(t, 600.0)), lambda t: 0.0)
    assert costs_more(usage_of(settling)) == []
    growing = samples(lambda t: int(1e8 + 1e3 * t), lambda t: 0.0)
    assert costs_more(usage_of(growing)) == ["metrics grew by 6.6 MB"]


def test_work_that_grows_with_the_run_is_beyond_bounds():
    usage = usage_of(samples(lambda t: 100_000_000, lambda t: 0.2 * t + 1e-5 * t**2))
    assert costs_more(usage) == ["metrics took 13.08 s a minute, then 19.56"]
