"""Named random streams: every draw comes from the study's seed and a name, never from global state."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_sequence(seed: int, *names: str | int) -> np.random.SeedSequence:
    """The seed sequence of one named purpose, e.g. ``seed_sequence(0, "explore", generation)``.

    Streams of different names are independent; the same names always give the same stream. A stream needs no
    state to be saved: whoever knows the study's seed and the name can make it again.
    """
    key = tuple(_word(name) for name in names)
    return np.random.SeedSequence(entropy=seed, spawn_key=key)


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for one named purpose (see :func:`seed_sequence`)."""
    return np.random.default_rng(seed_sequence(seed, *names))


def derived_seed(seed: int, *names: str | int) -> int:
    """A 63-bit integer seed for one named purpose, for libraries that take an integer."""
    return int(seed_sequence(seed, *names).generate_state(1, np.uint64)[0] >> np.uint64(1))


def user_seed(seed: int, *names: str | int) -> int:
    """A seed of 32 bits for a user's code: ``numpy.random.seed`` and many libraries take no more."""
    if not names and 0 <= seed < 2**32:
        return seed
    return derived_seed(seed, *names) % 2**32


def _word(name: str | int) -> int:
    if isinstance(name, int):
        return name
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")
