"""A whole population as one vectorised program, from the definition that the loop engine runs."""

from workloads.torch.packed.pack import Pack

__all__ = ["Pack"]
