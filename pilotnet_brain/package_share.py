"""Where the package's shared files (models, launch files, circuits) and its command lie."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pilotnet_brain.errors import UserError

_PACKAGE = "pilotnet_brain"


def share_dir() -> Path:
    """Return the folder that holds models/, config/ and launch/.

    In a checkout that is the checkout's root. Installed by colcon it is
    ``<prefix>/share/pilotnet_brain``, found through AMENT_PREFIX_PATH as ROS does, without ROS;
    installed by pip it lies under ``sys.prefix``.

    Raises:
        UserError: none of these places holds the package's files.
    """
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "package.xml").is_file() and (checkout / "models").is_dir():
        return checkout
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in [*prefixes, sys.prefix]:
        share = Path(prefix) / "share" / _PACKAGE
        if share.is_dir():
            return share
    raise UserError(
        f"the shared files of {_PACKAGE} were not found under AMENT_PREFIX_PATH or {sys.prefix}: "
        "source the workspace's install/setup.bash, or run from a checkout"
    )


def installed_command() -> Path | None:
    """Return the ``pilotnet`` that colcon installed; None in a checkout."""
    program = share_dir().parent.parent / "lib" / _PACKAGE / "pilotnet"
    return program if program.is_file() else None


def pilotnet_command() -> str:
    """Return how a user starts this ``pilotnet``: by its path where PATH has none."""
    if shutil.which("pilotnet"):
        return "pilotnet"
    for program in (Path(sys.executable).with_name("pilotnet"), installed_command()):
        if program is not None and program.is_file():
            return os.path.relpath(program) if program.is_relative_to(Path.cwd()) else str(program)
    return f"{sys.executable} -m {_PACKAGE}.cli"
