"""``pilotnet data``: collect a data set, make one from rosbags, and show what is in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilotnet_brain.commands.progress import clear, show
from pilotnet_brain.errors import USER_ERROR, UserError

if TYPE_CHECKING:
    from pilotnet_brain.learning.from_bag import BagCounts
    from pilotnet_brain.learning.recipe import DataSetSummary

app = typer.Typer(
    help="Data sets: collect one, make one from bags, show what is in one.", rich_markup_mode=None
)


@app.command("collect")
def collect(
    out: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    frames: Annotated[int, typer.Option(min=1, help="How many frames.")] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 1,
    circuit: Annotated[
        list[str] | None,
        typer.Option(help="Circuit to drive on; give it more than once for several."),
    ] = None,
    random_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of random circuits.")
    ] = 0.7,
    plain_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of worlds with the plain look.")
    ] = 0.15,
    world: Annotated[
        Path | None,
        typer.Option(help="Gazebo world file that the circuits lie in: shows its road, not ours."),
    ] = None,
    max_speed: Annotated[
        float, typer.Option(min=6.5, max=24.0, help="The expert's on straights, m/s.")
    ] = 16.0,
    lateral_acceleration: Annotated[
        float, typer.Option(min=1.0, help="The expert's in bends, m/s^2: more is faster.")
    ] = 12.0,
    pursuit_time: Annotated[
        float,
        typer.Option(
            min=0.05, max=1.0, help="How far ahead the expert steers, s: less follows tighter."
        ),
    ] = 0.2,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Numbered 640x480 pictures, JdeRobot's layout, not a compact array."
        ),
    ] = False,
    jobs: Annotated[int, typer.Option(help="Processes; -1 is one a core.")] = -1,
    simulator: Annotated[
        str,
        typer.Option(
            help="Collect live, over ROS topics, in gazebo, gz or none (one that runs already): "
            "frames, seed, one circuit and world count."
        ),
    ] = "",
    preset: Annotated[
        str, typer.Option(help="Of a live run: somebody else's car, as drive takes it.")
    ] = "",
) -> None:
    """Collect a data set: frames, labelled by the expert who drives.

    It starts anywhere, on and off the line, on circuits with drawn looks. The same command makes
    the same data set, whatever the number of processes; run again after a stop, it resumes.

    \b
    Examples:
      pilotnet data collect datasets/train --frames 40000
      pilotnet data collect datasets/validation --frames 4000 --seed 2 --random-share 1
      pilotnet data collect datasets/mine --circuit lap.csv --world my.world --random-share 0
      pilotnet data collect datasets/gazebo --simulator gazebo --circuit montreal --frames 2000
      pilotnet data collect datasets/png --frames 1000 --pictures
      pilotnet data collect datasets/fast --max-speed 19 --lateral-acceleration 20
    """
    if simulator or preset:
        embedded_only = {
            "--random-share": random_share != 0.7,
            "--plain-share": plain_share != 0.15,
            "--max-speed": max_speed != 16.0,
            "--lateral-acceleration": lateral_acceleration != 12.0,
            "--pursuit-time": pursuit_time != 0.2,
            "--pictures": pictures,
            "--jobs": jobs != -1,
        }
        _refuse_given(embedded_only)
        _collect_live(
            out,
            frames,
            {
                "simulator": simulator or "none",
                "preset": preset,
                "seed": seed,
                "circuit": _one_circuit(circuit),
                "world": "" if world is None else str(world),
            },
        )
        return
    from pilotnet_brain.driving.expert import DrivingStyle
    from pilotnet_brain.learning.collect import collect as collect_worlds
    from pilotnet_brain.learning.recipe import TRAINING_CIRCUITS, Recipe
    from pilotnet_brain.package_share import pilotnet_command

    recipe = Recipe(
        frames=frames,
        seed=seed,
        circuits=tuple(circuit) if circuit else TRAINING_CIRCUITS,
        random_share=random_share,
        plain_share=plain_share,
        world="" if world is None else str(world.resolve()),
        style=DrivingStyle(
            max_speed=max_speed,
            lateral_acceleration=lateral_acceleration,
            pursuit_time_s=pursuit_time,
        ),
        full_frames=pictures,
    )
    for finished, worlds in collect_worlds(out, recipe, jobs):
        show(f"world {finished} of {worlds}")
    clear()
    typer.echo(
        f"{frames} frames are in {out}; next: "
        f"{pilotnet_command()} train {out} --validation OTHER --out models/mine.pt"
    )


def _refuse_given(given: dict[str, bool]) -> None:
    for option, is_given in given.items():
        if is_given:
            raise UserError(f"{option}: not for a live run (--simulator, --preset); leave it out")


def _one_circuit(circuits: list[str] | None) -> str:
    if circuits is None or len(circuits) != 1:
        raise UserError("--simulator: name the circuit that is driven, with one --circuit")
    return circuits[0]


def _collect_live(out: Path, frames: int, arguments: dict[str, Any]) -> None:
    """Collect over a live run's topics."""
    from pilotnet_brain.learning.from_bag import BagCounts
    from pilotnet_brain.runs.collect_live import collect_live, collecting_arguments
    from pilotnet_brain.runs.drive import RunInterrupted, RunRefused
    from pilotnet_brain.runs.preset import spec_of

    spec = spec_of(arguments | collecting_arguments(frames, arguments["simulator"]))
    counts = BagCounts()
    try:
        for counts in collect_live(out, spec, frames):
            show(f"{counts.kept} frames")
    except RunRefused:
        raise typer.Exit(USER_ERROR) from None
    except RunInterrupted as stopped:
        _tell_counts(out, counts)
        raise typer.Exit(128 + stopped.number) from None
    _tell_counts(out, counts)
    if counts.kept < frames:
        typer.echo(f"{frames - counts.kept} frames fewer than asked for: the drive ended before")


