"""What others send must not end a node; its own errors must."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
import rclpy  # noqa: E402
from builtin_interfaces.msg import Time  # noqa: E402
from rcl_interfaces.msg import Parameter as ParameterMessage  # noqa: E402
from rcl_interfaces.msg import ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

from pilotnet_brain.nodes.ros.executor import NodeExecutor, ServiceThreadExecutor  # noqa: E402

pytestmark = pytest.mark.live

PATIENCE_S = 30.0


class Spinning:
    """A node on simulated time, spun by the test, and what sends to it."""

    def __init__(self, kind: type[NodeExecutor]) -> None:
        rclpy.init(args=[], domain_id=40 + os.getpid() % 30)
        on_sim_time = [Parameter("use_sim_time", value=True)]
        self.node = Node("driven", parameter_overrides=on_sim_time)
        self.executor = kind()
        self.executor.add_node(self.node)
        self.clock = self.node.create_publisher(Clock, "/clock", 10)

    def until(self, done: object) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():  # type: ignore[operator]
            assert time.monotonic() < deadline
            self.executor.spin_once(timeout_sec=0.1)

    def tick(self, sec: int) -> None:
        """Publish a time until it has been dealt with."""
        self.until(lambda: self.clock.get_subscription_count() > 0)
        self.clock.publish(Clock(clock=Time(sec=sec)))

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture(params=[NodeExecutor, ServiceThreadExecutor])
def spinning(request: pytest.FixtureRequest) -> Iterator[Spinning]:
    spinning = Spinning(request.param)
    yield spinning
    spinning.close()


def test_a_clock_of_negative_time_is_left_out(
    spinning: Spinning, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def told() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "a message on /clock is left out: Seconds value must not be negative" in said

    spinning.tick(-3)
    spinning.until(told)
    spinning.tick(7)
    spinning.until(lambda: spinning.node.get_clock().now().nanoseconds == 7_000_000_000)


def test_a_parameter_of_an_unknown_type_leaves_the_services_running(spinning: Spinning) -> None:
    client = spinning.node.create_client(SetParameters, "/driven/set_parameters")
    spinning.until(client.service_is_ready)
    odd = ParameterMessage(name="use_sim_time", value=ParameterValue(type=255))
    client.call_async(SetParameters.Request(parameters=[odd]))
    good = client.call_async(SetParameters.Request())
    spinning.until(good.done)


def test_an_error_in_the_nodes_own_callback_is_raised(spinning: Spinning) -> None:
    def on_message(message: Bool) -> None:
        raise KeyError("a bug")

    spinning.node.create_subscription(Bool, "flag", on_message, 10)
    publisher = spinning.node.create_publisher(Bool, "flag", 10)
    spinning.until(lambda: publisher.get_subscription_count() > 0)
    publisher.publish(Bool())
    with pytest.raises(KeyError, match="a bug"):
        spinning.until(lambda: False)
