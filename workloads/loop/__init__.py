"""Training loops that users have already, hardly changed."""

from workloads.loop.context import Context, Step
from workloads.loop.thread import LoopStopped
from workloads.loop.workload import Loop

__all__ = ["Context", "Loop", "LoopStopped", "Step"]
