import io
import json

import pytest
from rich.console import Console

pytest.importorskip("rclpy")

from hot_path import camera_stream
from hot_path.tables import transport_table
from hot_path.transport import TransportFigures, bench_transport

from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment

pytestmark = pytest.mark.live


def test_frames_cross_two_processes():
    seen = []
    (figures,) = bench_transport([40.0], seconds=0.75, progress=seen.append)
    assert seen == [figures]
    assert figures.frames_published == 30
    # A busy machine may lose some at depth 1; the way is open if most arrive.
    assert figures.frames_lost <= 15
    assert 0.0 < figures.age_p50_s <= figures.age_p99_s
    assert 0.0 < figures.publish_p50_s <= figures.publish_p99_s
    assert json.loads(json.dumps(figures.to_dict()))["rate_hz"] == 40.0


@pytest.mark.parametrize(("rates", "seconds"), [([0.0], 1.0), ([20.0, -1.0], 1.0), ([20.0], 0.0)])
def test_rates_and_times_must_be_positive(rates, seconds):
    with pytest.raises(ValueError, match="positive"):
        bench_transport(rates, seconds)


def test_a_publisher_that_nobody_listens_to_gives_up(monkeypatch):
    # Fast DDS reads its profile once a process: later tests publish images from this one.
    for name, value in dds_environment(IMAGE_PUBLISHER).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(camera_stream, "_PEER_LIMIT_S", 0.2)
    assert camera_stream.main(["publish", "/nobody_listens_here"]) == camera_stream.NO_PEER


def test_the_table_shows_the_figures_and_what_was_not_measured():
    rows = [
        TransportFigures(100.0, 99.9, 1000, 3, 0.0021, 0.0048, 0.0004, 0.0009),
        TransportFigures(20.0, 20.0, 200, 200, None, None, 0.0004, 0.0009),
    ]
    console = Console(file=io.StringIO(), width=120)
    console.print(transport_table(rows))
    text = console.file.getvalue()
    for said in ("99.9", "1000", "2.100 (4.800)", "0.400 (0.900)", "-"):
        assert said in text
