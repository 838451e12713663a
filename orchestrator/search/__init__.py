"""Search studies: optimizers that ask for configurations and are told what came of them."""

from orchestrator.optimizers.base import Capabilities, Optimizer

__all__ = ["Capabilities", "Optimizer"]
