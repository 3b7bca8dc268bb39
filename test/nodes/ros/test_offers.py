"""Subscriptions take what publishers offer; what they cannot take is named."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from geometry_msgs.msg import Twist, TwistStamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from pilotnet_brain.nodes.ros.offers import (  # noqa: E402
    OfferedSubscription,
    environment_text,
    taking_problem,
)

pytestmark = pytest.mark.live

PATIENCE_S = 20.0
RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
Make = Callable[[str], Node]


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def follow_until_it_comes(
    taker: Node, subscription: OfferedSubscription, came: list[Any], publish: Callable[[], None]
) -> None:
    executor = SingleThreadedExecutor(context=taker.context)
    executor.add_node(taker)

    def step() -> bool:
        publish()
        subscription.follow()
        executor.spin_once(timeout_sec=0.05)
        return bool(came)

    until(step)
    executor.shutdown()


def test_what_is_offered_best_effort_is_taken(make_node: Make) -> None:
    taker, car = make_node("taker"), make_node("car")
    came: list[Odometry] = []
    subscription = OfferedSubscription(taker, "odom", {Odometry: came.append}, RELIABLE)
    publisher = car.create_publisher(Odometry, "odom", BEST_EFFORT)
    follow_until_it_comes(taker, subscription, came, lambda: publisher.publish(Odometry()))


def test_what_is_offered_reliable_is_taken_reliable(make_node: Make) -> None:
    taker, car = make_node("taker"), make_node("car")
    subscription = OfferedSubscription(taker, "odom", {Odometry: lambda m: None}, RELIABLE)
    car.create_publisher(Odometry, "odom", RELIABLE)
    until(lambda: not subscription.follow())
    (own,) = taker.get_subscriptions_info_by_topic("/odom")
    assert own.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_of_two_types_the_one_that_is_published_is_taken(make_node: Make) -> None:
    taker, car = make_node("taker"), make_node("car")
    came: list[CompressedImage] = []
    kinds = {Image: came.append, CompressedImage: came.append}
    subscription = OfferedSubscription(taker, "image_raw", kinds, BEST_EFFORT)
    publisher = car.create_publisher(CompressedImage, "image_raw", BEST_EFFORT)
    # Fast DDS loses one in twenty subscriptions that are replaced while two participants of one
    # process discover each other; of separate processes it lost none of sixty.
    until(lambda: car.get_subscriptions_info_by_topic("/image_raw"))
    follow_until_it_comes(taker, subscription, came, lambda: publisher.publish(CompressedImage()))
    assert isinstance(came[0], CompressedImage)


def test_a_type_that_does_not_fit_is_named(make_node: Make) -> None:
    taker, car = make_node("taker"), make_node("their_car")
    subscription = OfferedSubscription(taker, "odom", {Odometry: lambda m: None}, RELIABLE)
    car.create_publisher(Twist, "odom", RELIABLE)
    expected = "/odom carries geometry_msgs/msg/Twist (/their_car); nav_msgs/msg/Odometry is needed"
    until(lambda: subscription.follow() == expected)


def test_where_nobody_publishes_topics_of_the_type_are_named(make_node: Make) -> None:
    taker, car = make_node("taker"), make_node("their_car")
    subscription = OfferedSubscription(taker, "odom", {Odometry: lambda m: None}, RELIABLE)
    assert subscription.follow() == "nobody publishes /odom"
    car.create_publisher(Odometry, "/their/odometry", RELIABLE)
    expected = "nobody publishes /odom; there is /their/odometry"
    until(lambda: subscription.follow() == expected)


@pytest.mark.parametrize(
    ("kind", "qos", "reason"),
    [
        (
            TwistStamped, RELIABLE,
            "/their_car takes /cmd_vel as geometry_msgs/msg/TwistStamped, not as "
            "geometry_msgs/msg/Twist",
        ),
        (
            Twist,
            QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
            "/their_car asks for /cmd_vel with transient_local delivery",
        ),
    ],
)  # fmt: skip
def test_who_cannot_take_the_commands_is_named(
    make_node: Make, kind: Any, qos: QoSProfile, reason: str
) -> None:
    brain, car = make_node("brain"), make_node("their_car")
    commands = brain.create_publisher(Twist, "cmd_vel", RELIABLE)
    assert taking_problem(commands, brain) == ""
    car.create_subscription(kind, "cmd_vel", lambda m: None, qos)
    until(lambda: taking_problem(commands, brain).startswith(reason))


def test_the_variables_that_hide_nodes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    monkeypatch.setenv("ROS_LOCALHOST_ONLY", "1")
    assert environment_text().startswith("ROS_DOMAIN_ID=7, ROS_LOCALHOST_ONLY=1")
