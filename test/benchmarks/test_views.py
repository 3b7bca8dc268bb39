"""The bench of the views times each of them."""

import numpy as np
from hot_path.tables import views_table
from hot_path.views import bench_views
from rich.console import Console


def test_every_view_is_timed_and_the_first_is_the_plain_one():
    frames = np.random.default_rng(0).integers(0, 256, (2, 480, 640, 3), np.uint8)
    costs = bench_views(list(frames), blocks=1)
    assert len({cost.view for cost in costs}) == len(costs) == 6
    assert all(0.0 < c.preprocessing.median_s <= c.preprocessing.p99_s for c in costs)
    console = Console(record=True, width=120)
    console.print(views_table(costs))
    text = console.export_text()
    assert all(cost.view in text for cost in costs)
