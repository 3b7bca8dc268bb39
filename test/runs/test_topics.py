"""Names of topics that follow from others."""

from pilotnet_brain.runs.spec import RunSpec, camera_info_topic
from pilotnet_brain.runs.topics import TOPICS, topics_of


def test_camera_info_is_the_images_sibling():
    assert camera_info_topic("/F1ROS/cameraL/image_raw") == "/F1ROS/cameraL/camera_info"
    assert camera_info_topic("image") == "camera_info"


def test_a_relative_name_is_resolved_in_the_namespace():
    topics = topics_of(RunSpec(namespace="/fleet/car1", odom_topic="/odom"))
    assert topics["camera/image_raw"] == "/fleet/car1/camera/image_raw"
    assert topics["camera/camera_info"] == "/fleet/car1/camera/camera_info"
    assert topics["brain/frames"] == "/fleet/car1/brain/frames"
    assert topics["odom"] == "/odom"


def test_a_relative_name_is_resolved_in_the_root():
    topics = topics_of(RunSpec(odom_topic="car/odom", camera_topic="/cam/image_raw"))
    assert set(topics) == set(TOPICS)
    assert topics["odom"] == "/car/odom"
    assert topics["camera/camera_info"] == "/cam/camera_info"
    assert topics["brain/frames"] == "/brain/frames"
