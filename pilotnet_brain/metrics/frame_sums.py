"""What the brain did on a row of frames, as sums: a run of hours takes no more memory."""

from __future__ import annotations

import math
from collections import Counter, deque

from pilotnet_brain.metrics.duration_histogram import DurationHistogram
from pilotnet_brain.metrics.frame_record import FrameRecord

EDGE_FRAMES = 10
"""The mean inference time leaves out this many frames at each end, as BehaviorMetrics does."""
PROBLEMS = ("late", "broken", "failed")

ModelFigures = dict[str, float | int | str | None]
"""What one model did in one stretch of a run; see `ModelStretch`."""
FrameFigures = dict[str, float | int | str | list[ModelFigures] | None]


_LARGEST = 1e100
_LONGEST_GAP_MS, _FEWEST_GAPS, _NOT_RARE = 1000, 20, 0.05


def measured(value: float | None) -> float | None:
    """Return a value whose sums, squares and quotients stay finite; None: nothing measured that."""
    plausible = value is not None and (value == 0.0 or 1 / _LARGEST < abs(value) < _LARGEST)
    return value if plausible else None


class Mean:
    """The mean of the values that are known."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float | None) -> None:
        """Take one value, unless it is not `measured`."""
        if (value := measured(value)) is not None:
            self._sum += value
            self._count += 1

    @property
    def value(self) -> float | None:
        """The mean; None of nothing."""
        return float(self._sum / self._count) if self._count else None


class MiddleMean:
    """The mean of the known values without the first and the last EDGE_FRAMES."""

    def __init__(self) -> None:
        self._first = 0
        self._last: deque[float] = deque()
        self._mean = Mean()

    def add(self, value: float | None) -> None:
        """Take the next value, unless it is not `measured`."""
        if (value := measured(value)) is None:
            return
        if self._first < EDGE_FRAMES:
            self._first += 1
            return
        self._last.append(value)
        if len(self._last) > EDGE_FRAMES:
            self._mean.add(self._last.popleft())

    @property
    def value(self) -> float | None:
        """The mean; None where the edges are all there is."""
        return self._mean.value


class Suddenness:
    """The mean Euclidean distance between successive normalized outputs (0..1 each).

    As BehaviorMetrics defines it (suddenness_distance: its brains take the distances, its pilot
    their mean). A frame without outputs is left out; fewer than two outputs give None, where
    BehaviorMetrics says 0.
    """

    def __init__(self) -> None:
        self._latest: tuple[float, float] | None = None
        self._steps = Mean()

    def add(self, outputs: tuple[float, float] | None) -> None:
        """Take the next frame's outputs."""
        if outputs is None or None in map(measured, outputs):
            return
        if self._latest is not None:
            self._steps.add(math.dist(self._latest, outputs))
        self._latest = outputs

    @property
    def value(self) -> float | None:
        """The mean step."""
        return self._steps.value


class StampGaps:
    """How many frames are missing in a row of stamps, by the camera's constant rate."""

    def __init__(self) -> None:
        self._last_ms: int | None = None
        self._gaps: Counter[int] = Counter()

    def add(self, stamp_s: float) -> None:
        """Take the next frame's stamp, in order."""
        stamp_ms = round(1e3 * stamp_s)
        if self._last_ms is not None and 0 < stamp_ms - self._last_ms <= _LONGEST_GAP_MS:
            self._gaps[stamp_ms - self._last_ms] += 1
        self._last_ms = stamp_ms

    @property
    def missing(self) -> int | None:
        """The frames that must lie in the gaps up to a second; None of too few frames.

        The camera's period is the shortest gap that is not rare.
        """
        total = self._gaps.total()
        if total < _FEWEST_GAPS:
            return None
        period = min(gap for gap, count in self._gaps.items() if count >= _NOT_RARE * total)
        return sum(count * max(0, round(gap / period) - 1) for gap, count in self._gaps.items())


class Takeovers:
    """How often and for how long a person had taken over, in a row of frames."""

    def __init__(self) -> None:
        self.count, self.time_s = 0, 0.0
        self._before: FrameRecord | None = None

    def add(self, record: FrameRecord) -> None:
        """Take the next driven frame, in order."""
        before, self._before = self._before, record
        if before is not None and before.taken_over:
            self.time_s += max(0.0, min(record.stamp_s - before.stamp_s, _LONGEST_GAP_MS * 1e-3))
        self.count += record.taken_over and not (before is not None and before.taken_over)


class ModelStretch:
    """What one model did while no other drove; the mean times are those of `FrameSums`."""

    def __init__(self, first: FrameRecord) -> None:
        self.model = first.model, first.device
        self._since_s = first.stamp_s
        self._driven = 0
        self._inference, self._callback = MiddleMean(), Mean()

    def add(self, record: FrameRecord) -> None:
        """Take the next frame of this model."""
        if record.driven:
            self._driven += 1
            self._inference.add(record.inference_s)
            self._callback.add(record.callback_s)

    def figures(self) -> ModelFigures:
        """Return the model's entry in ``models``."""
        name, device = self.model
        return {
            "name": name,
            "device": device,
            "since_s": self._since_s,
            "frames_driven": self._driven,
            "mean_inference_time": self._inference.value,
            "mean_callback_time": self._callback.value,
        }


