"""What CUDA adds to a network, as far as a CPU can run it: float16, and the choice."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from pilotnet_brain.driving.model.archive import ModelError, read_archive
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.file import load_forms
from pilotnet_brain.driving.model.forms import (
    FLOAT16_TOLERANCE,
    Runnable,
    fastest,
    half_precision,
    with_graphs,
)
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.self_test import frames_of, largest_difference
from pilotnet_brain.driving.model.torch_self_test import network_batch, run_on_frames
from pilotnet_brain.driving.pilot import Pilot

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_float16_gives_the_networks_outputs_within_its_digits(pilotnet_file, pixels):
    archive = read_archive(pilotnet_file)
    half = half_precision(archive, "cpu")
    outputs = run_on_frames(pilotnet_file, half.module, pixels, "cpu", channels_last=True)
    expected = archive.record.self_test.outputs
    # Outputs of an untrained network are of the size of 1, where float16's step is 1/1024.
    size = max(1.0, float(np.abs(expected).max()))
    assert 0.0 < largest_difference(outputs, expected) <= 4.0 * FLOAT16_TOLERANCE * size
    assert half.form.endswith("float16")


def test_float16_of_the_shipped_baseline_is_within_its_tolerance():
    archive = read_archive(resolve_model("baseline"))
    frames = frames_of(archive, archive.record)
    half = half_precision(archive, "cpu")
    outputs = run_on_frames(archive.path, half.module, frames, "cpu", channels_last=True)
    assert largest_difference(outputs, archive.record.self_test.outputs) <= FLOAT16_TOLERANCE


@pytest.fixture
def unusable_gpu(monkeypatch):
    """A GPU that torch sees and cannot use: the driver is too old, its memory is full..."""

    def refuse() -> None:
        raise RuntimeError("CUDA driver initialization failed")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_lazy_init", refuse)


def test_auto_drives_on_the_cpu_where_the_gpu_cannot_be_used(unusable_gpu, pilotnet_file):
    model = load_model(pilotnet_file, "auto")
    assert model.device == "cpu"
    assert "CUDA driver initialization failed" in model.note
    frame = np.full((480, 640, 3), 128, np.uint8)
    assert Pilot(model).drive(frame)[:2] == Pilot(load_model(pilotnet_file, "cpu")).drive(frame)[:2]


def test_a_gpu_that_was_asked_for_and_cannot_be_used_is_an_error(unusable_gpu, pilotnet_file):
    with pytest.raises(ModelError, match="cannot be run on cuda: CUDA driver initialization"):
        load_model(pilotnet_file, "cuda")


class _Clock:
    """A clock that goes on by a network's own time whenever that network runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def form(self, name: str, durations) -> Runnable:
        ever = itertools.cycle(durations)

        def network(batch: torch.Tensor) -> torch.Tensor:
            self.now += next(ever)
            return torch.zeros(1, 2)

        return Runnable(network, name, channels_last=True)


def test_the_fastest_by_the_median_is_chosen():
    clock = _Clock()
    forms = [
        clock.form("steady", [2.0]),
        clock.form("mostly quick", [1.0, 1.0, 1.0, 90.0]),
        clock.form("mostly slow", [0.1, 3.0, 3.0]),
    ]
    batch = torch.zeros(1, 3, 66, 200)
    assert fastest(forms, batch, "cpu", clock).form == "mostly quick"


def test_forms_take_turns_so_that_a_slow_spell_falls_on_all():
    clock = _Clock()
    order = []

    def noted(form: Runnable) -> Runnable:
        return Runnable(lambda x: order.append(form.form) or form.module(x), form.form, True)

    forms = [noted(clock.form(name, [1.0])) for name in "ab"]
    fastest(forms, torch.zeros(1, 3, 2, 2), "cpu", clock)
    blocks = [name for name, _ in itertools.groupby(order)]
    assert blocks == ["a", "b"] * (len(blocks) // 2)
    assert len(blocks) >= 4


def test_a_form_with_a_buffer_of_its_own_gets_the_frame_there():
    buffer = torch.zeros(1, 3, 66, 200)
    seen = []

    def network(batch: torch.Tensor) -> torch.Tensor:
        seen.append((batch is buffer, float(batch.mean())))
        return torch.zeros(1, 2)

    fastest([Runnable(network, "graph", True, buffer)], torch.full_like(buffer, 0.5), "cpu")
    assert set(seen) == {(True, 0.5)}


def test_the_pilot_fills_a_models_own_buffer(pilotnet_file):
    model = load_model(pilotnet_file, "cpu")
    buffer = torch.zeros(1, 3, 66, 200).contiguous(memory_format=torch.channels_last)
    given = []

    def network(batch: torch.Tensor) -> torch.Tensor:
        given.append(batch is buffer)
        return model.module(buffer)

    frame = np.random.default_rng(4).integers(0, 256, (480, 640, 3), np.uint8)
    buffered = Pilot(replace(model, module=network, batch=buffer)).drive(frame)
    assert buffered.outputs == pytest.approx(Pilot(model).drive(frame).outputs, abs=1e-6)
    assert given == [True]


def test_on_the_cpu_there_is_one_form(pilotnet_file):
    assert [model.form for model in load_forms(pilotnet_file, "cpu")] == [
        "frozen, input norm folded, channels last"
    ]


@needs_gpu
def test_on_cuda_every_form_gives_the_networks_outputs(pilotnet_file, pixels):
    models = load_forms(pilotnet_file, "cuda")
    assert len(models) == 4
    assert sum("CUDA graph" in model.form for model in models) == 2
    expected = models[0].record.self_test.outputs
    for model in models:
        outputs = run_on_frames(model.path, model.module, pixels, "cuda", channels_last=True)
        assert largest_difference(outputs, expected) <= 4.0 * FLOAT16_TOLERANCE


@needs_gpu
def test_what_cannot_be_captured_is_left_out():
    def waits(batch: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 2), float(batch.sum()), device="cuda")  # float() waits: no capture

    form = Runnable(waits, "waits", True)
    batch = network_batch(np.zeros((66, 200, 3), np.uint8), "cuda", channels_last=True)
    assert with_graphs([form], batch) == [form]
