"""What a plan drives: its cases, what is drawn, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotnet_brain.benchmark.check import check_plan
from pilotnet_brain.benchmark.plan_file import plan_of
from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.disturbances import DISTURBANCES


def test_without_a_word_it_is_a_lap_of_every_model_on_every_circuit():
    runs = plan_of({}).runs()
    assert {run.spec.model for run in runs} == set(read_manifest())
    assert {run.spec.circuit for run in runs} == set(circuit_names())
    assert len(runs) == len(read_manifest()) * len(circuit_names())


def test_live_repetitions_are_the_same_lap_from_the_start_line():
    first, again = plan_of({"models": ["qat"], "circuits": {"montreal": 2}}).runs()
    assert (first.spec.model, first.spec.circuit) == ("qat", "montreal")
    assert (first.repetition, again.repetition) == (0, 1)
    for run in (first, again):
        assert (run.spec.looks_seed, run.spec.start_arc_length) == (0, 0.0)
        assert run.spec.stall_limit > 0.0  # a run that hangs holds the others up no longer
    assert (first.name, again.name) == ("qat-montreal-0", "qat-montreal-1")


def test_circuits_have_repetitions_of_their_own_or_the_plans():
    plan = plan_of({"repetitions": 4, "circuits": {"montreal": 2, "montmelo": None}})
    assert plan.circuits == {"montreal": 2, "montmelo": 4}


def test_a_range_of_random_circuits_is_written_short():
    plan = plan_of({"circuits": ["random-1001..1100"]})
    assert len(plan.circuits) == 100
    assert {"random-1001", "random-1100"} <= set(plan.circuits)


def test_looks_and_start_points_are_taken_in_turn():
    asked = {"models": ["qat"], "circuits": {"montreal": 3}, "looks": [0, 5]}
    runs = plan_of({**asked, "start_points": [0, 10, 20]}).runs()
    assert [(run.spec.looks_seed, run.spec.start_arc_length) for run in runs] == [
        (0, 0.0), (5, 10.0), (0, 20.0),
    ]  # fmt: skip


def test_what_is_drawn_is_alike_for_all_models_and_nothing_else():
    plan = plan_of({
        "mode": "lockstep", "models": ["qat", "baseline"],
        "circuits": {"montreal": 3, "montmelo": 3},
    })  # fmt: skip
    drawn: dict[tuple[str, int], set[tuple[int, float]]] = {}
    for spec, repetition, _ in plan.runs():
        drawn.setdefault((spec.circuit, repetition), set()).add(
            (spec.looks_seed, spec.start_arc_length)
        )
        assert 0.0 <= spec.start_arc_length <= load_circuit(spec.circuit).centerline.length
        assert spec.looks_seed > 0
    assert all(len(values) == 1 for values in drawn.values())
    assert len(set.union(*drawn.values())) == 6
    assert plan.runs() == plan_of(plan.as_dict()).runs()
    assert plan.runs() != plan_of({**plan.as_dict(), "seed": 1}).runs()


def test_each_disturbance_comes_after_the_undisturbed_run():
    runs = plan_of({
        "mode": "lockstep", "models": ["qat"], "circuits": ["montreal"],
        "disturbances": {"latency": [50, 100]},
    }).runs()  # fmt: skip
    disturbances = [run.spec.disturbance for run in runs]
    assert disturbances == ["", "latency=50", "latency=100"]
    assert runs[1].name == "qat-montreal-0-latency-50"
    assert str(runs[1]) == "qat on montreal, repetition 0, latency 50"


def test_the_seed_reaches_the_disturbances():
    asked = {
        "mode": "lockstep", "models": ["qat", "baseline"], "circuits": {"montreal": 2},
        "disturbances": {"dropped_frames": [0.5]},
    }  # fmt: skip

    def seeds(plan):
        disturbed = [run for run in plan.runs() if run.spec.disturbance]
        return {(run.spec.circuit, run.repetition): run.spec.seed for run in disturbed}

    first, other = seeds(plan_of({**asked, "seed": 0})), seeds(plan_of({**asked, "seed": 99}))
    assert len({*first.values(), *other.values()}) == 4


def test_series_have_circuits_looks_and_repetitions_of_their_own():
    plan = plan_of({
        "mode": "lockstep", "models": ["qat"], "start_points": [0],
        "series": {
            "plain": {"circuits": ["montreal"], "looks": [0]},
            "looks": {"circuits": ["montreal"], "repetitions": 2, "looks": [1, 2]},
            "unseen": {"circuits": ["random-101..102"], "looks": "of_circuit"},
        },
    })  # fmt: skip
    assert [(run.name, run.spec.looks_seed) for run in plan.runs()] == [
        ("plain-qat-montreal-0", 0),
        ("looks-qat-montreal-0", 1),
        ("looks-qat-montreal-1", 2),
        ("unseen-qat-random-101-0", 101),
        ("unseen-qat-random-102-0", 102),
    ]
    assert plan.circuits == {"montreal": 3, "random-101": 1, "random-102": 1}
    assert plan_of(plan.as_dict()) == plan


def test_a_series_of_which_every_run_is_disturbed():
    plan = plan_of({
        "mode": "lockstep", "models": ["qat", "baseline"], "start_points": [0], "looks": [0],
        "series": {
            "plain": {"circuits": ["montreal"]},
            "late": {"circuits": ["montreal", "montmelo"], "disturbance": "latency=100"},
        },
    })  # fmt: skip
    by_series = [(run.series, run.spec.disturbance) for run in plan.runs()]
    assert by_series == [("plain", "")] * 2 + [("late", "latency=100")] * 4
    assert plan.runs()[2].name == "late-qat-montreal-0-latency-100"
    assert plan_of(plan.as_dict()) == plan


def test_disturbances_come_with_amounts_of_their_own():
    asked = {"mode": "lockstep", "models": ["qat"], "circuits": ["montreal"]}
    every = plan_of({**asked, "disturbances": "all"})
    assert set(every.disturbances) == set(DISTURBANCES)
    for name, amounts in every.disturbances.items():
        assert amounts and DISTURBANCES[name].none not in amounts
    one = plan_of({**asked, "disturbances": {"latency": None}})
    assert one.disturbances == {"latency": every.disturbances["latency"]}


def test_runs_that_would_share_a_folder_are_refused():
    plan = plan_of({"models": ["a/mine.pt", "b/mine.pt"], "circuits": ["montreal"]})
    with pytest.raises(UserError, match="mine.pt on montreal, repetition 0 would share"):
        plan.runs()


def test_lock_step_repetitions_that_are_the_same_lap_are_refused():
    same = {"models": ["qat"], "circuits": {"montreal": 3}, "looks": [0, 1], "start_points": [0]}
    with pytest.raises(UserError, match="repetition 0 and .* repetition 2 are the same lap"):
        plan_of({**same, "mode": "lockstep"}).runs()
    assert len(plan_of(same).runs()) == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"models": ["nothing"]}, "unknown model 'nothing'"),
        ({"circuits": ["nowhere"]}, "unknown circuit 'nowhere'"),
        ({"circuits": ["montmelo"], "start_points": [740]}, "740 m is beyond the 73"),
        ({"reference_laps": "no/such"}, "no/such: no such folder"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_driven(values, said):
    with pytest.raises(UserError, match=said):
        check_plan(plan_of(values))


def test_reference_laps_are_found_by_the_circuits_name(tmp_path: Path):
    plan = plan_of({"circuits": ["montreal", "montmelo"], "reference_laps": str(tmp_path)})
    with pytest.raises(UserError, match="montreal.csv"):
        check_plan(plan)
    lap = tmp_path / "montmelo.csv"
    points = load_circuit("montmelo").centerline.position([0.0, 100.0, 200.0, 300.0])
    lap.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in points.tolist()))
    check_plan(plan)
    assert plan.reference_lap("montmelo") == str(lap)
    assert plan.reference_lap("montreal") == ""
    lap.rename(tmp_path / "montreal.csv")
    with pytest.raises(UserError, match="another circuit"):
        check_plan(plan)


def test_a_world_is_that_of_its_series_and_has_its_own_looks() -> None:
    series = {"theirs": {"world": "their.world", "circuits": ["montreal"]}, "ours": {}}
    values = {"mode": "lockstep", "models": ["baseline"], "series": series, "start_points": [0]}
    plan = plan_of({**values, "looks": [0]})
    assert {run.spec.world for run in plan.runs() if run.series == "theirs"} == {"their.world"}
    assert {run.spec.world for run in plan.runs() if run.series == "ours"} == {""}
    with pytest.raises(UserError, match=r"looks: the world their.world has its own"):
        check_plan(plan_of(values | {"series": {"theirs": {**series["theirs"], "looks": [1]}}}))
