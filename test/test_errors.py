"""Warnings about inputs reach the one who asked for them: once, and no others."""

import warnings

import pytest

from pilotnet_brain.errors import InputWarning, input_warnings_to, input_warnings_told_before


def warn(text: str, kind: type[Warning] = InputWarning) -> None:
    warnings.warn(text, kind, stacklevel=2)


def test_a_text_is_told_once_wherever_it_comes_from() -> None:
    for _ in range(2):
        told: list[str] = []
        with input_warnings_to(told.append):
            for text in ("a", "b", "a"):
                warn(text)
            with warnings.catch_warnings():
                warn("a")
            warn("b")
        assert told == ["a", "b"]


def test_what_was_told_before_is_not_told_and_others_pass() -> None:
    told: list[str] = []
    with (
        pytest.warns(RuntimeWarning, match="another's"),
        input_warnings_to(told.append),
        input_warnings_told_before(),
    ):
        warn("an input")
        warn("another's", RuntimeWarning)
    assert told == []
