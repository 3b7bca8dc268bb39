"""What ROS 2 reads from a process's environment, checked before it does.

Left to ROS 2, a mistyped variable ends every node with a traceback, ends the process from within a
library, or leaves nodes that never find each other.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.fast_dds import FAST_DDS, PROFILE_VARIABLES

_LARGEST_DOMAIN = 232
"""Beyond, the UDP ports that a domain's number gives are no ports."""
_RANGES = ("LOCALHOST", "SUBNET", "SYSTEM_DEFAULT")
_IMPORT_ROS = "import contextlib\nwith contextlib.suppress(ImportError):\n    import rclpy"


def check_ros_environment(environment: Mapping[str, str] | None = None) -> None:
    """Check the variables that ROS 2 and Fast DDS read (default: of this process).

    Raises:
        UserError: a value with which nodes cannot start or cannot find each other.
    """
    present = os.environ if environment is None else environment
    domain = present.get("ROS_DOMAIN_ID", "").strip()
    if domain and not (domain.isdecimal() and int(domain) <= _LARGEST_DOMAIN):
        raise UserError(
            f"ROS_DOMAIN_ID is {domain!r}: it must be a whole number, 0 to {_LARGEST_DOMAIN}"
        )
    reach = present.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    if reach and reach not in _RANGES:
        why = "nodes do not find each other" if reach == "OFF" else "ROS 2 knows no such range"
        raise UserError(
            f"ROS_AUTOMATIC_DISCOVERY_RANGE is {reach!r}: {why}; use one of {', '.join(_RANGES)}, "
            "or unset it"
        )
    local = present.get("ROS_LOCALHOST_ONLY", "")
    if local not in ("", "0", "1"):
        raise UserError(f"ROS_LOCALHOST_ONLY is {local!r}, which ROS 2 takes for 0: use 1 or 0")
    for peer in filter(None, present.get("ROS_STATIC_PEERS", "").split(";")):
        try:
            socket.getaddrinfo(peer, None)
        except (OSError, UnicodeError) as problem:
            raise UserError(
                f"ROS_STATIC_PEERS names {peer!r}, which is not found ({problem}): name hosts or "
                "addresses, separated by ;"
            ) from problem
    _check_middleware(present)


def check_text(name: str, text: str) -> None:
    """Check a text that becomes a ROS parameter, under the name that a message calls it by.

    Raises:
        UserError: it is not UTF-8, such as a file's name in another encoding.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{name} is {text!r}, which is not UTF-8 as ROS 2's parameters are: rename it"
        ) from None


def _check_middleware(present: Mapping[str, str]) -> None:
    middleware = present.get("RMW_IMPLEMENTATION", "")
    if middleware in ("", *FAST_DDS):
        for name in PROFILE_VARIABLES:
            if present.get(name):
                _check_profile(name, Path(present[name]))
    # ROS 2 ends the process from within its libraries as soon as they are loaded.
    if middleware and _ends_at_import(present):
        raise UserError(
            f"RMW_IMPLEMENTATION is {middleware!r}, which is not installed here: install its "
            "package, or unset the variable"
        )


def _check_profile(variable: str, path: Path) -> None:
    try:
        ElementTree.parse(path)
    except OSError as problem:
        raise UserError(
            f"{variable} is {path}, which cannot be read ({problem.strerror}): name an XML "
            "profile of Fast DDS, or unset it"
        ) from problem
    except (ElementTree.ParseError, ValueError) as problem:
        raise UserError(
            f"{variable} is {path}, which is not XML ({problem}): name an XML profile of Fast "
            "DDS, or unset it"
        ) from problem


def _ends_at_import(environment: Mapping[str, str]) -> bool:
    """Return whether ROS 2's libraries end a process with this environment."""
    loaded = subprocess.run(
        [sys.executable, "-c", _IMPORT_ROS],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return loaded.returncode != 0
