"""The brain: every camera frame through the network, a velocity command out.

A lifecycle node that configures and activates itself (autostart). While it drives, another model
may be set: it is loaded and warmed up in a second thread, then swapped in between two frames.

The model is shown the road as its own camera would see it from where the car will be when the
command acts (`driving.camera`, `driving.delay`).

Subscribes to
  camera/image_raw    sensor_msgs/Image, or CompressedImage where that is what is published;
                                              newest frame only; best effort, reliable by parameter
  camera/camera_info  sensor_msgs/CameraInfo  one a published frame: counts the dropped ones, and
                                              says what the camera is
  joy_vel, key_vel, expert_vel
                      geometry_msgs/Twist     with teleop: of who takes over, a person or the expert
Publishes
  cmd_vel             geometry_msgs/Twist     linear.x m/s, angular.z rad/s
  brain/frames        sensor_msgs/JointState  every frame: durations, command, outputs, counters
  brain/alive         std_msgs/Bool           20 Hz of real time: whether it drives
  brain/status        diagnostic_msgs/DiagnosticArray  model, device, form, problem: on change
  /diagnostics        diagnostic_msgs/DiagnosticArray  1 Hz
Example
  ros2 run pilotnet_brain brain --ros-args -p model:=static_quant -p use_sim_time:=true \\
      -r camera/image_raw:=/F1ROS/cameraL/image_raw -r cmd_vel:=/F1ROS/cmd_vel
  ros2 param set /brain model tiny_quant
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool

from pilotnet_brain.bags.images import BrokenFrame
from pilotnet_brain.bags.messages import nanoseconds
from pilotnet_brain.driving.command import STOP, Command, limited
from pilotnet_brain.driving.model import DEVICES, RUNTIMES
from pilotnet_brain.driving.model.catalogue import resolve_model, unsigned_warning
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.network import error_line
from pilotnet_brain.driving.pilot import BadFrame, Drive, NetworkFailure, Pilot
from pilotnet_brain.driving.watchdog import FrameGaps, FrameWatchdog, Verdict
from pilotnet_brain.errors import SUCCESS, UserError
from pilotnet_brain.metrics.frame_record import NUMBERS, FrameRecord
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.brain_topics import FRAMES_QOS, STATUS_QOS
from pilotnet_brain.nodes.ros.executor import ServiceThreadExecutor
from pilotnet_brain.nodes.ros.graph import (
    DISCOVERY_S,
    StartingPublisher,
    other_publishers,
    takes,
)
from pilotnet_brain.nodes.ros.images import frame_of
from pilotnet_brain.nodes.ros.offers import OfferedSubscription, taking_problem
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import refuse, run
from pilotnet_brain.nodes.ros.teleoperation import Teleoperation
from pilotnet_brain.nodes.ros.view import View
from pilotnet_brain.nodes.ros.wake_ahead import WakeAhead
from pilotnet_brain.runs.fast_dds import profile_warning

_WATCHDOG_S = 0.05
_STARTING_S = 3.0
"""A node that publishes commands may be discovered this late."""
_TAKERS_WITHIN_S = 10.0
"""How long the nodes that take the commands are waited for."""
_RCLPY_GIVES_INFO = hasattr(Subscription, "CallbackType")
"""From Iron on a message comes with its info to a callback that takes two arguments."""
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class BrainNode(LifecycleNode):
    """Drives with one model; the model can be changed between two frames.

    Configured, it has loaded, tested and warmed up its model; active, it drives; deactivated, it
    has published a zero command. It takes both steps by itself unless ``autostart`` is false.

    Raises:
        UserError: with autostart, an unfit model, or another publisher of commands.
    """

    def __init__(self) -> None:
        super().__init__("brain")
        self.exit_status: int | None = None
        self._created = self._activated = time.monotonic()
        self._lock = threading.RLock()
        """Held while a frame is driven, and while the model or the lifecycle state changes."""
        self._pilot: Pilot | None = None
        self._commands: Any = None
        """Publisher of cmd_vel; None: not active."""
        self._camera: OfferedSubscription | None = None
        self._camera_info: Any = None
        self._timer: Any = None
        self._starting: StartingPublisher | None = None
        self._problem: UserError | None = None
        self._counts = dict.fromkeys(("received", "driven", "late", "broken", "failed"), 0)
        self._gaps = FrameGaps()
        self._rate_start, self._rate_frames = time.monotonic(), 0
        self._others: list[str] = []
        self._stopped_for = self._told = ""
        self._declare_parameters()
        self._watchdog = FrameWatchdog()
        self._frames_group = MutuallyExclusiveCallbackGroup()
        self._frames = self.create_publisher(JointState, "brain/frames", FRAMES_QOS)
        self._frame_message = JointState(name=list(NUMBERS))
        self._statuses = self.create_publisher(DiagnosticArray, "brain/status", STATUS_QOS)
        self._status: tuple[str, ...] = ()
        self._alive = self.create_publisher(Bool, "brain/alive", 1)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._waker: WakeAhead | None = None
        if self._wake_ahead > 0.0:
            self._waker = WakeAhead(
                self, self._wake_ahead, self._wake, self._steady, self._frames_group
            )
        self._teleop.start(self._frames_group, self._on_person)
        self.create_timer(1.0, self._on_second, clock=self._steady)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        cv2.setNumThreads(self._threads)
        if warning := profile_warning():
            self.get_logger().warning(warning)

    def _declare_parameters(self) -> None:
        declare(
            self, "model", "baseline",
            "Model: a name of models/manifest.json, or the path of a model file",
            settable=True,
        )  # fmt: skip
        self._device: str = declare(self, "device", "auto", "Where the model runs", choices=DEVICES)
        self._runtime: str = declare(
            self, "runtime", "auto", "What runs the model; auto is what its file is for",
            choices=RUNTIMES,
        )  # fmt: skip
        self.autostart: bool = declare(
            self, "autostart", True, "Configure and activate without being asked"
        )
        self._reliable: bool = declare(
            self, "reliable", False, "Reliable instead of best-effort delivery of camera frames"
        )
        self._trust_model: bool = declare(
            self, "trust_model", False, "Accept a model whose sha256 differs from the manifest's"
        )
        self._threads: int = declare(
            self, "threads", 1, "CPU threads of the network and the image operations",
            between=(1, 64),
        )  # fmt: skip
        self._view = View(self)
        declare(
            self, "max_speed", 0.0, "Drive no faster than this, m/s, on the same path; 0: no limit",
            between=(0.0, 1000.0), settable=True,
        )  # fmt: skip
        self._wake_ahead: float = declare(
            self, "wake_ahead", 0.0,
            "Real seconds before the next frame is due at which the network runs once to be in the "
            "caches; 0: never",
            between=(0.0, 0.1),
        )  # fmt: skip
        self._teleop = Teleoperation(self)
        self._wait_for: list[str] = declare(
            self, "wait_for", [""],
            "Nodes that must take the commands before the first frame is driven; [''] is nobody",
        )  # fmt: skip

    # Load

    def start(self) -> None:
        """Configure and activate, as autostart does.

        Raises:
            UserError: what `on_configure` or `on_activate` found.
        """
        for step in (self.trigger_configure, self.trigger_activate):
            if step() != _SUCCESS:
                raise self._problem or UserError("the brain could not be started")

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load, test and warm up the model."""
        try:
            self._take(self._load(self.get_parameter("model").value))
        except UserError as problem:
            return self._refuse(problem)
        assert self._pilot is not None
        model = self._pilot.model
        self.get_logger().info(f"model {model.name} on {model.device}: {model.form}")
        if model.note:
            self.get_logger().warning(model.note)
        return _SUCCESS

    def _load(self, name: str) -> Pilot:
        path = resolve_model(name, trust=self._trust_model)
        if warning := unsigned_warning(name):
            self.get_logger().warning(warning.removeprefix("warning: "))
        try:
            pilot = Pilot(load_model(path, self._device, self._threads, self._runtime))
            pilot.warm_up()
        except (NetworkFailure, RuntimeError, MemoryError) as problem:
            raise UserError(f"{name}: unfit to drive: {error_line(problem)}") from problem
        return pilot

    def _on_set_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        """Change the model: the new one is loaded and warmed up while the old one drives on."""
        for parameter in parameters:
            if parameter.name == "model" and self._pilot is not None:
                try:
                    pilot = self._load(parameter.value)
                except UserError as problem:
                    return SetParametersResult(successful=False, reason=str(problem))
                self._take(pilot)
                self.get_logger().info(f"model changed to {pilot.model.name}")
            elif parameter.name == "max_speed" and self._pilot is not None:
                with self._lock:
                    self._pilot.max_speed = parameter.value or math.inf
            elif parameter.name == "teleop_release":
                wrong = self._teleop.set_release(parameter.value)
                if wrong:
                    return SetParametersResult(successful=False, reason=wrong)
        return SetParametersResult(successful=True)

    def _take(self, pilot: Pilot) -> None:
        """Drive with this pilot from the next frame on."""
        with self._lock:
            pilot.max_speed = self.get_parameter("max_speed").value or math.inf
            self._pilot = pilot

    # Start and stop

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start driving, unless another node publishes commands."""
        time.sleep(max(0.0, self._created + DISCOVERY_S - time.monotonic()))
        topic = self.resolve_topic_name("cmd_vel")
        if others := other_publishers(self, topic):
            return self._refuse(_multiple_publishers(topic, others))
        with self._lock:
            self._start_driving(topic)
        return _SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the car, and publish commands no more."""
        self._stop_driving()
        return _SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the model."""
        self._pilot = None
        return _SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the car and end the process."""
        self._stop_driving()
        self.exit_status = SUCCESS
        return _SUCCESS

    def on_stop(self, reason: str) -> None:
        """Stop the car: the process was asked to end."""
        driven = self._counts["driven"]
        self._stop_driving()
        self.get_logger().info(f"{reason}: car stopped after {driven} frames")

    def _refuse(self, problem: UserError) -> TransitionCallbackReturn:
        self._problem = problem
        if not self.autostart:
            self.get_logger().error(str(problem))
        return _FAILURE

    def _start_driving(self, topic: str) -> None:
        reliable = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        self._watchdog = FrameWatchdog()
        self._activated = time.monotonic()
        self._starting = StartingPublisher(self, topic)
        self._commands = self.create_publisher(Twist, "cmd_vel", reliable)
        self._timer = self.create_timer(
            _WATCHDOG_S, self._on_watchdog, callback_group=self._frames_group, clock=self._steady
        )
        self._take_frames()

    def _take_frames(self) -> None:
        """Subscribe to the camera, once every node of `wait_for` gets the commands.

        A simulator sees the run's other nodes earlier or later than this node does, and who is not
        discovered here yet misses the first commands.
        """
        topic = self._commands.topic_name
        if not takes(self, topic, self._wait_for):
            if time.monotonic() - self._activated < _TAKERS_WITHIN_S:
                return
            names = ", ".join(self._wait_for)
            self.get_logger().warning(
                f"not all of {names} take {topic} within {_TAKERS_WITHIN_S:.0f} s: driving all the "
                "same"
            )
        reliability = (
            ReliabilityPolicy.RELIABLE if self._reliable else ReliabilityPolicy.BEST_EFFORT
        )
        newest = QoSProfile(depth=1, reliability=reliability)
        infos = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
        group = self._frames_group
        # rclpy's types leave the message's info out.
        on_image: Any = self._on_image if _RCLPY_GIVES_INFO else self._on_image_alone
        kinds = {Image: on_image, CompressedImage: on_image}
        self._camera = OfferedSubscription(
            self, "camera/image_raw", kinds, newest, callback_group=group
        )
        self._camera_info = self.create_subscription(
            CameraInfo, "camera/camera_info", self._on_camera_info, infos, callback_group=group
        )

    def _stop_driving(self) -> None:
        with self._lock:
            if self._commands is None:
                return
            self._send(STOP)
            self._alive.publish(Bool(data=False))
            self._commands.wait_for_all_acked(Duration(seconds=0.3))
            self.destroy_timer(self._timer)
            if self._camera is not None:
                self._camera.close()
                self.destroy_subscription(self._camera_info)
                self._camera = None
            self.destroy_publisher(self._commands)
            self._commands = None
            self._view.clear()
            self._end_starting()

    def _end_starting(self) -> None:
        if self._starting is not None:
            self._starting.close()
            self._starting = None

    # Drive

    def _on_image_alone(self, message: Image | CompressedImage) -> None:
        self._on_image(message, {})

    def _on_image(self, message: Image | CompressedImage, info: Any) -> None:
        start_ns = time.perf_counter_ns()
        queued_s = _queued_s(info)
        with self._lock:
            if self._commands is None or self._pilot is None:
                return
            self._counts["received"] += 1
            stamp_ns = nanoseconds(message.header.stamp)
            self._gaps.arrived(stamp_ns)
            drive, conversion_s, problem = self._drive(message, stamp_ns * 1e-9)
            given = drive is not None and self._command(drive.command)
            callback_s = (time.perf_counter_ns() - start_ns) * 1e-9
            self._publish_frame(
                message.header.stamp, drive, given, conversion_s, problem, callback_s, queued_s
            )
        if self._waker is not None and drive is not None:
            self._waker.on_frame(start_ns * 1e-9)

    def _wake(self) -> None:
        with self._lock, contextlib.suppress(NetworkFailure):
            if self._commands is not None and self._pilot is not None:
                self._pilot.wake()

    def _drive(
        self, message: Image | CompressedImage, stamp_s: float
    ) -> tuple[Drive | None, float, str]:
        """Return what the frame led to, the conversion's time (s), and why it led to nothing."""
        assert self._pilot is not None
        start_ns = time.perf_counter_ns()
        try:
            frame = frame_of(message)
            conversion_s = (time.perf_counter_ns() - start_ns) * 1e-9
            self._see_clock()
            verdict = self._watchdog.judge(stamp_s)
            if verdict is not Verdict.DRIVE:
                self._counts["late"] += 1
                return None, 0.0, f"late: {verdict.value}"
            camera = message.header.frame_id
            motion = self._view.look(self._pilot, frame, camera, stamp_s, self._now_s())
            drive = self._pilot.drive(frame, motion)
        except (BrokenFrame, BadFrame) as problem:
            self._counts["broken"] += 1
            return None, 0.0, f"broken: {problem}"
        except NetworkFailure as problem:
            self._command(STOP)
            self._counts["failed"] += 1
            return None, 0.0, f"failed: {problem}"
        self._watchdog.accept(stamp_s)
        self._counts["driven"] += 1
        self._stopped_for = ""
        return drive, conversion_s, ""

    def _command(self, command: Command) -> bool:
        """Give the car the brain's command, unless a person has taken over; return whether."""
        given = self._teleop.instead_of(command)
        self._send(given)
        return given is command

    def _on_person(self, command: Command) -> None:
        with self._lock:
            if self._commands is not None:
                self._send(command)

    def _send(self, command: Command) -> None:
        if self._pilot is not None:
            command = limited(command, self._pilot.max_speed)
        self._view.sent(command, self._now_s())
        message = Twist()
        message.linear.x, message.angular.z = float(command.speed), float(command.yaw_rate)
        self._commands.publish(message)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._gaps.published(nanoseconds(message.header.stamp))
        self._view.tell(message)

    def _on_watchdog(self) -> None:
        """Stop the car when no frames come; on real time, since /clock may stand still."""
        with self._lock:
            if self._commands is None or self._yielded():
                return
            if self._camera is None:
                self._take_frames()
            if self._counts["driven"]:
                self._alive.publish(Bool(data=True))
            self._see_clock()
            reason = self._watchdog.stop_reason(time.monotonic())
            # Before the clock's first tick nothing moves; before the first frame nothing did.
            if reason is None or not self._counts["driven"] or self._now_s() == 0.0:
                return
            if reason.value != self._stopped_for:
                self._stopped_for = reason.value
                self.get_logger().warning(f"car stopped: {reason.value}")
            self._command(STOP)

    def _yielded(self) -> bool:
        """While starting: stop driving if another node turns out to be the one that drives."""
        if self._starting is None:
            return False
        now = time.monotonic()
        winners = self._starting.yields_to(now)
        if not winners:
            if not self._starting.contested and now - self._activated > _STARTING_S:
                self._end_starting()
            return False
        topic = self.resolve_topic_name("cmd_vel")
        self.trigger_deactivate()
        problem = _multiple_publishers(topic, winners)
        if self.autostart:
            self.exit_status = refuse(problem)
        else:
            self.get_logger().error(str(problem))
        return True

    def _see_clock(self) -> None:
        if self._watchdog.see_clock(self._now_s(), time.monotonic()):
            self._gaps.restart()
            self._view.clear()
            self.get_logger().info(f"/clock jumped back: epoch {self._watchdog.epoch}")

    # Publish

    def _publish_frame(
        self, stamp: Any, drive: Drive | None, given: bool, conversion_s: float, problem: str,
        callback_s: float, queued_s: float,
    ) -> None:  # fmt: skip
        """Publish a frame's numbers, and with them the text of brain/status where it changed."""
        assert self._pilot is not None
        model, counts = self._pilot.model, self._counts
        stamp_s = nanoseconds(stamp) * 1e-9
        driven: dict[str, Any] = {}
        if drive is not None:
            since_stamp_s = self._now_s() - stamp_s
            driven = {
                "driven": True,
                "preprocess_s": conversion_s + drive.preprocess_s,
                "inference_s": drive.inference_s,
                "stamp_to_command_s": since_stamp_s if since_stamp_s >= 0.0 else None,
                "compensated_s": self._view.ahead_s,
                "speed": drive.command.speed,
                "yaw_rate": drive.command.yaw_rate,
                "outputs": drive.outputs,
                "taken_over": not given,
            }
        record = FrameRecord(
            stamp_s=stamp_s,
            callback_s=callback_s,
            age_s=queued_s + callback_s,
            model=model.name,
            device=model.device,
            problem=problem,
            frames_received=counts["received"],
            frames_late=counts["late"],
            frames_broken=counts["broken"],
            frames_failed=counts["failed"],
            epoch=self._watchdog.epoch,
            **driven,
        )
        message = self._frame_message
        message.header.stamp, message.header.frame_id = stamp, model.name
        message.position = record.to_numbers()
        self._frames.publish(message)
        self._say(problem, stamp)

    def _say(self, problem: str, stamp: Any) -> None:
        """Publish what holds from this stamp on, and log the problem: either where it changed."""
        model = None if self._pilot is None else self._pilot.model
        status = (model.name, model.device, model.form, problem) if model else ("", "", "", problem)
        if status == self._status:
            return
        self._status = status
        if problem and problem != self._told:
            self._told = problem
            self.get_logger().warning(f"not driven: {problem}", throttle_duration_sec=1.0)
        keys = ("model", "device", "form", "problem")
        level = diagnostics.WARN if problem else diagnostics.OK
        self._statuses.publish(
            diagnostics.diagnostic_array(
                stamp,
                f"{diagnostics.source(self)}: frames",
                level,
                problem or "driven",
                dict(zip(keys, status, strict=True)),
            )
        )

    def _on_second(self) -> None:
        now = time.monotonic()
        received = self._counts["received"]
        rate = (received - self._rate_frames) / (now - self._rate_start)
        self._rate_start, self._rate_frames = now, received
        active = self._commands is not None
        self._look_at_the_graph(frames_come=rate > 0.0)
        topic = self.resolve_topic_name("cmd_vel")
        others = other_publishers(self, topic) if active else []
        level, text = diagnostics.OK, "driving" if active else "not active"
        if others:
            level = diagnostics.ERROR
            text = f"multiple publishers on {topic}: {', '.join(others)} besides this node"
            if others != self._others:
                self.get_logger().warning(text)
        elif active and self._camera is None:
            text = f"waiting for {', '.join(self._wait_for)} to take {topic}"
        elif active and (driver := self._teleop.driver):
            text = f"{driver} has taken over"
        elif active and self._stopped_for:
            level, text = diagnostics.WARN, f"car stopped: {self._stopped_for}"
        self._others = others
        model = None if self._pilot is None else self._pilot.model
        values = {f"frames_{name}": count for name, count in self._counts.items()} | {
            "frames_dropped": self._gaps.dropped,
            "rate_hz": f"{rate:.2f}",
            "model": model and model.name,
            "model_file": model and model.path,
            "model_sha256": model and model.sha256,
            "device": model and model.device,
            "form": model and model.form,
            "note": model and model.note,
            "epoch": self._watchdog.epoch,
        }
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                self.get_clock().now().to_msg(),
                f"{diagnostics.source(self)}: driving",
                level,
                text,
                values,
            )
        )

    def _look_at_the_graph(self, frames_come: bool) -> None:
        """Take frames as they are published; say why none comes, or why commands reach nobody."""
        with self._lock:
            if self._camera is None or self._commands is None:
                return
            problem = self._camera.follow()
            if problem and not frames_come:
                self._say(f"no frame: {problem}", self.get_clock().now().to_msg())
            elif problem := taking_problem(self._commands, self):
                self.get_logger().warning(problem, once=True)

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9


def _multiple_publishers(topic: str, others: list[str]) -> UserError:
    return UserError(
        f"multiple publishers on {topic}: {', '.join(others)} drives; end it first, or choose "
        "another ROS_DOMAIN_ID"
    )


def _queued_s(info: Any) -> float:
    """Return how long a message lay in the middleware's queue, s; 0 where it does not say."""
    received_ns = info.get("received_timestamp", 0) if isinstance(info, dict) else 0
    if not received_ns:
        return 0.0
    queued_s = (time.time_ns() - received_ns) * 1e-9
    # Both are readings of the system's clock, which may be set in between.
    return queued_s if 0.0 <= queued_s < 10.0 else 0.0


def _make_started() -> BrainNode:
    node = BrainNode()
    if node.autostart:
        try:
            node.start()
        except UserError:
            node.destroy_node()
            raise
    return node


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(BrainNode, __doc__, args)
    # A second thread loads a new model while the first one drives.
    return run(_make_started, args, make_executor=ServiceThreadExecutor)


if __name__ == "__main__":
    sys.exit(main())
