"""Torch workloads whose models have blocks that can move from one model to another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from workloads.contract import State


class Blocks:
    """Makes a :class:`TorchWorkload` a :class:`workloads.capabilities.BlockWorkload`; to be inherited first.

    A block is a submodule of the model and has its name. A subclass names the blocks in :attr:`blocks`.
    """

    blocks: ClassVar[Mapping[str, tuple[str, ...]]]
    """By name, with the hyperparameters that each is built by."""

    def crossed(self, first: State, second: State, blocks: Collection[str]) -> State:
        """The first's state with these blocks of the second: weights, buffers and the optimizer's moments."""
        return {
            **first,
            **{part: _crossed(first[part], second[part], blocks) for part in ("model", "optimizer")},
        }


def _crossed(first: Mapping[str, Any], second: Mapping[str, Any], blocks: Collection[str]) -> dict[str, Any]:
    """What stands beside the names of weights, in the blocks from the second."""
    prefixes = tuple(f"{block}." for block in blocks)
    rest = {name: value for name, value in first.items() if not name.startswith(prefixes)}
    return rest | {name: value for name, value in second.items() if name.startswith(prefixes)}
