"""Training in torch: one single-member definition of a workload, and the sessions that run it."""

from workloads.torch.definition import TorchWorkload
from workloads.torch.losses import cross_entropy
from workloads.torch.pieces import Batch, ModelFunction, Splits
from workloads.torch.randomness import dropout
from workloads.torch.session import TorchSession

__all__ = ["Batch", "ModelFunction", "Splits", "TorchSession", "TorchWorkload", "cross_entropy", "dropout"]
