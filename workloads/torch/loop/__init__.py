"""Training whose parts are the user's: any module, optimizer, scheduler and DataLoader."""

from workloads.torch.loop.training import Training
from workloads.torch.loop.workload import TorchLoop

__all__ = ["TorchLoop", "Training"]
