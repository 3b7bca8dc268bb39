"""Networks are timed as driving runs them: in rounds, new pixels for every call."""

import itertools
import time

import numpy as np
import pytest
import torch

from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.torch_network import NetworkInput, TorchNetwork
from pilotnet_brain.learning.offline.timing import (
    WARM_CALLS,
    Durations,
    TimingPlan,
    all_threads,
    as_published,
    time_networks,
    warm_times,
)

SHAPE = (66, 200, 3)
PLAN = TimingPlan(rounds=2, calls=3, paced_calls=2)


@pytest.fixture
def frames() -> np.ndarray:
    return np.stack([np.full(SHAPE, value, np.uint8) for value in (0, 51, 255)])


def network_that(does):
    def network(batch):
        does(batch)
        return torch.zeros(1, 2)

    return network


def timed_network(network, channels_last=True):
    return TorchNetwork("timed", network, NetworkInput("cpu", SHAPE, channels_last))


@pytest.mark.parametrize("channels_last", [True, False])
def test_every_call_sees_its_own_frame_in_the_layout_asked_for(frames, channels_last):
    seen = []
    network = network_that(lambda x: seen.append(x.clone()))
    timed = timed_network(network, channels_last)
    warm_times([timed], frames, PLAN, print)
    assert [float(batch.mean()) for batch in seen[:3]] == pytest.approx([0.0, 0.2, 1.0])
    assert seen[0].shape == (1, 3, 66, 200)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert seen[0].is_contiguous(memory_format=layout)


def test_a_network_with_a_buffer_is_given_its_buffer(frames):
    buffer = torch.zeros(1, 3, 66, 200)
    seen = []
    network = network_that(lambda x: seen.append((x is buffer, float(x.mean()))))
    timed = TorchNetwork("buffered", network, NetworkInput("cpu", SHAPE, True, buffer))
    warm_times([timed], frames, PLAN, print)
    assert seen[:2] == [(True, 0.0), (True, pytest.approx(0.2))]


def test_networks_take_turns_and_warm_up(frames):
    order = []
    networks = [timed_network(network_that(lambda x, n=n: order.append(n))) for n in "ab"]
    time_networks(lambda: networks, frames, PLAN)
    blocks = [(name, len(list(calls))) for name, calls in itertools.groupby(order)]
    warm, paced = WARM_CALLS + PLAN.calls, WARM_CALLS + PLAN.paced_calls
    assert blocks == [(n, warm) for n in "abab"] + [(n, paced) for n in "ab"] + [
        (n, warm) for n in "abab"
    ]


def test_threads_are_set_and_come_back(frames):
    before = torch.get_num_threads()
    seen = []
    network = timed_network(network_that(lambda x: seen.append(torch.get_num_threads())))
    time_networks(lambda: [network], frames, PLAN)
    assert list(dict.fromkeys(seen)) == list(dict.fromkeys([1, all_threads()]))
    assert torch.get_num_threads() == before


def test_a_slower_network_takes_longer(frames):
    quick, slow = (timed_network(network_that(lambda x, s=s: time.sleep(s))) for s in (0.0, 0.02))
    times = time_networks(lambda: [quick, slow], frames, PLAN)
    for taken in (times[1].one_thread, times[1].all_threads, times[1].paced):
        assert 0.02 <= taken.median_s <= taken.p99_s
    assert times[0].one_thread.median_s < times[1].one_thread.median_s


def test_the_published_form_is_the_traced_network_itself(tiny_file, frames):
    model = load_model(tiny_file, "cpu")
    published, driven = as_published(tiny_file, model.record, "cpu"), model.network()
    for network in (published, driven):
        network.fill(frames[1])
    assert published.run() == pytest.approx(driven.run(), abs=1e-4)


def test_the_percentiles_of_a_hundred_and_one_steps_are_the_steps_themselves() -> None:
    """With 0..100 the p-th percentile is p, whatever the way of interpolating."""
    durations = Durations.of([float(step) for step in reversed(range(101))])
    assert (durations.median_s, durations.p99_s) == pytest.approx((50.0, 99.0))
