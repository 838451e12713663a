"""Damage to files: what the disk, or somebody's editor, may do to them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import settings

EVERY = 1 if settings().max_examples >= 500 else 5
"""Of which damages one is tried: of all where ``make test-long`` runs, which has the profile ``thorough``."""
FLIPS = 500 // EVERY
LAST = 1024
"""Bytes at a file's end within which it is cut off."""


def truncations(content: bytes) -> Iterator[bytes]:
    """The content cut off at offsets of its last kilobyte."""
    for end in range(max(0, len(content) - LAST), len(content), EVERY):
        yield content[:end]


def flips(content: bytes, seed: int, count: int = FLIPS) -> Iterator[bytes]:
    """The content with one byte changed, anywhere."""
    rng = np.random.default_rng(seed)
    for offset in rng.integers(0, len(content), count):
        flipped = bytearray(content)
        flipped[offset] ^= int(rng.integers(1, 256))
        yield bytes(flipped)
