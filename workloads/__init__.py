"""What studies train or evaluate: real training workloads, test functions and plain Python functions."""

from workloads.contract import (
    Device,
    DistributedWorkload,
    Fidelity,
    Metrics,
    Objective,
    PreparedWorkload,
    Session,
    State,
    TestableSession,
    Workload,
)

__all__ = [
    "Device",
    "DistributedWorkload",
    "Fidelity",
    "Metrics",
    "Objective",
    "PreparedWorkload",
    "Session",
    "State",
    "TestableSession",
    "Workload",
]
