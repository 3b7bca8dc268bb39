import json
import random

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from fuzzing.attack import problems_of_metrics
from fuzzing.hostile import damaged_bytes, spoil
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState

KINDS = [Image, CameraInfo, JointState, DiagnosticArray, Odometry]


def drawn(kind, seed):
    """A message of a kind, and how long damaged bytes of it are."""
    rng = random.Random(seed)
    message = kind()
    spoil(message, rng, 0.8)
    return message, len(damaged_bytes(message, rng))


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_messages_can_be_sent_and_drawn_again(kind):
    first = [drawn(kind, seed) for seed in range(10)]
    assert str([drawn(kind, seed) for seed in range(10)]) == str(first)
    sent = [serialize_message(message) for message, _ in first]
    assert len(set(sent)) > 5
    assert max(map(len, sent)) < 20_000_000


def test_metrics_that_are_no_json_are_a_fault():
    assert problems_of_metrics(json.dumps({"speed": 1.0, "laps": None})) == []
    for broken in (json.dumps({"speed": float("nan")}), '{"speed": -Infinity}', '{"speed": 1.'):
        assert problems_of_metrics(broken)
