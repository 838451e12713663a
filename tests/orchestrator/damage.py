"""Damage to files: what the disk, or somebody's editor, may do to them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FLIPS = 500
LAST = 1024
"""Bytes at a file's end at each of which it is cut off."""


def truncations(content: bytes) -> Iterator[bytes]:
    """The content cut off at every offset of its last kilobyte."""
    for end in range(max(0, len(content) - LAST), len(content)):
        yield content[:end]


def flips(content: bytes, seed: int, count: int = FLIPS) -> Iterator[bytes]:
    """The content with one byte changed, anywhere."""
    rng = np.random.default_rng(seed)
    for offset in rng.integers(0, len(content), count):
        flipped = bytearray(content)
        flipped[offset] ^= int(rng.integers(1, 256))
        yield bytes(flipped)
