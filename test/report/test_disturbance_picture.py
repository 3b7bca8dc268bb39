"""The picture of disturbed runs: a panel for each disturbance, a line for each model."""

import numpy as np
import pytest
from matplotlib.image import imread

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.report.disturbances import draw_disturbances
from pilotnet_brain.runs.disturbances import DISTURBANCES, DisturbanceError

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


def row(model, disturbance=UNDISTURBED, amount=0.0, finished=True, deviation=0.02):
    return {
        "model": model,
        "circuit": "montmelo",
        "disturbance": disturbance,
        "amount": amount,
        "finished": finished,
        "reason": "laps done",
        "position_deviation_mae": deviation,
    }


def pixels_of(path, rgb):
    image = imread(path)[..., :3]
    return int((np.abs(image - np.array(rgb) / 255.0).max(axis=-1) < 0.04).sum())


def test_each_model_has_its_line(tmp_path):
    one = [row("a"), row("a", "latency", 100.0), row("a", "latency", 200.0, finished=False)]
    two = [*one, row("b", deviation=0.05), row("b", "latency", 200.0, deviation=0.2)]
    first = draw_disturbances(one, tmp_path / "one.png")
    second = draw_disturbances(two, tmp_path / "two.png")
    assert pixels_of(first, BLUE) > 100 and pixels_of(first, ORANGE) == 0
    assert pixels_of(second, ORANGE) > 100


def test_runs_that_did_not_finish_have_no_deviation(tmp_path):
    def drawn(finished, name):
        amounts = (50.0, 100.0, 150.0, 200.0)
        rows = [row("a", "latency", amount, finished) for amount in amounts]
        return pixels_of(draw_disturbances(rows, tmp_path / name), BLUE)

    # One of the two lines, the share that finished, is there in any case.
    assert drawn(False, "none.png") < 0.75 * drawn(True, "all.png")


def test_all_disturbances_fit_into_a_small_file(tmp_path):
    rows = [row(model) for model in "abcdefghij"] + [
        row(model, name, amount, deviation=0.01 * number)
        for number, model in enumerate("abcdefghij")
        for name, disturbance in DISTURBANCES.items()
        for amount in disturbance.amounts
    ]
    path = draw_disturbances(rows, tmp_path / "all.png")
    height, width = imread(path).shape[:2]
    assert 1000 < width < 1600 and 600 < height < 1900
    assert path.stat().st_size < 500_000


def test_rows_without_or_of_unknown_disturbances_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no row is disturbed"):
        draw_disturbances([row("a")], tmp_path / "none.png")
    with pytest.raises(DisturbanceError, match="rain"):
        draw_disturbances([row("a", "rain", 1.0)], tmp_path / "rain.png")
