"""Checks whatever can be checked of a run before a process of it starts."""

from __future__ import annotations

import os
import shutil
import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from pilotnet_brain.bags.reader import BagLibraryMissing
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.driving.model.catalogue import read_manifest, resolve_model
from pilotnet_brain.driving.model.load import check_runtime, load_model
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.metrics.reference_lap import read_reference_lap_of
from pilotnet_brain.runs.ros_environment import check_ros_environment, check_text
from pilotnet_brain.runs.spec import RunSpec, parse_disturbance
from pilotnet_brain.teleop.joystick import find_joystick
from pilotnet_brain.teleop.terminal_keys import open_terminal
from pilotnet_brain.user_path import user_path


def check_run(spec: RunSpec) -> None:
    """Check that a run's files, programs and devices are there and fit.

    Raises:
        UserError: an environment that ROS 2 cannot start in; unknown circuit, model or disturbance;
            a circuit too far away for Gazebo; a model file that is damaged, unfit to drive with, or
            differs from the manifest's; a reference lap that does not exist or is of another
            circuit; a device, an RViz, a Gazebo or a gazebo_msgs that this machine does not have;
            another Gazebo on the port; a missing keyboard or joystick; an argument that the
            simulator does not take.
    """
    if not spec.in_process:
        check_ros_environment()
        _check_names(spec)
    circuit = None
    # `ros2 launch` runs on ROS' own Python, which may lack the library; the nodes have it.
    with suppress(BagLibraryMissing):
        circuit = load_circuit(spec.circuit)
        if spec.reference_lap:
            read_reference_lap_of(circuit, spec.reference_lap)
    _check_model(spec)
    if spec.disturbance:
        from pilotnet_brain.runs.disturbances import find_disturbance

        name, amount = parse_disturbance(spec.disturbance)
        find_disturbance(name).check(amount)
    if spec.pose_source == "model_states" and find_spec("gazebo_msgs") is None:
        raise UserError("pose_source model_states needs gazebo_msgs: install it, or use odom")
    for argument in ("world", "car_file"):
        path = getattr(spec, argument)
        if path and not user_path(path).is_file():
            raise UserError(f"{argument} {path}: there is no such file")
    if spec.simulator in ("gazebo", "gz"):
        _check_for_gazebo(spec, circuit)
    elif spec.world and circuit is not None:
        _check_scenery(spec.world, circuit)
    if spec.teleop == "keyboard":
        os.close(open_terminal())
    elif spec.teleop == "joy":
        find_joystick()
    if spec.rviz and shutil.which("rviz2") is None:
        raise UserError("rviz: rviz2 is not installed; install ROS's rviz2 or leave rviz out")
    if spec.device == "cuda" and not _has_cuda_driver():
        raise UserError("device cuda: this machine has no NVIDIA driver; use device cpu or auto")


def _check_names(spec: RunSpec) -> None:
    """Check the paths that nodes are given as parameters, as they are given them."""
    whole = spec.with_absolute_paths()
    check_text("circuit", whole.circuit)
    check_text("model", whole.model)
    check_text("world", whole.world)
    check_text("car_file", whole.car_file)
    check_text("output", str(user_path(spec.output).absolute()))


def _check_model(spec: RunSpec) -> None:
    """Load and test a model of the user's; a signed one was tested when it was signed.

    The brain tests every model again, but by then the simulator has started, too.
    """
    path = resolve_model(spec.model, trust=spec.trust_model)
    archive = read_archive(path)
    check_runtime(archive, spec.runtime)
    if archive.sha256 not in {entry.sha256 for entry in read_manifest(path.parent).values()}:
        with suppress(ImportError):  # of torch: the nodes' Python has it
            from pilotnet_brain.driving.model.errors import WrittenDeviceError

            try:
                load_model(path, "cpu", runtime=spec.runtime)
            except WrittenDeviceError:
                if spec.in_process or spec.device == "cpu" or not _has_cuda_driver():
                    raise


def _check_for_gazebo(spec: RunSpec, circuit: Circuit | None) -> None:
    # Here, because they bring trimesh, and with it a third of a second to every other run.
    from pilotnet_brain.simulation.gazebo.circuit import check_reach
    from pilotnet_brain.simulation.gazebo.classic_server import check_gazebo
    from pilotnet_brain.simulation.gazebo.errors import NotInstalled
    from pilotnet_brain.simulation.gazebo.sim import check_gz

    if circuit is not None and not (spec.world or spec.attach):
        check_reach(circuit)
    if spec.simulator == "gz" and spec.pose_source != "odom":
        raise UserError(f"pose_source {spec.pose_source} is Gazebo Classic's: use odom for gz")
    if spec.attach:
        return
    try:
        if spec.simulator == "gazebo":
            check_gazebo(spec.gui)
        else:
            check_gz(spec.gui)
    except NotInstalled as problem:
        raise UserError(f"{problem}{_other_gazebo(spec.simulator)}") from None


def _check_scenery(world: str, circuit: Circuit) -> None:
    """Check that a world can be shown, with a road under the circuit; say what it lacks."""
    from pilotnet_brain.simulation.scenery import read_scenery

    missing = read_scenery(world, circuit).scene.missing
    if missing:
        text = f"{world}: not shown, since they were not found: {', '.join(missing)}"
        warnings.warn(text, InputWarning, stacklevel=2)


def _other_gazebo(simulator: str) -> str:
    """Return how to ask for the Gazebo that is installed instead of another one."""
    from pilotnet_brain.simulation.gazebo.sim import has_gazebo_sim

    if simulator == "gz" and shutil.which("gzserver"):
        return "; this machine has Gazebo Classic: simulator gazebo"
    if simulator == "gazebo" and has_gazebo_sim():
        return "; this machine has Gazebo Sim: simulator gz"
    return ""


def _has_cuda_driver() -> bool:
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap"))
