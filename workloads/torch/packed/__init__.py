"""A whole population as one vectorised program, from the definition that the loop engine runs."""

from workloads.torch.packed.pack import Pack
from workloads.torch.packed.packer import Packer
from workloads.torch.packed.program import Program

__all__ = ["Pack", "Packer", "Program"]