@app.command("from-bag")
def from_bag(
    bags: Annotated[list[Path], typer.Argument(help="ROS 2 or ROS 1 bags of drives.")],
    out: Annotated[Path, typer.Option(help="Folder of the data set; new or empty.")],
    layout: Annotated[
        str,
        typer.Option("--format", help="compact (ours), jderobot (pictures) or lerobot (v3)."),
    ] = "compact",
    circuit: Annotated[
        str, typer.Option(help="Label by the expert on this circuit, with the bag's odometry.")
    ] = "",
    delay: Annotated[
        float,
        typer.Option(min=-2.0, max=2.0, help="The driver's command so long after a frame, s."),
    ] = 0.0,
    takeovers: Annotated[
        bool,
        typer.Option("--takeovers", help="Only frames on which a person had taken over."),
    ] = False,
    min_speed: Annotated[
        float, typer.Option(min=0.0, help="Leave out frames of a slower driver, m/s.")
    ] = 0.1,
    wheelbase: Annotated[
        float, typer.Option(min=0.0, help="Of a car with Ackermann commands, m.")
    ] = 0.0,
    image_topic: Annotated[str, typer.Option(help="Of the frames; raw or compressed.")] = "",
    command_topic: Annotated[
        str, typer.Option(help="Twist, TwistStamped or AckermannDriveStamped.")
    ] = "",
    odom_topic: Annotated[
        str, typer.Option(help="Of the true pose, for --circuit and lerobot.")
    ] = "",
    camera_pose: Annotated[
        str, typer.Option(help="Where the camera sat: 'X Y Z ROLL PITCH YAW' (m, rad).")
    ] = "",
    camera_fov: Annotated[
        float,
        typer.Option(min=0.0, max=3.1, help="Horizontal, rad, where there is no camera_info."),
    ] = 0.0,
) -> None:
    """Make a data set from rosbags of drives.

    Each frame is labelled with the driver's command in force when it was recorded, or, with
    --circuit, with what the expert does at that pose, which makes good data of bad driving. Left
    out, and counted, are frames of a standing car, without a command for half a second, without a
    pose, off the road, and broken ones. Frames of any size and camera are warped to the model's
    camera, as the brain does it.

    \b
    Formats:
      compact   what the network sees of each frame, in one array
      jderobot  numbered 640x480 pictures and data.csv
      lerobot   a LeRobotDataset v3 of 640x480 pictures, a bag an episode; needs pyarrow

    \b
    Examples:
      pilotnet data from-bag lap1.bag lap2.bag --out datasets/laps
      pilotnet data from-bag runs/latest/bag --out datasets/expert --circuit montreal
      pilotnet data from-bag runs/latest/bag --out datasets/corrections --takeovers
      pilotnet data from-bag drive.mcap --out datasets/mine --image-topic /camera/image_raw
      pilotnet data from-bag lap1.bag lap2.bag --out datasets/le_laps --format lerobot
    """
    from pilotnet_brain.driving.camera_pose import pose_of_text
    from pilotnet_brain.learning.bag_drive import BagLabels
    from pilotnet_brain.learning.from_bag import FORMATS, BagCounts, dataset_from_bags

    if layout not in FORMATS:
        raise UserError(f"--format is {layout!r}; formats: {', '.join(FORMATS)}")
    try:
        pose = pose_of_text(camera_pose) if camera_pose else None
    except ValueError as problem:
        raise UserError(f"--camera-pose: {problem}") from None
    labels = BagLabels(
        circuit, delay, 0, takeovers, min_speed, wheelbase, image_topic, command_topic, odom_topic,
        pose, camera_fov,
    )  # fmt: skip
    counts = BagCounts()
    for counts in dataset_from_bags(out, bags, labels, layout):
        show(f"{counts.kept} frames")
    _tell_counts(out, counts)


