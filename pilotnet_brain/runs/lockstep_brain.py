"""The brain of a lock-step run: frames in, commands out, under the live brain's safety rules."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pilotnet_brain.driving.command import STOP, Command
from pilotnet_brain.driving.pilot import Drive
from pilotnet_brain.driving.watchdog import FrameWatchdog, Verdict
from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.runs.lockstep_camera import Arrival, Frame
from pilotnet_brain.simulation.car import CarState
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S

Driver = Callable[[Frame, CarState], Command | Drive]
"""From a frame and the true state it shows, which a network ignores, to what it leads to.

A network's driver returns its `Drive`: its outputs and durations then go into the figures.
"""


class LockstepBrain:
    """Has the driver answer new frames; stops the car when they stay away.

    Args:
        driver: who drives.
        latency_s: from a frame's arrival to its command's effect, simulated seconds.
        note: takes the record of every frame that came.
    """

    def __init__(
        self, driver: Driver, latency_s: float, note: Callable[[FrameRecord], object]
    ) -> None:
        self._driver = driver
        self._note_record = note
        self._watchdog = FrameWatchdog()
        self._latency_steps = round(latency_s / TIME_STEP_S)
        self._commands: deque[tuple[int, Command]] = deque()
        self._received = 0
        self._stopped = True

    def drive_by(self, arrivals: list[Arrival], step: int) -> None:
        """Answer the frames that came by this step, or stop the car when they stay away."""
        now_s = step * TIME_STEP_S
        self._watchdog.see_clock(now_s, now_s)
        for arrival in arrivals:
            self._received += 1
            verdict = self._watchdog.judge(arrival.state.time_s)
            if verdict is Verdict.DRIVE:
                self._drive(arrival, step)
            else:
                self._note(arrival, problem=f"late: {verdict.value}")
        if not self._stopped and self._watchdog.stop_reason(now_s) is not None:
            self._stopped = True
            self._commands.append((step + self._latency_steps, STOP))

    def due(self, step: int) -> list[Command]:
        """Return the commands that take effect by this step, each once, in order."""
        commands = []
        while self._commands and self._commands[0][0] <= step:
            commands.append(self._commands.popleft()[1])
        return commands

    def _drive(self, arrival: Arrival, step: int) -> None:
        begin = time.perf_counter()
        answer = self._driver(arrival.frame, arrival.state)
        callback_s = time.perf_counter() - begin
        self._watchdog.accept(arrival.state.time_s)
        self._stopped = False
        effect = step + self._latency_steps
        command, network = _parts(answer)
        self._commands.append((effect, command))
        self._note(
            arrival,
            driven=True,
            callback_s=callback_s,
            stamp_to_command_s=effect * TIME_STEP_S - arrival.state.time_s,
            speed=command.speed,
            yaw_rate=command.yaw_rate,
            **network,
        )

    def _note(self, arrival: Arrival, **known: Any) -> None:
        self._note_record(
            FrameRecord(
                stamp_s=arrival.state.time_s,
                frames_received=self._received,
                frames_late=self._watchdog.late_frames,
                **known,
            )
        )


def _parts(answer: Command | Drive) -> tuple[Command, dict[str, Any]]:
    """Return the command, and what a record says of the network that gave it, if one did."""
    if not isinstance(answer, Drive):
        return answer, {}
    return answer.command, {
        "preprocess_s": answer.preprocess_s,
        "inference_s": answer.inference_s,
        "outputs": answer.outputs,
    }
