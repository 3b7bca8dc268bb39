"""What a plan drives: its cases, what is drawn, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotnet_brain.benchmark.case import Case
from pilotnet_brain.benchmark.check import check_plan
from pilotnet_brain.benchmark.plan_file import plan_of
from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.disturbances import DISTURBANCES


def test_without_a_word_it_is_a_lap_of_every_model_on_every_circuit():
    cases = plan_of({}).cases()
    assert {case.model for case in cases} == set(read_manifest())
    assert {case.circuit for case in cases} == set(circuit_names())
    assert len(cases) == len(read_manifest()) * len(circuit_names())


def test_live_repetitions_are_the_same_lap_from_the_start_line():
    cases = plan_of({"models": ["qat"], "circuits": {"montreal": 2}}).cases()
    assert cases == [Case("qat", "montreal", 0), Case("qat", "montreal", 1)]


def test_circuits_have_repetitions_of_their_own_or_the_plans():
    plan = plan_of({"repetitions": 4, "circuits": {"montreal": 2, "montmelo": None}})
    assert plan.circuits == {"montreal": 2, "montmelo": 4}


def test_a_range_of_random_circuits_is_written_short():
    plan = plan_of({"circuits": ["random-1001..1100"]})
    assert len(plan.circuits) == 100
    assert {"random-1001", "random-1100"} <= set(plan.circuits)


def test_looks_and_start_points_are_taken_in_turn():
    asked = {"models": ["qat"], "circuits": {"montreal": 3}, "looks": [0, 5]}
    cases = plan_of({**asked, "start_points": [0, 10, 20]}).cases()
    assert [(case.looks_seed, case.start_arc_length) for case in cases] == [
        (0, 0.0), (5, 10.0), (0, 20.0),
    ]  # fmt: skip


def test_what_is_drawn_is_alike_for_all_models_and_nothing_else():
    plan = plan_of({
        "mode": "lockstep", "models": ["qat", "baseline"],
        "circuits": {"montreal": 3, "montmelo": 3},
    })  # fmt: skip
    drawn: dict[tuple[str, int], set[tuple[int, float]]] = {}
    for case in plan.cases():
        drawn.setdefault((case.circuit, case.repetition), set()).add(
            (case.looks_seed, case.start_arc_length)
        )
        assert 0.0 <= case.start_arc_length <= load_circuit(case.circuit).centerline.length
        assert case.looks_seed > 0
    assert all(len(values) == 1 for values in drawn.values())
    assert len(set.union(*drawn.values())) == 6
    assert plan.cases() == plan_of(plan.as_dict()).cases()
    assert plan.cases() != plan_of({**plan.as_dict(), "seed": 1}).cases()


def test_each_disturbance_comes_beside_the_undisturbed_run():
    cases = plan_of({
        "mode": "lockstep", "models": ["qat"], "circuits": ["montreal"],
        "disturbances": {"latency": [50, 100]},
    }).cases()  # fmt: skip
    assert [(case.disturbance, case.amount) for case in cases] == [
        ("none", 0.0), ("latency", 50.0), ("latency", 100.0),
    ]  # fmt: skip


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
    with pytest.raises(UserError, match="a/mine.pt on montreal would share"):
        plan.cases()


def test_lock_step_repetitions_that_are_the_same_lap_are_refused():
    same = {"models": ["qat"], "circuits": {"montreal": 3}, "looks": [0, 1], "start_points": [0]}
    with pytest.raises(UserError, match="repetitions 0 and 2 .* same lap"):
        plan_of({**same, "mode": "lockstep"}).cases()
    assert len(plan_of(same).cases()) == 3


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