class FrameSums:
    """The sums of a row of frame records, taken one after the other in order of their stamps."""

    def __init__(self) -> None:
        self.count = self.driven = 0
        self._first: FrameRecord | None = None
        self._last: FrameRecord | None = None
        self._model = self._device = ""
        self._noted = dict.fromkeys(PROBLEMS, 0)
        self._inference, self._preprocess, self._callback = MiddleMean(), Mean(), Mean()
        self._inference_times = DurationHistogram()
        self._ages, self._stamps_to_commands = DurationHistogram(), DurationHistogram()
        self._compensated = DurationHistogram()
        self._suddenness = Suddenness()
        self._takeovers = Takeovers()
        self._gaps = StampGaps()
        self._stretches: list[ModelStretch] = []

    def add(self, record: FrameRecord) -> None:
        """Take the next record."""
        self.count += 1
        self._first, self._last = self._first or record, record
        self._model, self._device = record.model or self._model, record.device or self._device
        for problem in PROBLEMS:
            self._noted[problem] += record.problem.startswith(problem)
        self._inference.add(record.inference_s)
        self._inference_times.add(measured(record.inference_s))
        self._preprocess.add(record.preprocess_s)
        self._gaps.add(record.stamp_s)
        if record.driven:
            self._add_driven(record)
        self._add_to_stretch(record)

    def _add_driven(self, record: FrameRecord) -> None:
        self.driven += 1
        self._callback.add(record.callback_s)
        self._ages.add(measured(record.age_s))
        self._stamps_to_commands.add(measured(record.stamp_to_command_s))
        self._compensated.add(measured(record.compensated_s))
        self._suddenness.add(record.outputs)
        self._takeovers.add(record)

    def _add_to_stretch(self, record: FrameRecord) -> None:
        """A swap of the model while driving starts a stretch.

        A late frame's stamp says nothing about who was driving, and a broken one's may be
        anything: those do not count, nor do frames of an unnamed model.
        """
        if not record.model or not (record.driven or record.problem.startswith("failed")):
            return
        if not self._stretches or self._stretches[-1].model != (record.model, record.device):
            self._stretches.append(ModelStretch(record))
        self._stretches[-1].add(record)

    @property
    def received(self) -> int:
        """How many frames the brain received; its counter knows of those whose record was lost."""
        if self._first is None or self._last is None:
            return 0
        return max(self.count, self._last.frames_received - self._first.frames_received + 1)

    @property
    def missing(self) -> int | None:
        """How many frames are missing between the received ones; None if that cannot be told."""
        missing = self._gaps.missing
        return None if missing is None else max(0, missing - (self.received - self.count))

    def figures(self, real_time_s: float | None) -> FrameFigures:
        """Return the brain's figures over the frames; what was not measured is None.

        Args:
            real_time_s: real seconds of the same span, None if unknown.
        """
        callback = self._callback.value
        return {
            "brain_iteration_frequency": 1.0 / callback if callback else None,
            "brain_rate_hz": self.driven / real_time_s if self.driven and real_time_s else None,
            "mean_inference_time": self._inference.value,
            "inference_time_p50": self._inference_times.percentile(50),
            "inference_time_p99": self._inference_times.percentile(99),
            "mean_preprocess_time": self._preprocess.value,
            "mean_callback_time": callback,
            "frame_age_p50": self._ages.percentile(50),
            "frame_age_p99": self._ages.percentile(99),
            "stamp_to_command_p50": self._stamps_to_commands.percentile(50),
            "stamp_to_command_p99": self._stamps_to_commands.percentile(99),
            "delay_compensated_p50": self._compensated.percentile(50),
            "suddenness": self._suddenness.value,
            "takeovers": self._takeovers.count if self.count else None,
            "taken_over_s": self._takeovers.time_s if self.count else None,
            "model": self._model or None,
            "device": self._device or None,
            "models": [stretch.figures() for stretch in self._stretches] or None,
            "frames_driven": self.driven if self.count else None,
            "frames_received": self.received if self.count else None,
            **{f"frames_{problem}": self._counted(problem) for problem in PROBLEMS},
        }

    def _counted(self, problem: str) -> int | None:
        """Return how many frames had a problem, by the brain's counter and by the records.

        The counter also knows of frames whose record was lost; old bags have none of failed frames.
        """
        if self._first is None or self._last is None:
            return None
        first, last = (getattr(record, f"frames_{problem}") for record in (self._first, self._last))
        # The first record's own frame is counted in its counter already.
        own = self._first.problem.startswith(problem)
        return max(self._noted[problem], last - first + own)
