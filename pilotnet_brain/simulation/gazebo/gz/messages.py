"""The few of Gazebo Sim's messages that discovery and a car's camera, clock and motion need.

Names, field numbers and types are those of gz-msgs 10 and later (package gz.msgs); its enumerations
are int32 here, and its nested messages have names without a point: both are the same bytes.
"""

from __future__ import annotations

from pilotnet_brain.message_table import MessageTable
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame, frame_of

_TABLE = MessageTable(
    "gz.msgs",
    "proto3",
    """
Subscriber: optional string topic 1
MessagePublisher: optional string ctrl 1; optional string msg_type 2; optional bool throttled 3;
  optional uint64 msgs_per_sec 4
ServicePublisher: optional string socket_id 1; optional string request_type 2;
  optional string response_type 3
Publisher: optional string topic 1; optional string address 2; optional string process_uuid 3;
  optional string node_uuid 4; optional int32 scope 5; optional MessagePublisher msg_pub 6;
  optional ServicePublisher srv_pub 7
Flags: optional bool relay 1; optional bool no_relay 2
Discovery: optional uint32 version 2; optional string process_uuid 3; optional int32 type 4;
  optional Flags flags 5; optional Subscriber sub 6; optional Publisher pub 7
Time: optional int64 sec 1; optional int32 nsec 2
Header: optional Time stamp 1
Vector3d: optional double x 2; optional double y 3; optional double z 4
Quaternion: optional double x 2; optional double y 3; optional double z 4; optional double w 5
Pose: optional Header header 1; optional string name 2; optional uint32 id 3;
  optional Vector3d position 4; optional Quaternion orientation 5
Twist: optional Vector3d linear 2; optional Vector3d angular 3
Odometry: optional Header header 1; optional Pose pose 2
Image: optional Header header 1; optional uint32 width 2; optional uint32 height 3;
  optional uint32 step 4; optional bytes data 5; optional int32 pixel_format_type 6
Clock: optional Time sim 4
WorldReset: optional bool all 2; optional bool time_only 3; optional bool model_only 4
WorldControl: optional bool pause 2; optional bool step 3; optional uint32 multi_step 4;
  optional WorldReset reset 5; optional uint32 seed 6
Physics: optional double real_time_factor 14; optional double max_step_size 16
Boolean: optional bool data 2
Empty: optional bool unused 1
Model: optional string name 2
Scene: repeated Model model 9
EntityFactory: optional string sdf_filename 3; optional Pose pose 7; optional string name 8
""",
)
new_message = _TABLE.new
parse = _TABLE.parse
type_name = _TABLE.type_name


def camera_frame(data: bytes | memoryview) -> CameraFrame:
    """Return the frame in an Image's bytes.

    Raises:
        BrokenMessage: the bytes are no such message, or hold no RGB image.
    """
    image = parse("Image", data)
    return frame_of(image, image.header.stamp, image.pixel_format_type)
