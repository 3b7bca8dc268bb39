"""The laps that show that a model drives are on circuits and looks that training never drew."""

from pilotnet_brain.benchmark.plan_file import find_plan, plan_of, read_values
from pilotnet_brain.circuits.catalogue import circuit_names, is_held_out
from pilotnet_brain.learning.collect import Recipe, worlds_of

RUNS = plan_of({**read_values(find_plan("proof")), "models": ["qat"]}).runs()
SPECS = {
    series: [run.spec for run in RUNS if run.series == series]
    for series in ("plain", "looks", "unseen")
}


def test_the_series_are_what_the_proof_asks_for():
    assert [spec.circuit for spec in SPECS["plain"]] == circuit_names()
    assert {spec.looks_seed for spec in SPECS["plain"]} == {0}
    assert {spec.circuit for spec in SPECS["looks"]} == {"simple_circuit", "montreal", "montmelo"}
    assert len(SPECS["looks"]) == len(set(SPECS["looks"])) == 9
    assert all(spec.looks_seed for spec in SPECS["looks"])
    assert len({spec.circuit for spec in SPECS["unseen"]}) == 20
    assert [spec.looks_seed for spec in SPECS["unseen"]] == list(range(101, 121))
    assert len(RUNS) == 34
    assert all(spec.start_arc_length == 0.0 for specs in SPECS.values() for spec in specs)


def test_no_circuit_and_no_look_of_it_was_trained_on():
    worlds = worlds_of(Recipe(40_000, 1)) + worlds_of(Recipe(4_000, 2, random_share=1.0))
    specs = SPECS["looks"] + SPECS["unseen"]
    assert all(is_held_out(spec.circuit) for spec in specs)
    assert not {world.circuit for world in worlds} & {spec.circuit for spec in specs}
    assert not {world.looks_seed for world in worlds} & {spec.looks_seed for spec in specs}
