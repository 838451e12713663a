"""The global generators of Python, NumPy and torch, for training that draws from them.

Sessions take turns in one process. Each seeds the generators from its own seed and age whenever its turn
comes, and gives the states that it found back, so that no session sees what another has drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np


class Purpose(IntEnum):
    """What a session draws for; streams of different purposes are unrelated."""

    START = 0
    TRAINING = 1
    ORDER = 2
    DATA = 3
    EVALUATION = 4


def derived_seed(seed: int, purpose: Purpose, *counters: int) -> int:
    """A seed of 63 bits: a hash of a session's seed, the purpose and counters such as its age."""
    sequence = np.random.SeedSequence([seed, purpose, *counters])
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1


def seed_generators(seed: int, device: str = "cpu") -> None:
    """Seed the global generators of Python, NumPy and torch, and torch's of a GPU if ``device`` is one.

    Args:
        seed: 0 to 2**63 - 1.
    """
    import torch

    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002 - users draw from it
    torch.default_generator.manual_seed(seed)
    if torch.device(device).type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@dataclass(frozen=True)
class GeneratorStates:
    """The states of all those generators at one moment."""

    python: tuple[Any, ...]
    numpy: Any
    torch: Any
    gpu: Any
    device: str

    @classmethod
    def now(cls, device: str = "cpu") -> GeneratorStates:
        """The present ones."""
        import torch

        gpu = torch.cuda.get_rng_state(device) if torch.device(device).type == "cuda" else None
        return cls(random.getstate(), np.random.get_state(), torch.get_rng_state(), gpu, device)  # noqa: NPY002

    def restore(self) -> None:
        """Let the generators go on from here."""
        import torch

        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002
        torch.set_rng_state(self.torch)
        if self.gpu is not None:
            torch.cuda.set_rng_state(self.gpu, self.device)


@contextmanager
def own_generators(device: str = "cpu") -> Iterator[None]:
    """Give the states of all those generators back in the end."""
    states = GeneratorStates.now(device)
    try:
        yield
    finally:
        states.restore()