def _tell_counts(out: Path, counts: BagCounts) -> None:
    """Say what became of the frames."""
    from pilotnet_brain.driving.command import JDEROBOT_RANGE
    from pilotnet_brain.package_share import pilotnet_command

    clear()
    typer.echo(f"{counts.kept} frames are in {out}")
    for reason, count in counts.left_out.most_common():
        typer.echo(f"  {count} left out: {reason}")
    if counts.below_range:
        typer.echo(
            f"  {counts.below_range} are slower than the {JDEROBOT_RANGE.speed_min:g} m/s at which "
            "the network's range begins: drive faster, or its outputs must learn to go below 0"
        )
    typer.echo(f"next: {pilotnet_command()} data show {out}")


@app.command("show")
def show_data(
    folder: Annotated[
        Path, typer.Argument(help="Of the data set, of any layout; or a table in it.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Picture to write: .png, .svg or .pdf. [default: FOLDER/dataset.png, TABLE.png]"
        ),
    ] = None,
) -> None:
    """Show what is in a data set, in numbers and as a picture.

    Counts its frames, worlds, recoveries and directions, and draws the distribution of its labels.
    It may be ours, JdeRobot's (numbered pictures and data.csv; folders of pictures and train.csv or
    label.csv) or a LeRobotDataset v3. Of JdeRobot's newer ones a table alone may be named, too.

    \b
    Examples:
      pilotnet data show datasets/train
      pilotnet data show datasets/test --out test.svg
      pilotnet data show Follow-Line-Simple-Circuit-Dataset/test.csv
    """
    from pilotnet_brain.learning.dataset import load_dataset
    from pilotnet_brain.learning.recipe import read_recipe, summarize
    from pilotnet_brain.report.dataset_picture import draw_dataset
    from pilotnet_brain.report.track_drawing import check_picture

    own = folder.with_suffix(".png") if folder.is_file() else folder / "dataset.png"
    path = own if out is None else out
    check_picture(path)
    data = load_dataset(folder)
    lines = _lines(summarize(data, read_recipe(folder)))
    for line in lines:
        typer.echo(line)
    replaced = " (replaced)" if path.exists() else ""
    draw_dataset(path, data, folder.resolve().name, " · ".join(lines[:4]))
    typer.echo(f"{path}{replaced}")


def _lines(summary: DataSetSummary) -> list[str]:
    worlds = "" if summary.worlds is None else f" from {summary.worlds} worlds"
    lines = [f"{summary.frames} frames{worlds}"]
    if summary.recoveries is not None:
        lines.append(f"{summary.recoveries:.0%} taken off the line, on the way back")
    if summary.left_bends is not None and summary.right_bends is not None:
        lines.append(f"{summary.left_bends:.0%} in left bends, {summary.right_bends:.0%} in right")
    if summary.plain_looks is not None:
        lines.append(f"{summary.plain_looks:.0%} in the plain look")
    for name, count in (summary.circuits or {}).items():
        lines.append(f"  {name:<24} {count:>6} frames")
    return lines
