"""README and pages say what is there: links, verbs, and figures that a command wrote."""

from __future__ import annotations

import csv
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = {
    "drive", "swap", "benchmark", "report", "models", "data", "train", "optimize", "learn",
    "circuits", "world",
}  # fmt: skip
SUBCOMMANDS = {
    "models": {"list", "inspect", "time", "runtimes", "export", "adopt", "sign", "card"},
    "data": {"collect", "from-bag", "show"},
    "circuits": {"list", "show", "trace"},
}
FIGURES = {
    "average speed, m/s": ("average_speed", 1.0, 2),
    "deviation (MAE), m": ("position_deviation_mae", 1.0, 3),
    "published score": ("position_deviation_score_published", 1.0, 2),
    "inference, ms": ("mean_inference_time", 1e3, 2),
}
"""Columns of the README's table: key in results.csv, factor, decimals."""

pytestmark = pytest.mark.skipif(not README.is_file(), reason="needs the package's sources")


def without_fences(text: str) -> str:
    """Return a page's text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the names by which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", without_fences(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def named_in(page: Path, verb: str) -> list[str]:
    """Return the word after each `pilotnet VERB` of a page."""
    return re.findall(rf"\bpilotnet {verb} ([a-z-]+)\b", page.read_text())


def readme_table() -> list[dict[str, str]]:
    """Return the rows of the README's table of figures."""
    lines = iter(README.read_text().splitlines())
    header = next(line for line in lines if line.startswith("| model |"))
    names = [cell.strip() for cell in header.strip("|").split("|")]
    next(lines)
    rows = []
    while (line := next(lines)).startswith("|"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows.append(dict(zip(names, cells, strict=True)))
    return rows


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = without_fences(page.read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if path.startswith("api/"):
            continue  # made when the site is built
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_included_files_are_there(page: Path) -> None:
    for path in re.findall(r"^(?:```\{include\}|\.\. include::) (\S+)$", page.read_text(), re.M):
        assert (page.parent / path).is_file(), f"{page}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_verbs_are_the_commands(page: Path) -> None:
    # As a command: at the start of a line or of `code`, or by its path; not the word in a sentence.
    commands = re.findall(r"(?:`|bin/|^ {4,}|^)pilotnet ([a-z]+)\b", page.read_text(), re.MULTILINE)
    assert set(commands) <= VERBS, page
    for verb, known in SUBCOMMANDS.items():
        assert set(named_in(page, verb)) <= known, f"{page}: {verb}"


def test_readme_names_every_verb() -> None:
    table = set(re.findall(r"^\| `pilotnet ([a-z]+)", README.read_text(), re.MULTILINE))
    assert table == VERBS


def test_readme_figures_are_the_benchmarks() -> None:
    with (ROOT / "benchmarks/live/results.csv").open(newline="") as file:
        runs = [row for row in csv.DictReader(file) if row["circuit"] == "simple_circuit"]
    rows = readme_table()
    assert [row["model"] for row in rows] == list(dict.fromkeys(run["model"] for run in runs))
    for row in rows:
        own = [run for run in runs if run["model"] == row["model"]]
        finished = [run for run in own if run["finished"] == "True"]
        assert row["laps"] == f"{len(finished)} of {len(own)}"
        for column, (key, factor, decimals) in FIGURES.items():
            values = [float(run[key]) * factor for run in finished]
            mean, spread = statistics.mean(values), statistics.stdev(values)
            expected = f"{mean:.{decimals}f} ± {spread:.{decimals}f}"
            assert row[column] == expected, f"{row['model']}: {column}"


def test_tables_of_figures_are_included_not_copied() -> None:
    written = [
        "benchmarks/live/results.md",
        "benchmarks/robustness/results.md",
        "benchmarks/disturbances/results.md",
        "models/README.md",
        "models/evaluation.md",
    ]
    included = {
        (page.parent / path).resolve().relative_to(ROOT).as_posix()
        for page in PAGES
        for path in re.findall(r"^```\{include\} (\S+)$", page.read_text(), re.MULTILINE)
    }
    assert set(written) <= included


def test_changelog_can_be_released() -> None:
    """As catkin_prepare_release does it: Forthcoming becomes a version, which bloom reads."""
    tags = pytest.importorskip("catkin_pkg.cli.tag_changelog")
    changelog = pytest.importorskip("catkin_pkg.changelog")
    text = (ROOT / "CHANGELOG.rst").read_text()
    label = tags.get_forthcoming_label(text)
    assert label == "Forthcoming"
    tagged = tags.rename_section(text, label, "9.8.7 (2030-01-02)")
    read = changelog.populate_changelog_from_rst(changelog.Changelog("pilotnet_brain"), tagged)
    versions = {version: content for version, _, content in read.foreach_version()}
    (entries,) = versions["9.8.7"]
    assert len(entries.bullets) > 20


def test_no_registry_host_is_named() -> None:
    words = (("deb", "debian"), ("archive", "debian"), ("pypi", "org"), ("registry", "npmjs"))
    hosts = [".".join(pair) for pair in words] + ["python" + "hosted"]
    folders = ("requirements", "test/gazebo", "docs")
    files = [ROOT / "Makefile", README, ROOT / "CONTRIBUTING.md"]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    for file in files:
        if file.suffix not in (".png", ".webp", ".pyc"):
            text = file.read_text(encoding="utf-8", errors="replace")
            assert not [host for host in hosts if host in text], file
