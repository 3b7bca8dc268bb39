"""A circuit as a world for Gazebo Classic 11, with gazebo_ros or without it."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation.gazebo.car import HINGE_DISTANCE_M, LINK_NAME, Flavour, RosTopics
from pilotnet_brain.simulation.gazebo.sdf import row
from pilotnet_brain.simulation.gazebo.world import WorldFiles, write_world
from pilotnet_brain.simulation.looks import Looks


def bare() -> Flavour:
    """Return what moves the car over Gazebo Classic's own transport, exactly and at once.

    Gazebo's transport has no planar move, but its DiffDrivePlugin sets two joints' velocities
    before every step, and setting a joint's velocity sets the moved link's velocity outright. So
    base_link gets a hinge at its own place, another `HINGE_DISTANCE_M` to its left, and a slide
    along its x axis, all three to the world, with constraints that do not hold: the world's CFM
    makes them hold nothing, while contacts have their own CFM and hold. The plugin's command on
    ``~/f1_renault/vel_cmd``, a Pose of x = v and yaw = 2 (v - w) / 20, then turns the car by w and
    moves it by v.

    The plugin takes half of the moved link's bounding box as its wheel's radius: the collision
    sphere of radius 1 m that collides with nothing makes that 1.
    """
    unit_wheel = """
    <collision name="unit_wheel">
      <geometry><sphere><radius>1</radius></sphere></geometry>
      <surface><contact><collide_bitmask>0</collide_bitmask></contact></surface>
    </collision>"""
    ends = f"<parent>world</parent><child>{LINK_NAME}</child>"
    # The drive that moves comes after the one that turns: the last that sets a velocity counts.
    joints = f"""
    <joint name="turn" type="revolute">{ends}<axis><xyz>0 0 1</xyz></axis></joint>
    <joint name="far_turn" type="revolute">
      {ends}
      <pose>0 {row(HINGE_DISTANCE_M)} 0 0 0 0</pose>
      <axis><xyz>0 0 1</xyz></axis>
    </joint>
    <joint name="move" type="prismatic">{ends}<axis><xyz>1 0 0</xyz></axis></joint>
    <plugin name="turn_driver" filename="libDiffDrivePlugin.so">
      <left_joint>far_turn</left_joint><right_joint>turn</right_joint>
    </plugin>
    <plugin name="move_driver" filename="libDiffDrivePlugin.so">
      <left_joint>move</left_joint><right_joint>move</right_joint>
    </plugin>"""
    loose = "<ode><constraints><cfm>1000000000000</cfm></constraints></ode>"
    return Flavour("pilotnet_car", to_link=unit_wheel, to_model=joints, to_physics=loose)


def with_gazebo_ros(topics: RosTopics | None = None) -> Flavour:
    """Return what a world needs that is driven by gazebo_ros' plugins.

    The car gets a camera and a planar move that also publishes the odometry; the world, its state.
    """
    topics = topics or RosTopics()
    camera = f"""
    <plugin name="camera_driver" filename="libgazebo_ros_camera.so">
      <ros>
        <remapping>car/image_raw:={escape(topics.camera)}</remapping>
        <remapping>car/camera_info:={escape(topics.camera_info)}</remapping>
      </ros>
      <camera_name>car</camera_name>
      <frame_name>camera_optical_frame</frame_name>
    </plugin>"""
    # An update rate of 0 is every step of the physics.
    move = f"""
    <plugin name="planar_move" filename="libgazebo_ros_planar_move.so">
      <ros>
        <remapping>cmd_vel:={escape(topics.cmd_vel)}</remapping>
        <remapping>odom:={escape(topics.odom)}</remapping>
      </ros>
      <update_rate>0</update_rate>
      <publish_rate>200</publish_rate>
      <publish_odom>true</publish_odom>
      <publish_odom_tf>true</publish_odom_tf>
      <odometry_frame>odom</odometry_frame>
      <robot_base_frame>{LINK_NAME}</robot_base_frame>
    </plugin>"""
    state = """
    <plugin name="state" filename="libgazebo_ros_state.so">
      <ros><namespace>/gazebo</namespace></ros>
      <update_rate>100</update_rate>
    </plugin>"""
    return Flavour("pilotnet_car_ros", to_sensor=camera, to_model=move, to_world=state)


def write_bare_world(
    circuit: Circuit, looks: Looks, folder: Path, start_arc_length: float = 0.0
) -> WorldFiles:
    """Write a world that needs nothing but Gazebo Classic: driven over Gazebo's own transport.

    The car stands on the line, `start_arc_length` (m) from the start line.

    Raises:
        UserError: the circuit is too far away, or the folder cannot be written.
    """
    return write_world(circuit, looks, folder, bare(), start_arc_length=start_arc_length)


def write_ros_world(
    circuit: Circuit,
    looks: Looks,
    folder: Path,
    topics: RosTopics | None = None,
    rtf: float = 1.0,
    start_arc_length: float = 0.0,
) -> WorldFiles:
    """Write a world whose car has gazebo_ros' plugins; gzserver needs its system plugins too.

    These are libgazebo_ros_init.so (with the parameter publish_rate 200: /clock) and
    libgazebo_ros_factory.so, given to gzserver by ``-s``. Gazebo aims at `rtf` simulated seconds
    per real second. The car stands on the line, `start_arc_length` (m) from the start line.

    Raises:
        UserError: the circuit is too far away, or the folder cannot be written.
    """
    return write_world(circuit, looks, folder, with_gazebo_ros(topics), rtf, start_arc_length)
