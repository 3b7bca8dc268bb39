"""``pilotnet benchmark``: models x circuits x repetitions, driven and compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilotnet_brain.commands.progress import BenchmarkProgress, clear, result_text, show
from pilotnet_brain.errors import FAILED, SUCCESS, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from pilotnet_brain.benchmark.plan import BenchmarkPlan, PlannedRun
    from pilotnet_brain.benchmark.store import BenchmarkStore

_RESULTS_EVERY_S = 10.0
_STOPPED = 130

Value = int | float | str


def benchmark(
    plan: Annotated[
        str | None,
        typer.Argument(help="YAML file with the keys below, or a name; options come first."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs/benchmark"),
    mode: Annotated[str | None, typer.Option(help="live or lockstep.")] = None,
    simulator: Annotated[str | None, typer.Option(help="mujoco, gazebo or gz (live).")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Name or path; more than once. Default: all.")
    ] = None,
    circuit: Annotated[
        list[str] | None,
        typer.Option(help="Name or path, or NAME=REPETITIONS; more than once. Default: all."),
    ] = None,
    repetitions: Annotated[int | None, typer.Option(help="Of circuits that say none.")] = None,
    looks: Annotated[
        str | None, typer.Option(help="Seeds, as in 0,1,2 (0 is the plain look), or drawn.")
    ] = None,
    start_points: Annotated[
        str | None, typer.Option(help="Metres from the start line, as in 0,100, or drawn.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of what is drawn.")] = None,
    disturbance: Annotated[
        list[str] | None,
        typer.Option(help="NAME, or NAME=AMOUNT,AMOUNT...; more than once; lockstep."),
    ] = None,
    world: Annotated[
        str | None, typer.Option(help="Gazebo world file that the circuits lie in.")
    ] = None,
    laps: Annotated[int | None, typer.Option(help="Of every run.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Simulated seconds that end a run.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Of live runs: auto, cpu or cuda.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="What runs the models: torch, onnxruntime or openvino.")
    ] = None,
    record: Annotated[
        bool | None,
        typer.Option(
            "--record/--no-record",
            help="Keep the bag of a live run, the driven line of one in lock-step.",
        ),
    ] = None,
    reference_laps: Annotated[
        str | None, typer.Option(help="Folder of <circuit>.csv, for the published score.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes in lock-step; -1: one a core.")] = -1,
    cluster: Annotated[
        str, typer.Option(help="A Dask scheduler to drive on in lock-step, tcp://...")
    ] = "",
    retry: Annotated[
        bool, typer.Option("--retry", help="Resuming, drive runs that failed again, too.")
    ] = False,
) -> None:
    """Drive models x circuits x repetitions and compare them in one table.

    \b
    Modes:
      live       the real node graph over DDS in real time, one run after the other:
                 the figures that may be published
      lockstep   simulator and model in one process, as fast as the machine goes,
                 the same figures for the same seed: many laps, disturbances

    \b
    Repetitions:
      Live ones are the same lap again (start line, plain look): their spread is that of
      real time. --looks and --start-points have them differ, in turn. In lock-step, where
      a repetition would be the same to the bit, looks and start points are drawn, for
      every circuit and repetition, alike for all models.

    \b
    A plan is a YAML file with the options' names as keys:
      models: [baseline, my/model.pt]                 or all
      circuits: {simple_circuit: 3, montreal: 1}      repetitions of each; or a list, or all
      looks: [0, 1, 2]                                or drawn
      disturbances: {latency: [50, 100]}              or all; lock-step only
      series: {plain: {looks: [0]}, unseen: {circuits: [random-101..120], looks: of_circuit}}
      mode, simulator, repetitions, start_points, seed, laps, time_limit, device, runtime, record,
      reference_laps, disturbance (of every run, or of a series: latency=100), world (likewise)
    Circuits random-1001..1100 are a hundred. Plans that come with the package: live (the
    published table), robustness (1,000 random circuits), disturbances, delay, proof (85 laps
    of each model, for the model card).

    \b
    Results in the --out folder:
      report.html               all of it on one page, with the runs' maps; of live runs,
                                and after pilotnet report of any, linked to their own
      results.md, .csv, .json   the table, every run, both; a run that fails is a row
      disturbances.png          laps finished and deviation over each amount
      runs/                     a folder for each run
      plan.yaml                 what was asked
    Stopped, it goes on where it was when started again with the same plan and folder.

    \b
    Examples:
      pilotnet benchmark --model baseline --model static_quant --circuit simple_circuit=3
      pilotnet benchmark live --out runs/live --reference-laps laps/
      pilotnet benchmark robustness --out runs/robustness
      pilotnet benchmark --mode lockstep --circuit random-1..20 --model qat --laps 2
    """
    from rich.console import Console

    from pilotnet_brain.benchmark.check import check_plan, model_sha256
    from pilotnet_brain.benchmark.plan_file import find_plan, plan_of, read_values
    from pilotnet_brain.benchmark.store import BenchmarkStore
    from pilotnet_brain.driving.model.catalogue import unsigned_warning
    from pilotnet_brain.runs.folder import check_room

    given = {
        "mode": mode,
        "simulator": simulator,
        "models": model,
        "circuits": repetitions_by_circuit(circuit),
        "repetitions": repetitions,
        "looks": listed(looks),
        "start_points": listed(start_points),
        "seed": seed,
        "disturbances": amounts_by_disturbance(disturbance),
        "world": world,
        "laps": laps,
        "time_limit": time_limit,
        "device": device,
        "runtime": runtime,
        "record": record,
        "reference_laps": reference_laps,
    }
    values = {} if plan is None else read_values(find_plan(plan))
    asked = plan_of(values | {key: value for key, value in given.items() if value is not None})
    for warning in filter(None, map(unsigned_warning, asked.models)):
        typer.echo(warning, err=True)
    check_plan(asked)
    console = Console(highlight=False)
    with BenchmarkStore(out, asked, model_sha256, retry=retry) as store:
        if store.to_do:
            check_room(out)
        raise typer.Exit(_benchmark(store, _driver(asked, out, jobs, cluster), console))


Driver = Callable[[list["PlannedRun"]], Iterable[tuple["PlannedRun", Mapping[str, Any]]]]


def _driver(plan: BenchmarkPlan, out: Path, jobs: int, cluster: str) -> Driver:
    """Return what drives runs in the plan's mode."""
    from pilotnet_brain.benchmark.store import RUNS

    if plan.mode == "live":
        from pilotnet_brain.benchmark.live import drive_live

        return lambda runs: drive_live(runs, out / RUNS)

    from pilotnet_brain.benchmark.sweep import drive_in_lockstep

    return lambda runs: drive_in_lockstep(runs, out / RUNS, jobs, cluster or None)


