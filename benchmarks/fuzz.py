"""Send hostile messages to the nodes of a run: ``make fuzz``.

Numbers that are none, absurd sizes, texts that are not UTF-8, damaged bytes, odd service calls, on
every topic and service that they have; good frames in between. ``--help`` has the options.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import rclpy
import typer
from fuzzing.attack import Attacker, problems_of_metrics
from fuzzing.nodes import FuzzedNode, ended, run_spec, started
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pilotnet_brain.bags.reader import stream_bag
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import FAILED, USER_ERROR, UserError, input_warnings_to
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment, remove_dead_files
from pilotnet_brain.runs.topics import topics_of
from pilotnet_brain.simulation.mujoco.example_frames import example_frames

_GROWTH_MB = 200.0
"""More than the queues of all topics and the run's own lists can hold."""
_BEAT_EVERY = 4
_ANSWER_S = 10.0


def fuzz(
    messages: Annotated[int, typer.Option(min=10, help="Hostile messages to send.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 1,
    model: Annotated[str, typer.Option(help="Name or path of the model that drives.")] = "baseline",
    circuit: Annotated[str, typer.Option(help="Circuit of the metrics node.")] = "simple_circuit",
    out: Annotated[
        Path | None, typer.Option(help="Folder for logs, metrics and bag; else a temporary one.")
    ] = None,
) -> None:
    """Send hostile messages to a brain, a metrics node, a guard and a recorder.

    Afterwards all of them must run, without a traceback in a log and with bounded memory, the
    brain must drive on good frames, metrics.json and the bag must be readable. Exit status 1 else.

    \b
    Examples:
      benchmarks/fuzz.py
      benchmarks/fuzz.py --messages 100000 --seed 7 --out /tmp/fuzz
    """
    with tempfile.TemporaryDirectory(prefix="pilotnet_fuzz_") as folder:
        problems = _campaign(messages, random.Random(seed), model, circuit, out or Path(folder))
    for problem in problems:
        print(f"fault: {problem}", file=sys.stderr)
    if problems:
        print(f"seed {seed}", file=sys.stderr)
        raise typer.Exit(FAILED)


def _campaign(messages: int, rng: random.Random, model: str, circuit: str, out: Path) -> list[str]:
    remove_dead_files()
    os.environ.update(dds_environment(IMAGE_PUBLISHER))
    spec = run_spec(model, circuit)
    line = load_circuit(circuit).centerline
    frames, _ = example_frames(1)
    rclpy.init(args=[])
    with started(spec, out / "run") as (folder, nodes):
        names = [node.name for node in nodes]
        attacker = Attacker(topics_of(spec), line, frames[0], names, rng)
        attacker.until_driving()
        for node in nodes:
            node.first_mb = node.resident_mb()
        begin = time.monotonic()
        problems = _attack(attacker, nodes, messages, topics_of(spec)["camera/image_raw"])
        seconds = time.monotonic() - begin
        unanswered = attacker.unanswered(_ANSWER_S)
        for node in nodes:
            node.last_mb = node.resident_mb()
        if not problems:
            try:
                attacker.until_driving()
            except UserError as problem:
                problems.append(str(problem))
            problems += ended(nodes)
        problems += _problems_left(nodes, attacker)
        problems += problems_of_metrics(folder.metrics_json.read_text())
        recorded = _read_bag(folder.bag, problems)
        _show(nodes, attacker, seconds, unanswered, recorded)
        if problems:
            print("last messages:", *attacker.last_sent(), sep="\n  ", file=sys.stderr)
    rclpy.try_shutdown()
    return problems


def _attack(attacker: Attacker, nodes: list[FuzzedNode], messages: int, camera: str) -> list[str]:
    """Send the messages; stop at the first node that ends."""
    for number in track(range(messages), "hostile messages", console=Console(stderr=True)):
        if attacker.sent >= messages:
            break
        if number == messages // 4:
            attacker.as_compressed(camera)
        attacker.attack()
        if number % _BEAT_EVERY == 0:
            attacker.beat()
        dead = [node.name for node in nodes if node.process.poll() is not None]
        if dead:
            return [f"{name} ended after {attacker.sent} messages" for name in dead]
    return []


def _problems_left(nodes: list[FuzzedNode], attacker: Attacker) -> list[str]:
    problems = [f"{node.name}: {text}" for node in nodes for text in node.problems()[:3]]
    for node in nodes:
        grown = node.last_mb - node.first_mb
        if grown > _GROWTH_MB:
            problems.append(f"{node.name}: memory grew by {grown:.0f} MB")
    if attacker.wild_commands:
        problems.append(f"the brain's commands: {attacker.wild_commands[:5]}")
    return problems


def _read_bag(path: Path, problems: list[str]) -> int:
    """Return how many messages a bag gives back."""
    try:
        with input_warnings_to(Console(stderr=True).print):
            return sum(1 for _ in stream_bag(path, lambda topic, kind: True))
    except (UserError, OSError) as problem:
        problems.append(f"bag: {problem}")
        return 0


def _show(
    nodes: list[FuzzedNode], attacker: Attacker, seconds: float, unanswered: int, recorded: int
) -> None:
    table = Table(title=f"{attacker.sent} messages and {attacker.calls} calls in {seconds:.0f} s")
    for column in ("node", "memory before (MB)", "after (MB)", "log (lines)"):
        table.add_column(column, justify="left" if column == "node" else "right")
    for node in nodes:
        lines = node.log.read_bytes().count(b"\n")
        table.add_row(node.name, f"{node.first_mb:.0f}", f"{node.last_mb:.0f}", str(lines))
    console = Console()
    console.print(table)
    console.print(
        f"{attacker.commands} commands of the brain, {unanswered} calls without an answer, "
        f"{recorded} messages in the bag"
    )


if __name__ == "__main__":
    try:
        typer.run(fuzz)
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(USER_ERROR)
