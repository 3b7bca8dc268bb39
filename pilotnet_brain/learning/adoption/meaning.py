"""What a network's input and outputs mean, as far as its file does not say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.errors import UserError


class AdoptionError(UserError):
    """A network that cannot be adopted; the text says what was found and what helps."""


@dataclass(frozen=True)
class Given:
    """One of a network's outputs, as it was given for a picture."""

    key: int | str  #: its place in a tuple, or its name
    numbers: int  #: how many it holds


@dataclass(frozen=True)
class Number:
    """One number of a network's outputs."""

    key: int | str  #: of the output
    place: int  #: in it, flattened

    def __str__(self) -> str:
        return f"number {self.place} of output {self.key!r}"


@dataclass(frozen=True)
class Meaning:
    """What a network's numbers stand for."""

    low: float = 0.0  #: what it takes black for...
    high: float = 1.0  #: ...and what it takes white for
    #: m/s that a network without a speed drives at; None: it gives one
    fixed_speed: float | None = None

    def commands(self, path: object, outputs: Sequence[Given]) -> tuple[Number | None, Number]:
        """Return which numbers are the speed and the yaw rate; a fixed speed is no number.

        An output of two numbers is both; two outputs of one number each are speed and yaw rate,
        in this order. Other outputs are left out.

        Raises:
            AdoptionError: the numbers are not as many.
        """
        pair = next((output for output in outputs if output.numbers == 2), None)
        singles = [output for output in outputs if output.numbers == 1]
        if self.fixed_speed is not None:
            if singles:
                return None, Number(singles[0].key, 0)
            if pair is not None:
                return None, Number(pair.key, 1)
        elif pair is not None:
            return Number(pair.key, 0), Number(pair.key, 1)
        elif len(singles) == 2:
            return Number(singles[0].key, 0), Number(singles[1].key, 0)
        found = ", ".join(f"{output.key!r} of {output.numbers}" for output in outputs)
        if len(singles) == 1:
            raise AdoptionError(
                f"{path}: it gives one number: say --fixed-speed, in m/s, if that is the yaw rate"
            )
        raise AdoptionError(
            f"{path}: its outputs are {found or 'none'}: one of two numbers, or two of one number "
            "each, are needed (speed and yaw rate)"
        )

    def fixed_output(self, output_range: OutputRange) -> float:
        """Return the normalized output that stands for the fixed speed."""
        assert self.fixed_speed is not None
        return (self.fixed_speed - output_range.speed_min) / output_range.speed_span

    def in_words(self, taken: str, numbers: tuple[Number | None, Number]) -> str:
        """Return how a network's input is taken, and what its numbers are."""
        speed = f"always {self.fixed_speed:g} m/s" if numbers[0] is None else str(numbers[0])
        return f"takes {taken}; speed: {speed}, yaw rate: {numbers[1]}"