def _benchmark(store: BenchmarkStore, drive: Driver, console: Console) -> int:
    """Drive what is to do, keep and show the results; return the exit status."""
    from pilotnet_brain.machine import made_by
    from pilotnet_brain.package_share import pilotnet_command
    from pilotnet_brain.report.benchmark_results import write_results

    machine = made_by()

    def write() -> None:
        write_results(store.folder, store.plan, store.rows, machine)

    stopped = False
    try:
        _drive(store, drive, console, write)
    except KeyboardInterrupt:
        stopped = True
    finally:
        write()
    _show(store)
    _write_pages(store, runs=store.plan.mode == "live" and not stopped)
    if stopped:
        plan = store.folder / "plan.yaml"
        again = f"{pilotnet_command()} benchmark {plan} --out {store.folder}"
        done = f"stopped after {len(store.rows)} of {store.total} runs"
        typer.echo(f"{done}; go on with: {again}", err=True)
        return _STOPPED
    return FAILED if any(row["failed"] for row in store.rows) else SUCCESS


def _show(store: BenchmarkStore) -> None:
    """Draw what is drawn, and print the table."""
    from pilotnet_brain.report.benchmark_results import draw_curves, shown_summary, summary_table
    from pilotnet_brain.report.tables import print_tables

    if rows := store.rows:
        draw_curves(store.folder, store.plan, rows)
        finished = sum(row["finished"] for row in rows)
        title = f"{finished} of {len(rows)} runs finished"
        print_tables(summary_table(shown_summary(store.plan, rows), title))


def _write_pages(store: BenchmarkStore, runs: bool) -> None:
    """Write report.html, and where asked that of every run: a second each.

    Of a sweep's hundreds ``pilotnet report`` makes them for who wants them.
    """
    from pilotnet_brain.report.page.benchmark import write_benchmark_page, write_missing_run_pages

    if runs:
        write_missing_run_pages(
            store.folder, lambda done, count: show(f"{done} of {count} pages of runs")
        )
        clear()
    write_benchmark_page(store.folder)
    typer.echo(f"results in {store.folder}: report.html, results.md, results.csv, results.json")


def _drive(
    store: BenchmarkStore, drive: Driver, console: Console, write: Callable[[], None]
) -> None:
    from pilotnet_brain.benchmark.check import model_sha256
    from pilotnet_brain.benchmark.row import row_of
    from pilotnet_brain.benchmark.store import RUNS

    to_do = store.to_do
    if store.rows:
        typer.echo(f"{len(store.rows)} of {store.total} runs are there already")
    written_at = time.monotonic()
    with BenchmarkProgress(console, len(store.rows), _work(to_do)) as progress:
        for run, figures in drive(to_do):
            folder = f"{RUNS}/{run.name}"
            kept = folder if (store.folder / folder).is_dir() else None
            sha256 = model_sha256(run.spec.model)
            store.add(row_of(run, figures, folder=kept, sha256=sha256))
            progress.add(run, result_text(figures))
            if time.monotonic() - written_at > _RESULTS_EVERY_S:
                write()
                written_at = time.monotonic()


def _work(runs: list[PlannedRun]) -> dict[str, float]:
    """Return how long each run is compared with the others: the lap, or 1 where that is unknown.

    Building a random circuit only to know its length would take longer than it helps.
    """
    from pilotnet_brain.benchmark.plan import circuit_length
    from pilotnet_brain.circuits.catalogue import circuit_names

    if not {run.spec.circuit for run in runs} <= set(circuit_names()):
        return {run.name: 1.0 for run in runs}
    return {run.name: circuit_length(run.spec.circuit) for run in runs}


def listed(text: str | None) -> list[Value] | str | None:
    """Return ``0,1,2`` as numbers; a word, such as ``drawn``, as it is."""
    if text is None:
        return None
    values = [_value(part) for part in text.split(",")]
    return values[0] if len(values) == 1 and isinstance(values[0], str) else values


def repetitions_by_circuit(options: Sequence[str] | None) -> dict[str, Any] | None:
    """Return ``NAME=3`` as 3 repetitions of NAME, ``NAME`` as those that the plan says.

    Raises:
        UserError: a circuit is given twice.
    """
    return None if options is None else _by_name("circuit", options, _value)


def amounts_by_disturbance(options: Sequence[str] | None) -> dict[str, Any] | None:
    """Return ``NAME=50,100`` as two amounts of NAME.

    Raises:
        UserError: a disturbance is given twice.
    """
    return None if options is None else _by_name("disturbance", options, listed)


def _by_name(option: str, texts: Sequence[str], parse: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name in values:
            raise UserError(f"--{option} {name} is given twice")
        values[name] = parse(value) if equals else None
    return values


def _value(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
