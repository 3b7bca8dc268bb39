"""Each process gets its DDS profile, unless the user has one."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from pilotnet_brain.runs.fast_dds import (
    IMAGE_PUBLISHER,
    NO_IMAGES,
    PROFILE_VARIABLES,
    dds_environment,
    other_terminals,
    profile_path,
    profile_warning,
)

NAMESPACE = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


@pytest.mark.parametrize(("profile", "segment"), [(IMAGE_PUBLISHER, 8 << 20), (NO_IMAGES, 1 << 20)])
def test_the_shared_memory_segment_has_its_size(profile: str, segment: int) -> None:
    root = ElementTree.parse(profile_path(profile)).getroot()
    sizes = [int(node.text or 0) for node in root.iter(f"{NAMESPACE}segment_size")]
    assert sizes == [segment]


@pytest.mark.parametrize("profile", [IMAGE_PUBLISHER, NO_IMAGES])
def test_udp_stays_on_loopback(profile: str) -> None:
    root = ElementTree.parse(profile_path(profile)).getroot()
    assert [node.text for node in root.iter(f"{NAMESPACE}address")] == ["127.0.0.1"]
    assert [node.text for node in root.iter(f"{NAMESPACE}useBuiltinTransports")] == ["false"]


def test_both_variables_name_the_profile() -> None:
    added = dds_environment(IMAGE_PUBLISHER, {})
    assert {added[name] for name in PROFILE_VARIABLES} == {str(profile_path(IMAGE_PUBLISHER))}


@pytest.mark.parametrize("variable", PROFILE_VARIABLES)
def test_the_users_profile_wins(variable: str) -> None:
    added = dds_environment(IMAGE_PUBLISHER, {variable: "mine.xml"})
    assert not set(PROFILE_VARIABLES) & set(added)


def test_discovery_stays_on_this_machine_unless_told_otherwise() -> None:
    assert dds_environment(NO_IMAGES, {})["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    humble = dds_environment(NO_IMAGES, {"ROS_DISTRO": "humble"})
    assert humble["ROS_LOCALHOST_ONLY"] == "1"
    told = dds_environment(NO_IMAGES, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"})
    assert not {"ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"} & set(told)


def test_another_dds_is_told_that_the_profile_does_not_apply() -> None:
    assert profile_warning({}) is None
    assert profile_warning({"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}) is None
    warning = profile_warning({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})
    assert warning is not None
    assert "rmw_cyclonedds_cpp" in warning


def test_another_terminal_is_told_what_it_needs_where_it_needs_something() -> None:
    assert "export ROS_LOCALHOST_ONLY=1" in (other_terminals({"ROS_DISTRO": "humble"}) or "")
    sourced = {"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "0"}
    assert "export ROS_LOCALHOST_ONLY=1" in (other_terminals(sourced) or "")
    assert other_terminals({"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "1"}) is None
    assert other_terminals({"ROS_DISTRO": "jazzy"}) is None
    assert other_terminals({}) is None
