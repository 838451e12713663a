"""What studies train or evaluate: real training workloads, test functions and plain Python functions."""

from workloads.base import (
    Device,
    Fidelity,
    Metrics,
    Objective,
    Session,
    State,
    TestableSession,
    Workload,
)

__all__ = [
    "Device",
    "Fidelity",
    "Metrics",
    "Objective",
    "Session",
    "State",
    "TestableSession",
    "Workload",
]
