"""How many times real time a core drives in lock-step: simulator, network and metrics together."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pilotnet_brain.benchmark.workers import WorkerDied, call_in_processes
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.lockstep import drive_lockstep

INT8_MODEL = "static_quant"
"""What is timed where nothing else is asked for: PilotNet as int8."""
_IN_A_PROCESS_OF_ITS_OWN = 2


@dataclass(frozen=True)
class LockstepSpeed:
    """The pace of one lap: whole loop, one process of one thread.

    Attributes:
        circuit: its name.
        model: its name.
        simulated_s: how long the lap was, in simulated seconds.
        times_real_time_p50: simulated over real time of its simulated seconds, the median.
        times_real_time_p1: the same of the slowest hundredth of them.
        times_cpu_time: simulated time over the processor's time of the whole run, with building
            its world: the pace of one core, however busy the machine is with other things.
    """

    circuit: str
    model: str
    simulated_s: float
    times_real_time_p50: float
    times_real_time_p1: float
    times_cpu_time: float


def bench_lockstep(
    circuits: Sequence[str], model: str = INT8_MODEL, time_limit_s: float = 60.0
) -> list[LockstepSpeed]:
    """Drive a lap (or as much of it as the limit lets) of each circuit and time it.

    Args:
        circuits: names or paths.
        model: name or path.
        time_limit_s: simulated seconds after which a lap is cut short.

    Raises:
        UserError: an unknown circuit or model, an unfit file; or a run's process died.
    """
    for circuit in circuits:
        load_circuit(circuit)
    path = resolve_model(model)
    load_model(path, "cpu")
    # Not here: a process that has drawn before keeps the number of its drawing threads.
    timed = functools.partial(_timed, model=str(path), time_limit_s=time_limit_s)
    speeds: dict[str, LockstepSpeed] = {}
    for circuit in circuits:
        for _, speed in call_in_processes(timed, [circuit], _IN_A_PROCESS_OF_ITS_OWN):
            if isinstance(speed, WorkerDied):
                raise UserError(f"{circuit} could not be timed: {speed}")
            speeds[circuit] = speed
    return list(speeds.values())


def _timed(circuit: str, model: str, time_limit_s: float) -> LockstepSpeed:
    os.environ["LP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    pilot = Pilot(load_model(model, "cpu"))
    pilot.warm_up()
    readings: dict[int, float] = {}

    def note(row: TrajectoryRow) -> None:
        """Note the real time at the first row of every simulated second."""
        readings.setdefault(int(row.time_s), time.perf_counter())

    begin = time.process_time()
    metrics = RunMetrics(load_circuit(circuit), Rules(time_limit_s=time_limit_s))
    figures = drive_lockstep(metrics, lambda frame, *_: pilot.drive(frame), on_row=note)
    cpu_s = time.process_time() - begin
    simulated_s = float(figures["simulated_time_s"])  # type: ignore[arg-type]
    seconds = np.diff(list(readings.values()))
    p50, p1 = (1.0 / np.percentile(seconds, [50.0, 99.0])).tolist()
    return LockstepSpeed(metrics.circuit.name, pilot.model.name, simulated_s, p50, p1,
                         simulated_s / cpu_s)  # fmt: skip
