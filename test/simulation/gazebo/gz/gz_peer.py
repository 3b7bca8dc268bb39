"""A small Gazebo Sim: a world with a car, on real sockets, as gz-transport 13 speaks over them.

It takes nothing of the client but the descriptions of messages.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import zmq

from pilotnet_brain.simulation.gazebo.gz.messages import new_message, parse, type_name

GROUP = "239.255.0.7"
STEP_S = 0.005
CAMERA_STEPS = 10
LOOPBACK = "127.0.0.1"
IMAGE, CMD_VEL, ODOM = "/F1ROS/cameraL/image_raw", "/F1ROS/cmd_vel", "/F1ROS/odom"


class GzPeer:
    """One server; `step` and `pump` are called by a thread, what it has seen is read by the test.

    Args:
        partition: whose.
        world: its name.
        paused: whether it starts paused.
        image_size: (height, width).
        brightness: of a frame, by its number.
        start: of the car, x (m), y (m) and yaw (rad).
        models: in the world; a car that `create` adds takes commands and has a camera at once.
        draws: how often each frame is sent, as by a camera that is drawn while the physics is held.
        clock_every_s: real time between sends of /clock, all that is due at once; 0: at every step.
    """

    def __init__(
        self,
        partition: str,
        world: str = "default",
        paused: bool = True,
        image_size: tuple[int, int] = (480, 640),
        brightness: Callable[[int], int] = lambda frame: frame % 256,
        start: tuple[float, float, float] = (0.0, 0.0, 0.0),
        models: tuple[str, ...] = ("road", "f1_renault"),
        draws: int = 1,
        clock_every_s: float = 0.0,
    ) -> None:
        self.partition, self.world, self.paused = partition, world, paused
        self.steps = 0
        self.to_step = 0
        self.pose = list(start)
        self.models = list(models)
        self._draws = draws
        self._clock_every_s, self._clocks_sent_s = clock_every_s, 0.0
        self._clocks: list[Any] = []
        self.velocity = (0.0, 0.0)
        self.asked: list[tuple[str, Any]] = []
        self.rtf = 1.0
        self.image_size, self.brightness = image_size, brightness
        self.process, self.node = str(uuid.uuid4()), str(uuid.uuid4())
        self.replier_id = str(uuid.uuid4())
        self._registered: set[str] = set()
        self._connected: set[str] = set()
        self._context = zmq.Context()
        self._pub = self._bound(zmq.PUB)
        self._sub = self._context.socket(zmq.SUB)
        self._replier = self._bound(zmq.ROUTER, self.replier_id.encode())
        self._channels = {
            "msg": _channel(int(os.environ.get("GZ_DISCOVERY_MSG_PORT", "10317"))),
            "srv": _channel(int(os.environ.get("GZ_DISCOVERY_SRV_PORT", "10318"))),
        }
        self._poller = zmq.Poller()
        for receiver, _, _ in self._channels.values():
            self._poller.register(receiver, zmq.POLLIN)
        for source in (self._sub, self._replier):
            self._poller.register(source, zmq.POLLIN)
        self._end = threading.Event()
        self._killed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self, bye: bool = True) -> None:
        """End it, or let it fall silent as if it was killed."""
        self._killed = not bye
        self._end.set()
        self._thread.join(10.0)

    def full(self, topic: str) -> str:
        return f"@/{self.partition}@{topic}"

    # The server's thread.

    def _run(self) -> None:
        heartbeat = next_step = time.monotonic()
        while not self._end.is_set():
            now = time.monotonic()
            if now >= heartbeat:
                heartbeat = now + 1.0
                self._announce()
            if self.to_step or (not self.paused and now >= next_step):
                next_step = max(next_step + STEP_S / self.rtf, now - 0.1)
                self.to_step = max(0, self.to_step - 1)
                self._step()
            if now >= self._clocks_sent_s + self._clock_every_s:
                self._clocks_sent_s = now
                while self._clocks:
                    self._publish("/clock", "Clock", self._clocks.pop(0))
            self._pump(0 if self.to_step else 1)
        if not self._killed:
            for kind in self._channels:
                self._say(kind, 5, pub=new_message("Publisher", process_uuid=self.process))
        for receiver, sender, _ in self._channels.values():
            receiver.close()
            sender.close()
        self._context.destroy(linger=0)

    def _step(self) -> None:
        speed, yaw_rate = self.velocity
        x, y, yaw = self.pose
        middle = yaw + 0.5 * yaw_rate * STEP_S
        self.pose = [
            x + speed * STEP_S * math.cos(middle),
            y + speed * STEP_S * math.sin(middle),
            math.remainder(yaw + yaw_rate * STEP_S, math.tau),
        ]
        self.steps += 1
        stamp = self._now()
        header = new_message("Header", stamp=stamp)
        x, y, yaw = self.pose
        half = 0.5 * yaw
        pose = new_message(
            "Pose",
            position=new_message("Vector3d", x=x, y=y),
            orientation=new_message("Quaternion", z=math.sin(half), w=math.cos(half)),
        )
        self._clocks.append(new_message("Clock", sim=stamp))
        self._publish(ODOM, "Odometry", new_message("Odometry", header=header, pose=pose))
        if self.steps % CAMERA_STEPS == 0:
            height, width = self.image_size
            level = self.brightness(self.steps // CAMERA_STEPS)
            pixels = np.full((height, width, 3), level, np.uint8)
            image = new_message(
                "Image",
                header=header,
                width=width,
                height=height,
                step=3 * width,
                data=pixels.tobytes(),
                pixel_format_type=3,
            )
            for _ in range(self._draws):
                self._publish(IMAGE, "Image", image)

    def _now(self) -> Any:
        seconds, nanoseconds = divmod(self.steps * 5_000_000, 1_000_000_000)
        return new_message("Time", sec=seconds, nsec=nanoseconds)

    def _publish(self, topic: str, kind: str, message: Any) -> None:
        full = self.full(topic)
        if full in self._registered:  # Gazebo sends nothing to whom it does not know
            parts = [full.encode(), self._address(self._pub), message.SerializeToString()]
            self._pub.send_multipart([*parts, type_name(kind).encode()])

    def _pump(self, wait_ms: int) -> None:
        ready = dict(self._poller.poll(wait_ms))
        for kind, (receiver, _, _) in self._channels.items():
            if receiver.fileno() in ready:
                self._hear(kind, receiver.recv(65536))
        if self._sub in ready:
            topic, _, content, kind = self._sub.recv_multipart()
            assert topic.decode() == self.full(CMD_VEL)
            assert kind == b"gz.msgs.Twist"
            twist = parse("Twist", content)
            self.velocity = (twist.linear.x, twist.angular.z)
        if self._replier in ready:
            self._serve()

    def _hear(self, channel: str, datagram: bytes) -> None:
        (length,) = struct.unpack_from("<H", datagram)
        said = parse("Discovery", datagram[2:])
        if length != len(datagram) - 2 or said.version != 10 or said.process_uuid == self.process:
            return
        if said.type == 2 and channel == "msg" or said.type == 2:
            self._announce(said.sub.topic)
        elif said.type == 1 and said.pub.topic == self.full(CMD_VEL):
            if said.pub.address not in self._connected:
                self._connected.add(said.pub.address)
                self._sub.connect(said.pub.address)
                self._sub.setsockopt(zmq.SUBSCRIBE, self.full(CMD_VEL).encode())
        elif said.type == 6 and said.pub.msg_pub.ctrl == self.process:
            self._registered.add(said.pub.topic)

    def _serve(self) -> None:
        _, topic, sender, to, node, number, content, asked, answered = (
            self._replier.recv_multipart()
        )
        name = topic.decode().rpartition("@")[2].rpartition("/")[2]
        request = parse(asked.decode().removeprefix("gz.msgs."), content)
        self.asked.append((name, request))
        if answered == b"gz.msgs.Scene":
            models = [new_message("Model", name=model) for model in self.models]
            answer = new_message("Scene", model=models)
        else:
            assert answered == b"gz.msgs.Boolean"
            answer = new_message("Boolean", data=self._carry_out(name, request))
        if sender.decode() not in self._connected:
            self._connected.add(sender.decode())
            self._replier.connect(sender.decode())
            time.sleep(0.1)  # so does Gazebo
        self._replier.send_multipart([to, topic, node, number, answer.SerializeToString(), b"1"])

    def _carry_out(self, name: str, request: Any) -> bool:
        if name == "control":
            self.paused = request.pause
            self.to_step += request.multi_step
        elif name == "set_physics":
            self.rtf = request.real_time_factor
        elif name == "create":
            self.models.append(request.name)
            self._put(request.pose)
        elif name == "set_pose" and request.name in self.models:
            self._put(request)
        return True  # Gazebo only says that it was asked

    def _put(self, pose: Any) -> None:
        yaw = 2.0 * math.atan2(pose.orientation.z, pose.orientation.w)
        self.pose = [pose.position.x, pose.position.y, yaw]

    def _announce(self, only: str = "") -> None:
        for topic, kind in (("/clock", "Clock"), (ODOM, "Odometry"), (IMAGE, "Image")):
            if only in ("", self.full(topic)):
                described = new_message("MessagePublisher", msg_type=type_name(kind))
                self._offer("msg", topic, self._address(self._pub), msg_pub=described)
        if only in ("", self.full(CMD_VEL)):
            self._say("msg", 2, sub=new_message("Subscriber", topic=self.full(CMD_VEL)))
        for service, request, response in (
            ("control", "WorldControl", "Boolean"),
            ("set_pose", "Pose", "Boolean"),
            ("set_physics", "Physics", "Boolean"),
            ("create", "EntityFactory", "Boolean"),
            ("scene/info", "Empty", "Scene"),
        ):
            name = f"/world/{self.world}/{service}"
            if only in ("", self.full(name)):
                described = new_message(
                    "ServicePublisher",
                    socket_id=self.replier_id,
                    request_type=type_name(request),
                    response_type=type_name(response),
                )
                self._offer("srv", name, self._address(self._replier), srv_pub=described)

    def _offer(self, channel: str, topic: str, address: bytes, **kind: Any) -> None:
        publisher = new_message(
            "Publisher",
            topic=self.full(topic),
            address=address.decode(),
            process_uuid=self.process,
            node_uuid=self.node,
            scope=2,
            **kind,
        )
        self._say(channel, 1, pub=publisher)

    def _say(self, channel: str, kind: int, **content: Any) -> None:
        said = new_message(
            "Discovery", version=10, process_uuid=self.process, type=kind, **content
        ).SerializeToString()
        _, sender, port = self._channels[channel]
        sender.sendto(struct.pack("<H", len(said)) + said, (GROUP, port))

    def _bound(self, kind: int, identity: bytes = b"") -> Any:
        bound = self._context.socket(kind)
        bound.setsockopt(zmq.LINGER, 0)
        if identity:
            bound.setsockopt(zmq.ROUTING_ID, identity)
            bound.setsockopt(zmq.ROUTER_MANDATORY, 1)
        bound.bind(f"tcp://{LOOPBACK}:*")
        return bound

    @staticmethod
    def _address(bound: Any) -> bytes:
        address: bytes = bound.getsockopt(zmq.LAST_ENDPOINT)
        return address.rstrip(b"\0")


def _channel(port: int) -> tuple[socket.socket, socket.socket, int]:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    receiver.bind(("", port))
    member = socket.inet_aton(GROUP) + socket.inet_aton(LOOPBACK)
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
    return receiver, sender, port


def multicast_reaches_itself(port: int = 10_315) -> bool:
    """Return whether this machine delivers multicast on its loopback interface."""
    try:
        receiver, sender, _ = _channel(port)
    except OSError:
        return False
    with receiver, sender:
        receiver.settimeout(1.0)
        try:
            sender.sendto(b"?", (GROUP, port))
            return receiver.recv(1) == b"?"
        except OSError:
            return False
