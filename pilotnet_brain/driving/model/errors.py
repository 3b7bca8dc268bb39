"""What is wrong with a model file."""

from __future__ import annotations

from pilotnet_brain.errors import UserError


class ModelError(UserError):
    """A model file that cannot be driven with; the text names the file and the fix."""


class WrittenDeviceError(ModelError):
    """A network whose code names another device than the one that it was to run on."""


ADOPT_HINT = "'pilotnet models adopt' makes a model file of networks with other inputs and outputs"
