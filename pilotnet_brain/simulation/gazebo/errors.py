"""What goes wrong in talking to a Gazebo, Classic or Sim."""

from __future__ import annotations

from pilotnet_brain.errors import UserError


class GazeboUnreachable(ConnectionError):  # noqa: N818  (named by what it is)
    """No Gazebo answers, or the one that did is gone."""


class NotInstalled(UserError):  # noqa: N818  (named by what it is)
    """The Gazebo that was asked for is not on this machine."""
