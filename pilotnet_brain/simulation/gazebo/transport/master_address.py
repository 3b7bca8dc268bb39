"""Where Gazebo's master is."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from pilotnet_brain.errors import UserError

DEFAULT_PORT = 11345


def master_address(uri: str | None = None) -> tuple[str, int]:
    """Return host and port of the master.

    Args:
        uri: such as ``http://127.0.0.1:11345`` (default: GAZEBO_MASTER_URI, else that one).

    Raises:
        UserError: not such an address.
    """
    text = uri or os.environ.get("GAZEBO_MASTER_URI") or f"http://127.0.0.1:{DEFAULT_PORT}"
    parts = urlsplit(text if "//" in text else f"//{text}")
    try:
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host = None
    if not host:
        raise UserError(f"{text!r} is no address of a Gazebo: write http://HOST:PORT")
    return host, port
