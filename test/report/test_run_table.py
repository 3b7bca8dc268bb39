"""The table and the line that tell of a run."""

from driven_lines import LAP, circle, drive, ticks

from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.report.figures import (
    FIGURES,
    figure_text,
    outcome,
    run_summary,
    run_table,
    warning_lines,
)
from pilotnet_brain.report.tables import print_tables

DRIVEN = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(40.0), lambda s: 0.1)


def test_the_table_has_every_figure_with_its_unit(capsys):
    figures = DRIVEN.figures(model="baseline", simulator="mujoco")
    print_tables(run_table(figures | {"mean_inference_time": 0.00123, "frames_dropped": 0}))
    text = capsys.readouterr().out
    lines = dict(
        line.rstrip().rsplit("  ", 1) for line in text.splitlines() if "  " in line.strip()
    )
    table = {label.strip(): value.strip() for label, value in lines.items()}
    assert table["average speed"] == "9.98 m/s"
    assert table["position deviation (MAE)"] == "0.100 m"
    assert table["mean inference time"] == "1.23 ms"
    assert table["lap times"] == f"{LAP / 10:.2f} s"
    assert table["frames dropped"] == "0"
    assert table["laps completed"] == "yes"
    assert table["driven"] == "100.0 %"
    assert table["brain iteration frequency"] == "-"
    assert "circle · baseline · mujoco" in text
    assert "lap completed in 31.42 s" in text


def test_the_table_fits_a_terminal_of_eighty_columns(capsys):
    print_tables(run_table(DRIVEN.figures()))
    assert max(len(line.rstrip()) for line in capsys.readouterr().out.splitlines()) <= 80


def test_nothing_is_cut_off_where_the_output_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    model = "models/" + "a_long_name_" * 6 + ".pt"
    times = [31.0 + 0.01 * lap for lap in range(20)]
    print_tables(run_table(DRIVEN.figures(model=model) | {"lap_times_s": times}))
    shown = capsys.readouterr().out
    assert model in shown and ", ".join(f"{time:.2f}" for time in times) in shown


def test_every_figure_of_the_table_is_one_of_the_file():
    assert {text.key for text in FIGURES} <= set(DRIVEN.figures())


def test_nothing_measured_is_a_dash_and_not_zero():
    figures = RunMetrics(circle()).figures()
    for text in FIGURES:
        if figures[text.key] is None:
            assert text.of(figures) == "-"


def test_one_line_of_a_lap_and_of_a_failure():
    assert run_summary(DRIVEN.figures(model="baseline", warnings=[])) == (
        "circle with baseline: lap completed in 31.42 s, 9.98 m/s, 0.100 m off the line"
    )
    short = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(10.0))
    short.end("the brain died")
    assert outcome(short.figures()) == "cut short at 31.8 %: the brain died"
    nothing = RunMetrics(circle())
    nothing.end("no odometry came")
    assert outcome(nothing.figures()) == "nothing driven: no odometry came"


def test_each_warning_is_a_line():
    figures = DRIVEN.figures(warnings=["the twist is odd", "the frames are small"])
    assert warning_lines(figures) == ["warning: the twist is odd", "warning: the frames are small"]
    assert warning_lines({}) == []


def test_huge_scores_stay_readable():
    assert figure_text({"position_deviation_score": 1.23456e9}, "position_deviation_score") == (
        "1.23e+09"
    )
