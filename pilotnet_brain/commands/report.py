"""``pilotnet report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pilotnet_brain.commands.progress import clear, show
from pilotnet_brain.errors import UserError

_NEWEST = Path("runs/latest")


def report(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Run, benchmark, bag or BehaviorMetrics result; default runs/latest.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of a comparison's files; or file of a video.")
    ] = None,
    circuit: Annotated[
        str | None,
        typer.Option(help="Of a bag, or of BehaviorMetrics' results, which do not name it."),
    ] = None,
    laps: Annotated[
        int | None, typer.Option(min=0, help="Of a bag's run; 0: all; default the run's, or 1.")
    ] = None,
    reference_lap: Annotated[
        Path | None, typer.Option(help="Of a bag: CSV or bag, for the published deviation score.")
    ] = None,
    odom_topic: Annotated[
        str | None, typer.Option(help="Of a bag; default /F1ROS/odom or the only odometry.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Of a bag: file to write the figures to.")
    ] = None,
    video: Annotated[bool, typer.Option("--video", help="Make a video of the run.")] = False,
    from_s: Annotated[
        float | None, typer.Option("--from", min=0.0, help="Of a video: start in the run, s.")
    ] = None,
    until_s: Annotated[
        float | None, typer.Option("--until", help="Of a video: end in the run, s.")
    ] = None,
    fps: Annotated[
        int | None, typer.Option(min=1, max=60, help="Of a video: pictures a second; default 20.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=160, max=1280, help="Of a video: pixels; default 1280.")
    ] = None,
) -> None:
    """Show how good runs are: a run or benchmark as a page, several compared, a bag measured.

    \b
    A run or a benchmark    writes report.html into its folder: one file for any browser, which
                            needs no network. A run's page: map, graphs, the brain's times, the
                            camera at the largest deviation, all figures, published ones next to
                            ours. A benchmark's page: its tables, every run's map and page.
    Several PATHs           tables of runs, folders of runs (repetitions), benchmarks and results
                            of BehaviorMetrics (JSON, or folders of it), and whether they differ
                            by more than their spread. --out FOLDER: compare.md, compare.csv and
                            a picture a circuit.
    A bag (ROS 1, ROS 2)    the run's figures, as the live metrics node measures them. Of a bag in
                            a run's folder the circuit, laps, limits and topics are known.
    --video                 camera, commands, map and running figures at true speed: run.mp4 in
                            the run's folder, or --out FILE (.mp4, .webp, .gif). Frames that were
                            not recorded (--record-camera) the embedded simulator redraws.

    \b
    Examples:
      pilotnet report                              the newest run
      pilotnet report runs/benchmark               a benchmark, and all its runs
      pilotnet report runs/A runs/B --out compared
      pilotnet report runs/latest 20220217-113000.json
      pilotnet report lap.bag --circuit simple_circuit --json figures.json
      pilotnet report runs/latest/bag --reference-lap perfect_lap.bag
      pilotnet report --video --from 10 --until 18 --fps 10 --width 640 --out bend.webp
    """
    from pilotnet_brain.bags.reader import is_bag
    from pilotnet_brain.report.page.benchmark import is_benchmark
    from pilotnet_brain.report.run_data import is_run

    of_bag = {"laps": laps, "reference_lap": reference_lap, "odom_topic": odom_topic}
    of_video = {"from": from_s, "until": until_s, "fps": fps, "width": width}
    given: dict[str, Any] = {**of_bag, **of_video, "json": json_file}
    given |= {"circuit": circuit, "out": out}
    first, *others = paths or [_NEWEST]
    if video:
        _refuse_others(given, "a video", {*of_video, "out"})
        if others:
            raise UserError(f"{others[0]}: one PATH too many: a video shows one run")
        stretch = {"from_s": from_s, "until_s": until_s, "fps": fps, "width": width}
        _video(first, out, stretch)
    elif not others and is_bag(first):
        _refuse_others(given, "a bag", {*of_bag, "json", "circuit"})
        _measure(first, json_file, circuit=circuit, **of_bag)
    elif not others and (is_benchmark(first) or is_run(first)):
        _refuse_others(given, "a page", set())
        _write_page(first)
    else:
        _refuse_others(given, "a comparison", {"out", "circuit"})
        _compare([first, *others], circuit, out)


def _refuse_others(given: dict[str, Any], what: str, known: set[str]) -> None:
    """Raise UserError for an option that has no part in what is made."""
    for name, value in given.items():
        if value is not None and name not in known:
            raise UserError(f"--{name.replace('_', '-')} does not go with {what}; see --help")


def _write_page(path: Path) -> None:
    from pilotnet_brain.report.page.benchmark import (
        is_benchmark,
        write_benchmark_page,
        write_missing_run_pages,
    )
    from pilotnet_brain.report.page.run import write_run_page
    from pilotnet_brain.runs.folder import RunFolder

    if not is_benchmark(path):
        typer.echo(write_run_page(RunFolder.open(path)))
        return
    try:
        write_missing_run_pages(
            path, lambda done, count: show(f"report: {done} of {count} pages of runs")
        )
    finally:
        clear()
    typer.echo(write_benchmark_page(path))


def _compare(paths: list[Path], circuit: str | None, out: Path | None) -> None:
    from pilotnet_brain.report.compare.sides import sides_by_circuit
    from pilotnet_brain.report.compare.tables import closing_notes, printed_tables, write_comparison
    from pilotnet_brain.report.tables import print_tables

    by_circuit = sides_by_circuit(paths, circuit)
    for name, sides in by_circuit.items():
        print_tables(*printed_tables(name, sides))
    print_tables(*closing_notes(by_circuit))
    if out is not None:
        write_comparison(out, by_circuit)
        typer.echo(f"{out}: compare.md, compare.csv and the pictures")


def _measure(bag: Path, json_file: Path | None, **asked: Any) -> None:
    import json

    from pilotnet_brain.report.figures import run_table, warning_lines
    from pilotnet_brain.report.run_data import measure_bag
    from pilotnet_brain.report.tables import print_tables

    run = measure_bag(bag, **asked)
    print_tables(run_table(run.figures))
    for line in warning_lines(run.figures):
        typer.echo(line, err=True)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(run.figures, indent=1) + "\n", encoding="utf-8")
        except OSError as problem:
            raise UserError(f"{json_file}: cannot be written: {problem}") from problem


def _video(path: Path, out: Path | None, stretch: dict[str, Any]) -> None:
    import signal
    import time

    from pilotnet_brain.report.video.make_video import write_video
    from pilotnet_brain.runs.folder import RunFolder

    # SIGTERM ends it like Ctrl-C: no half file is left.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()

    def show_progress(done: int, count: int) -> None:
        left_s = (time.monotonic() - start) / done * (count - done)
        show(f"video: {done} of {count} pictures, {left_s:.0f} s left")

    chosen = {name: value for name, value in stretch.items() if value is not None}
    try:
        made = write_video(RunFolder.open(path), out, on_picture=show_progress, **chosen)
    finally:
        clear()
    typer.echo(f"{made}: {made.stat().st_size / 1e6:.1f} MB")
