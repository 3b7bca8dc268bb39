"""The few of Gazebo Classic 11's messages that a car's camera, clock and motion need.

Names, field numbers and types are those of Gazebo's transport (package gazebo.msgs).
"""

from __future__ import annotations

from pilotnet_brain.message_table import MessageTable
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame, frame_of

_TABLE = MessageTable(
    "gazebo.msgs",
    "proto2",
    """
Time: required int32 sec 1; required int32 nsec 2
Packet: required Time stamp 1; required string type 2; required bytes serialized_data 3
GzString: required string data 1
Publish: required string topic 1; required string msg_type 2; required string host 3;
  required uint32 port 4
Publishers: repeated Publish publisher 1
Subscribe: required string topic 1; required string host 2; required uint32 port 3;
  required string msg_type 4; optional bool latching 5
Vector3d: required double x 1; required double y 2; required double z 3
Quaternion: required double x 2; required double y 3; required double z 4; required double w 5
Pose: optional string name 1; optional uint32 id 2; required Vector3d position 3;
  required Quaternion orientation 4
PosesStamped: required Time time 1; repeated Pose pose 2
Image: required uint32 width 1; required uint32 height 2; required uint32 pixel_format 3;
  required uint32 step 4; required bytes data 5
ImageStamped: required Time time 1; required Image image 2
WorldStatistics: required Time sim_time 2; required Time pause_time 3;
  required Time real_time 4; required bool paused 5; required uint64 iterations 6
WorldReset: optional bool all 1; optional bool time_only 2; optional bool model_only 3
WorldControl: optional bool pause 1; optional bool step 2; optional uint32 multi_step 3;
  optional WorldReset reset 4; optional uint32 seed 5
Physics: optional double real_time_update_rate 14; optional double max_step_size 15
Request: required int32 id 1; required string request 2; optional string data 3;
  optional double dbl_data 4
Response: required int32 id 1; required string request 2; required string response 3;
  optional string type 4; optional bytes serialized_data 5
Model: required string name 1; optional uint32 id 2; optional Pose pose 4
Model_V: repeated Model models 2
""",
)
new_message = _TABLE.new
parse = _TABLE.parse
type_name = _TABLE.type_name


def camera_frame(data: memoryview) -> CameraFrame:
    """Return the frame in an ImageStamped's bytes.

    Raises:
        BrokenMessage: the bytes are no such message, or hold no RGB image.
    """
    stamped = parse("ImageStamped", data)
    return frame_of(stamped.image, stamped.time, stamped.image.pixel_format)
