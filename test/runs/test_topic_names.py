"""Names of topics that follow from others."""

from pilotnet_brain.runs.topic_names import absolute, camera_info_topic


def test_camera_info_is_the_images_sibling():
    assert camera_info_topic("/F1ROS/cameraL/image_raw") == "/F1ROS/cameraL/camera_info"
    assert camera_info_topic("image") == "camera_info"


def test_a_relative_name_is_resolved_in_the_root():
    assert absolute("car/odom") == "/car/odom"
    assert absolute("/F1ROS/odom") == "/F1ROS/odom"
