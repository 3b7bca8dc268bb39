"""What goes wrong in talking to a Gazebo, Classic or Sim."""

from __future__ import annotations


class GazeboUnreachable(ConnectionError):  # noqa: N818  (named by what it is)
    """No Gazebo answers, or the one that did is gone."""


class BrokenMessage(ValueError):  # noqa: N818  (named by what it is)
    """Bytes that are not the message they should be."""
