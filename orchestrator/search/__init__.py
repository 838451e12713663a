"""Search studies: optimizers suggest configurations and are told their results."""

from orchestrator.optimizers.base import Capabilities, Optimizer

__all__ = ["Capabilities", "Optimizer"]
