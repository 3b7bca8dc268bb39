"""The model card says what the manifest and the evaluation say, and decides by the numbers."""

from __future__ import annotations

import pytest

from pilotnet_brain.cli import main
from pilotnet_brain.driving.model.catalogue import ManifestEntry, models_dir
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.offline.evaluation import OfflineRow, column_names
from pilotnet_brain.report.model_card import PUBLISHED, finding, model_card

TEMPLATE = "F\n$files\nE\n$evaluation\nL\n$laps\nW\n$finding\n"


def row(model: str, **figures: object) -> OfflineRow:
    values: dict[str, object] = dict.fromkeys(column_names(), 1.0)
    values |= {"model": model, "method": model, "device": "cpu", "form": "frozen", "machine": "m"}
    values |= {"sha256": f"sha of {model}", "torch_version": "2", "frames": 9, "parameters": 9}
    return OfflineRow(**(values | figures))  # type: ignore[arg-type]


def entry(model: str, size: int = 1_000_000, **scores: object) -> ManifestEntry:
    record = {"method": model, "rebuild": f"pilotnet optimize {model}"}
    return ManifestEntry(f"{model}.pt", f"sha of {model}", size, record, scores)


def whole(deviation: float, finished: int = 20) -> dict[str, object]:
    return {
        "laps": 20,
        "finished": finished,
        "average_speed": 12.0,
        "position_deviation_mae": deviation,
        "position_deviation_max": 0.2,
    }


def published(**of_prune_quant: float) -> tuple[dict[str, ManifestEntry], list[OfflineRow]]:
    models = {name: entry(name, unseen=whole(0.02)) for name in PUBLISHED}
    rows = [row(name, mse=0.003, inference_median_s=1e-3, file_bytes=10**6) for name in PUBLISHED]
    figures = {"mse": 0.002, "inference_median_s": 5e-4, "file_bytes": 10**5} | of_prune_quant
    rows[-1] = row("prune_quant", **figures)
    return models, rows


def test_files_and_laps_are_the_manifests() -> None:
    lap = {
        "lap_completed": True,
        "completion": 1.0,
        "average_speed": 13.25,
        "position_deviation_mae": 0.0123,
    }
    off = {**lap, "lap_completed": False, "completion": 0.42}
    models = {
        "baseline": entry("baseline", 6_470_000, montreal=lap, unseen=whole(0.03)),
        "qat": entry("qat", 1_720_000, montreal=off),
    }
    card = model_card(TEMPLATE, models, [], {"qat": "trained on with its rounding"})
    assert "| `baseline.pt` | 6.47 | baseline | `pilotnet optimize baseline` |" in card
    assert "| `qat.pt` | 1.72 | trained on with its rounding |" in card
    assert "All together: 8.2 MB." in card
    assert "| model | montreal |" in card
    assert "| baseline | 13.25 m/s, 0.012 m |" in card
    assert "| qat | not finished (42%) |" in card
    assert "| model | unseen random circuits |" in card
    assert "| baseline | 20 of 20, 0.030 m |" in card
    assert "| qat | - |" in card
    assert "Not evaluated yet." in card


def test_figures_of_a_file_that_has_changed_are_left_out() -> None:
    models = {"qat": entry("qat"), "baseline": entry("baseline")}
    rows = [row("qat", sha256="of an older file", mse=0.77777), row("baseline", mse=0.11111)]
    card = model_card(TEMPLATE, models, rows, {})
    assert "0.11111" in card
    assert "0.77777" not in card


def test_the_best_in_everything_reproduces_the_finding() -> None:
    text = finding(*published())
    assert "the finding is reproduced here" in text
    assert text.count("prune_quant is the best") == 3


@pytest.mark.parametrize(
    ("figure", "times"), [("mse", 2.0), ("inference_median_s", 3.0), ("file_bytes", 4.0)]
)
def test_one_measure_refutes_it(figure: str, times: float) -> None:
    others = {"mse": 0.003, "inference_median_s": 1e-3, "file_bytes": 10**6}
    text = finding(*published(**{figure: times * others[figure]}))
    assert "the finding is not reproduced here" in text
    assert f"prune_quant has {times:.2f} times as much" in text


def test_within_five_percent_is_as_good() -> None:
    assert "is reproduced" in finding(*published(inference_median_s=1.04e-3))


def test_without_all_figures_nothing_is_decided() -> None:
    models, rows = published()
    assert "Not decided yet: qat not" in finding(models, [r for r in rows if r.model != "qat"])
    models["prune_quant"] = entry("prune_quant")
    assert "Not decided yet: deviation" in finding(models, rows)


@pytest.mark.parametrize("template", ["$nothing", "costs $ 5"])
def test_a_template_with_other_names_is_refused(template: str) -> None:
    with pytest.raises(UserError, match="template"):
        model_card(template, {}, [], {})


def test_the_shipped_template_takes_the_shipped_models(tmp_path, capsys) -> None:
    for name in ("manifest.json", "card_template.md"):
        (tmp_path / name).write_bytes((models_dir() / name).read_bytes())
    assert main(["models", "card", "--folder", str(tmp_path)]) == 0
    assert "| `baseline.pt` |" in (tmp_path / "README.md").read_text()
    assert main(["models", "card", "--folder", str(tmp_path / "none")]) == 2
    assert "cannot be written" in capsys.readouterr().err
