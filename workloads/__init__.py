"""What studies train or evaluate: real training workloads, test functions and plain Python functions."""

from workloads.capabilities import DistributedWorkload, PreparedWorkload, TestableSession
from workloads.contract import Device, Fidelity, Metrics, Objective, Session, State, Workload

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
