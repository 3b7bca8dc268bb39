"""The same drives in the embedded simulator and in Gazebo: their paths, and how far they differ.

The pictures in the documentation are drawn by (`make test-gazebo` makes the Gazebo Classic that the
first needs; the second needs Gazebo Sim's gz):

    PYTHONPATH=. .venv/bin/python test/gazebo/agreement_picture.py --out docs/gazebo_agreement.png
    PYTHONPATH=.:test/gz .venv/bin/python test/gazebo/agreement_picture.py --gz \\
        --out docs/gz_agreement.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from agreement import Comparison, compare, open_classic
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.report import track_drawing as track

_DPI = 120


def draw_agreement(path: str | Path, circuit: Circuit, done: Sequence[Comparison]) -> Path:
    """Draw every comparison's two paths into one png; return its path.

    Args:
        path: of the png; its folder exists.
        circuit: that was driven.
        done: the comparisons, the expert's last.
    """
    path = Path(path)
    figure = Figure(figsize=(9.0, 6.2), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, len(done) - 1, height_ratios=(1.0, 2.0))
    for column, comparison in enumerate(done[:-1]):
        _draw(figure.add_subplot(grid[0, column]), comparison)
    wide = figure.add_subplot(grid[1, :])
    points = track.closed_points(circuit)
    wide.plot(points[:, 0], points[:, 1], color=track.ROAD, linewidth=7.0, zorder=0)
    _draw(wide, done[-1])
    wide.legend(loc="best", frameon=False, fontsize=9)
    figure.suptitle(
        f"{circuit.name}: the same drives in the embedded simulator and in Gazebo", fontsize=13
    )
    figure.savefig(path, dpi=_DPI, format="png")
    return path


def _draw(axes: Axes, comparison: Comparison) -> None:
    one, other = comparison.embedded, comparison.gazebo
    axes.plot(one[:, 1], one[:, 2], color=track.DRIVEN, linewidth=3.0, label="embedded")
    axes.plot(other[:, 1], other[:, 2], "--", color=track.WARNING, linewidth=1.2, label="Gazebo")
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(labelsize=7)
    apart, bound = 1000.0 * comparison.apart_m, 1000.0 * comparison.bound_m
    title = f"{comparison.name}\n{apart:.0f} mm apart (bound {bound:.0f} mm)"
    axes.set_title(title, fontsize=8)


def main() -> None:
    """Drive and draw; say how far the drives differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="picture to write (.png)")
    parser.add_argument("--circuit", default="nurburgring", help="name, random-SEED or path")
    parser.add_argument("--gz", action="store_true", help="Gazebo Sim instead of Gazebo Classic")
    parser.add_argument("--seconds", type=float, default=42.0, help="simulated, of the expert")
    wanted = parser.parse_args()
    circuit = load_circuit(wanted.circuit)
    if wanted.gz:
        from gz_drives import open_gz as open_gazebo
    else:
        open_gazebo = open_classic
    done = compare(circuit, wanted.seconds, open_gazebo)
    for comparison in done:
        print(f"{comparison.name}: {comparison.apart_m:.4f} m, bound {comparison.bound_m:.4f} m")
    print(draw_agreement(wanted.out, circuit, done))


if __name__ == "__main__":
    main()
