"""Live driving inference for a simulated car in ROS 2: brain, metrics, circuits and models."""

__version__ = "0.1.0"
