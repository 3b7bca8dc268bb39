"""``pilotnet swap``: another model for a brain that is driving."""

from __future__ import annotations

from typing import Annotated

import typer


def swap(
    model: Annotated[str, typer.Argument(help="Name, or path of a model file.")],
    namespace: Annotated[
        str, typer.Option(help="Of the brain, where several are running, e.g. /car1.")
    ] = "",
) -> None:
    """Change the model of a running brain, between two frames.

    The brain loads and tests the new model while it drives on with the old one; a model that is
    unfit is refused. Where ROS 2 is installed, `ros2 param set /brain model NAME` does the same.

    \b
    Examples:
      pilotnet swap static_quant
      pilotnet swap my/model.pt --namespace /car1
    """
    from pilotnet_brain.driving.model.catalogue import unsigned_warning
    from pilotnet_brain.runs.ros_environment import check_ros_environment

    check_ros_environment()
    if warning := unsigned_warning(model):
        typer.echo(warning, err=True)
    # Brings rclpy along, which reads some of the environment when it is imported.
    from pilotnet_brain.nodes.swap_client import swap_model

    typer.echo(f"{swap_model(model, namespace)} now drives with {model}")
