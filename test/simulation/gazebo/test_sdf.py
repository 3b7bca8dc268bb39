"""SDF elements: numbers survive, text is escaped, files are whole."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.simulation.gazebo.car import RosTopics
from pilotnet_brain.simulation.gazebo.classic_world import with_gazebo_ros
from pilotnet_brain.simulation.gazebo.sdf import read_xml, row, write_sdf


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=6))
def test_numbers_survive_to_a_micrometre(numbers: list[float]) -> None:
    text = row(*numbers)
    assert "e" not in text
    assert [float(part) for part in text.split()] == pytest.approx(numbers, rel=1e-12, abs=5.1e-7)


def test_whole_numbers_have_no_point() -> None:
    assert row(10.0, -3.0, 0.0) == "10 -3 0"


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_any_topic_is_read_back(text: str) -> None:
    camera = ElementTree.fromstring(with_gazebo_ros(RosTopics(camera=text)).to_sensor)
    assert camera.findtext("ros/remapping") == f"car/image_raw:={text}"


def test_a_written_document_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.sdf"
    write_sdf(path, "1.6", f'<model name="car"><pose>{row(1.0, 2.5)}</pose></model>')
    root = ElementTree.parse(path).getroot()
    assert root.get("version") == "1.6"
    assert root.findtext("model/pose") == "1 2.5"


@pytest.mark.parametrize("entity", [
    '"' + 9 * "&none;" + '"',
    'SYSTEM "/etc/hostname"',
])  # fmt: skip
def test_entities_of_other_files_or_without_end_are_refused(tmp_path: Path, entity: str) -> None:
    path = tmp_path / "hostile.world"
    path.write_text(f'<!DOCTYPE sdf [<!ENTITY some {entity}>]><sdf version="1.6">&some;</sdf>')
    with pytest.raises(ElementTree.ParseError):
        read_xml(path)


def test_a_small_file_that_expands_to_gigabytes_is_refused(tmp_path: Path) -> None:
    levels = [f'<!ENTITY e{n} "{10 * f"&e{n - 1};"}">' for n in range(1, 10)]
    laughs = f'<!DOCTYPE sdf [<!ENTITY e0 "{50 * "x"}">{"".join(levels)}]>'
    (tmp_path / "hostile.world").write_text(f'{laughs}<sdf version="1.6">&e9;</sdf>')
    with pytest.raises(ElementTree.ParseError, match="amplification"):
        read_xml(tmp_path / "hostile.world")
