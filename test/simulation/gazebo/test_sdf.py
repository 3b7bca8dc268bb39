"""SDF elements: numbers survive, text is escaped, files are whole."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.simulation.gazebo.sdf import document, tag, write_xml


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=6))
def test_numbers_survive_to_a_micrometre(numbers: list[float]) -> None:
    text = tag("pose", numbers).text
    assert "e" not in text
    assert [float(part) for part in text.split()] == pytest.approx(numbers, rel=1e-12, abs=5.1e-7)


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (10.0, "10")])
def test_truth_values_and_whole_numbers(value: float, text: str) -> None:
    assert tag("static", value).text == text


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_any_text_is_read_back(text: str) -> None:
    element = tag("description", text, name=text)
    read = ElementTree.fromstring(ElementTree.tostring(element))
    assert (read.text or "") == text
    assert read.get("name") == text


def test_a_written_document_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.sdf"
    write_xml(path, document("1.6", tag("model", tag("pose", (1.0, 2.5)), name="car")))
    root = ElementTree.parse(path).getroot()
    assert root.get("version") == "1.6"
    assert root.findtext("model/pose") == "1 2.5"
