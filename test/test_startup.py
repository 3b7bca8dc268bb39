"""A program's output, working directory and caches, in whatever environment it is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PREPARED = "from pilotnet_brain.startup import prepare_process; prepare_process(); "
ROOT = Path(__file__).parent.parent


def run(
    code: str, *, stdout: int | None = subprocess.PIPE, close: tuple[int, ...] = (),
    cwd: Path = ROOT, **environment: str | None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run code after `prepare_process`; a variable that is None is unset."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}

    def close_streams() -> None:
        for number in close:
            os.close(number)

    return subprocess.run(
        [sys.executable, "-c", PREPARED + code],
        env={name: value for name, value in given.items() if value is not None},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        preexec_fn=close_streams,
    )


def test_a_reader_that_is_gone_ends_nothing() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = run(
            "import os, sys; print('one', flush=True); os.write(1, b'child'); print('two'); "
            "sys.exit(3)",
            stdout=write_end,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"},
     {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}],
)  # fmt: skip
def test_a_character_that_the_output_lacks_is_replaced(environment: dict[str, str | None]) -> None:
    done = run("print('a \\xb7 \\U0001f3ce \\udcff b')", **environment)
    assert (done.stdout, done.stderr) == ("a ? ? ? b\n", "")


def test_streams_that_are_closed_are_not_taken_by_files() -> None:
    done = run(
        "import os; print('x'); print(os.open(os.devnull, os.O_RDONLY) > 2, file=sys.stderr)"
        .replace("import os", "import os, sys"),
        close=(0, 1),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "True\n")
    assert run("print('x')", close=(0, 1, 2)).returncode == 0


def test_a_working_directory_that_was_removed_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run(
        "import os, sys; from pilotnet_brain.cli import main; "
        f"os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); sys.exit(main(['models', 'list']))"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the working directory cannot be used")
    assert done.stderr.count("\n") == 1


SHOW_PLACES = (
    "import os, matplotlib; print(os.environ.get('ROS_LOG_DIR')); "
    "print(matplotlib.get_configdir()); print(matplotlib.get_cachedir())"
)


@pytest.mark.parametrize("home", [None, "", "/proc", "/dev/null", "/no/such/home"])
def test_without_a_home_logs_and_caches_have_a_place_until_the_end(
    home: str | None, tmp_path: Path
) -> None:
    if home == "/no/such/home" and os.access("/", os.W_OK):
        pytest.skip("this user can make it")
    unset = dict.fromkeys(("ROS_LOG_DIR", "ROS_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"))
    done = run(SHOW_PLACES, HOME=home, TMPDIR=str(tmp_path), MPLCONFIGDIR=None, **unset)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(place.startswith(str(tmp_path)) for place in done.stdout.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_can_be_written_is_used(tmp_path: Path) -> None:
    unset = dict.fromkeys(("ROS_LOG_DIR", "ROS_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"))
    done = run(SHOW_PLACES, HOME=str(tmp_path), MPLCONFIGDIR=None, **unset)
    places = [str(tmp_path / name) for name in (".config/matplotlib", ".cache/matplotlib")]
    assert done.stdout.splitlines() == ["None", *places]


def test_a_log_folder_that_cannot_be_made_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".ros").touch()
    done = run(SHOW_PLACES, HOME=str(tmp_path), ROS_LOG_DIR=None, ROS_HOME=None)
    assert "/ros_log_dir" in done.stdout.splitlines()[0]


@pytest.mark.parametrize("command", ["models list", "circuits list", "--help", "drive --help"])
def test_a_command_whose_output_nobody_reads_ends_as_it_should(command: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pilotnet_brain.cli", *command.split()],
            stdout=write_end, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")
