"""Model files: their format, loading and runtimes, and the catalogue of those that are shipped."""

DEVICES = ("auto", "cpu", "cuda")
"""Where a model may be asked to run; ``auto`` is the GPU if there is one that works."""
RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")
"""What may be asked to run a model; ``auto`` is what the format of its file is for."""
