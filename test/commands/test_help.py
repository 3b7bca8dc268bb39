"""A group's help fits into 80 columns: no description is cut off."""

import pytest

from pilotnet_brain.cli import main


@pytest.mark.parametrize("verb", ["data", "models"])
def test_no_description_is_cut_off(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([verb, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.split("Commands:")[1]


@pytest.mark.parametrize(
    "command",
    ["data collect", "data show"]
    + [f"models {name}" for name in ("inspect", "time", "export", "sign", "card")],
)
def test_help_teaches_with_examples(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    assert f"  pilotnet {command}" in capsys.readouterr().out.split("Examples:")[1]
