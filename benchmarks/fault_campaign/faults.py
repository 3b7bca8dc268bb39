"""The faults of the campaign, each with what must hold."""

from __future__ import annotations

import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sensor_msgs.msg import Image

from fault_campaign.observer import FAILING_CAMERA
from fault_campaign.trial import END, MIDDLE, NODES, START, Fault, Trial
from pilotnet_brain.driving.model.catalogue import resolve_model

_TIME_LIMIT = "^time limit"
_NO_MORE_BYTES = 200_000
_AT_ONCE_S = 1.0
"""The run ends by its own hand: the brain is told first."""
_RESULTS_FIRST_S = 3.0
"""A metrics node that is told to end completes the results, picture included, before it ends."""
_GUARDED_S = 0.6
"""Half a second, and the way to the observer."""
_CLOCK_STOOD_S = 2.8
_NODE_SILENT_S = 12.0
_RELAYED = ("--simulator", "none", "--camera-topic", FAILING_CAMERA)


def all_faults() -> list[Fault]:
    """Return the campaign: every node in every way at every moment, and the rest."""
    return [*_node_faults(), *_run_faults(), *_disk_and_memory_faults(), *_camera_faults()]


def _node_faults() -> list[Fault]:
    faults = []
    for node in NODES:
        for when in (START, MIDDLE, END):
            faults += [
                _killed(node, when, signal.SIGKILL),
                _killed(node, when, signal.SIGTERM),
                _held_up(node, when),
                _frozen(node, when),
            ]
    return faults


def _killed(node: str, when: str, number: signal.Signals) -> Fault:
    ending = f"{'command_guard' if node == 'guard' else node} node ended|stopped by|{_TIME_LIMIT}"
    stop_s = _GUARDED_S if node == "brain" else _AT_ONCE_S
    if (node, number) == ("metrics", signal.SIGTERM):
        stop_s = _RESULTS_FIRST_S
    return Fault(
        f"{node} {number.name}",
        when,
        lambda trial: trial.signal(node, number),
        ending,
        stop_s,
        bag=when != START,
    )


def _held_up(node: str, when: str) -> Fault:
    def do(trial: Trial) -> None:
        trial.signal(node, signal.SIGSTOP)
        time.sleep(1.0)
        trial.signal(node, signal.SIGCONT)

    stop_s = _GUARDED_S if node == "brain" else None
    return Fault(f"{node} SIGSTOP for 1 s", when, do, _TIME_LIMIT, stop_s)


def _frozen(node: str, when: str) -> Fault:
    name = "command_guard" if node == "guard" else node
    # Nobody watches the guard; and a run whose end has come ends by its own rule.
    ending = f"{name} node does not answer|{_TIME_LIMIT}"
    stop_s = {
        "brain": _GUARDED_S,
        "simulator": _CLOCK_STOOD_S,
        "guard": None,
    }.get(node, _NODE_SILENT_S)
    return Fault(
        f"{node} SIGSTOP",
        when,
        lambda trial: trial.signal(node, signal.SIGSTOP),
        ending,
        stop_s,
        bag=when != START,
    )


def _run_faults() -> list[Fault]:
    signals = {signal.SIGINT: (130,), signal.SIGTERM: (143,), signal.SIGKILL: (-9,)}

    def send(number: int) -> Callable[[Trial], None]:
        return lambda trial: trial.process.send_signal(number)

    faults = [
        Fault(
            f"the run itself {number.name}", MIDDLE, send(number), "^stopped by", _AT_ONCE_S,
            status,
        )
        for number, status in signals.items()
    ]  # fmt: skip
    faults.append(
        Fault("a second run at once", MIDDLE, _second_run, _TIME_LIMIT, more=_second_was_refused)
    )
    faults.append(
        Fault(
            "clock and car put back", MIDDLE,
            lambda trial: trial.observer.reset_simulator(), _TIME_LIMIT,
        )
    )  # fmt: skip
    own = "/tmp/pilotnet_faults_model.pt"
    shutil.copy(resolve_model("tiny_quant"), own)
    faults.append(
        Fault(
            "the model file overwritten", MIDDLE,
            lambda trial: Path(own).write_bytes(b"\0" * 1000), _TIME_LIMIT,
            options=("--model", own),
        )
    )  # fmt: skip
    return faults


def _second_run(trial: Trial) -> None:
    second = trial.start_run(trial.root / "second")
    second.wait(60.0)
    (trial.root / "second.status").write_text(str(second.returncode))


def _second_was_refused(trial: Trial) -> list[str]:
    status = (trial.root / "second.status").read_text()
    return [] if status == "2" else [f"the second run ended with status {status}"]


def _disk_and_memory_faults() -> list[Fault]:
    def full_for(node: str) -> Callable[[Trial], None]:
        def do(trial: Trial) -> None:
            pid = trial.pid(node)
            if pid is not None:
                # As on a full disk: a file grows no more from here on.
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (_NO_MORE_BYTES, _NO_MORE_BYTES))

        return do

    small = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    ended = "time limit|nothing came|never set off|no pose|no node of the run is heard"
    return [
        Fault("no more room for the bag", MIDDLE, full_for("recorder"), _TIME_LIMIT),
        Fault(
            "no more room for the results", MIDDLE,
            lambda trial: resource.prlimit(
                trial.pid("metrics") or 0, resource.RLIMIT_FSIZE, (2000, 2000)
            ),
            "metrics node ended|time limit|stopped", _RESULTS_FIRST_S, rows=False,
        ),
        Fault(
            "/dev/shm of 1 MiB", START, lambda trial: None, ended,
            wrapper=("unshare", "-m", "sh", "-c", small, "sh"),
        ),
        Fault(
            "network interfaces down", START, lambda trial: None, ended,
            wrapper=("unshare", "-n"), options=("--waiting-limit", "20"),
        ),
    ]  # fmt: skip


def _camera_faults() -> list[Fault]:
    def dead_for(pause_s: float) -> Callable[[Trial], None]:
        def do(trial: Trial) -> None:
            trial.observer.relay = lambda image: []
            time.sleep(pause_s)
            trial.observer.relay = lambda image: [image]

        return do

    def twice(trial: Trial) -> None:
        trial.observer.relay = lambda image: [image, image]

    def reordered(trial: Trial) -> None:
        held: list[Image] = []

        def swap(image: Image) -> list[Image]:
            held.append(image)
            return [held.pop(), held.pop()] if len(held) == 2 else []

        trial.observer.relay = swap

    faults = [
        Fault(
            f"camera dead for {pause_s:g} s", MIDDLE, dead_for(pause_s), _TIME_LIMIT,
            _GUARDED_S + 0.1 if pause_s > 0.6 else None, options=_RELAYED, simulator=True,
        )
        for pause_s in (0.3, 1.0, 5.0)
    ]  # fmt: skip
    for name, do in (("frames twice", twice), ("frames in the wrong order", reordered)):
        faults.append(
            Fault(
                name, MIDDLE, do, _TIME_LIMIT, options=_RELAYED, simulator=True, more=_late_counted
            )
        )
    return faults


def _late_counted(trial: Trial) -> list[str]:
    folder = trial.folder()
    late = 0 if folder is None else (folder.read_metrics() or {}).get("frames_late")
    return [] if isinstance(late, int) and late > 5 else [f"{late} late frames counted"]
