"""What holds for every test."""

import contextlib

from hypothesis import settings

# How long one example takes says how busy the machine is, not whether the code is right.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# torch's CUDA build brings triton, which quantization imports. Loaded after Mesa's software
# renderer, its LLVM crashes the process; only the tests render and quantize in the same one.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401
