"""What holds for every test."""

import contextlib

import pytest
from hypothesis import settings

# How long one example takes says how busy the machine is, not whether the code is right.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# torch's CUDA build brings triton, which quantization imports. Loaded after Mesa's software
# renderer, its LLVM crashes the process; only the tests render and quantize in the same one.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

_TAKE_TURNS = {
    "test_live", "test_brain_node", "test_recorder_node", "test_graph", "test_command_line",
    "test_start_up", "test_transport", "test_package", "commands/test_benchmark",
}  # fmt: skip
"""Files whose tests run in real time: one at a time, while the other core does the rest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out whole files, whose fixtures are made once; those that take turns as one."""
    for item in items:
        path = item.path.with_suffix("")
        turns = path.stem in _TAKE_TURNS or f"{path.parent.name}/{path.stem}" in _TAKE_TURNS
        item.add_marker(pytest.mark.xdist_group("live" if turns else str(path)))
