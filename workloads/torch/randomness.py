"""Counter-based random numbers: a draw is a hash of what it is for, and no generator has a state to carry.

A *key* is a 64-bit integer tensor of shape ``()``. A member's keys come from its seed, a purpose and a
counter (:func:`member_keys`); the numbers drawn from a key depend on the key, the layer and the element's
index alone. Everything is integer arithmetic on tensors: the numbers are the same on CPU and GPU, in a loop
over members and under ``torch.func.vmap`` with one key per member, and any step's can be had without those
before it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

import torch
from torch import Tensor


class Purpose(IntEnum):
    """What a member's random numbers are for; streams of different purposes are unrelated."""

    WEIGHTS = 0
    ORDER = 1
    NOISE = 2


# Constants of 64 and 32 bits are written as the signed integers with the same bits, which is what torch has.
_GOLDEN = -0x61C8864680B583EB
_MIX_1 = -0x40A7B892E31B1A47
_MIX_2 = -0x6B2FB644ECCEEE15
_LOWBIAS_1 = 0x7FEB352D
_LOWBIAS_2 = -0x7B935975

_INITIALISING = threading.RLock()


def fold(key: Tensor, number: Tensor | int) -> Tensor:
    """New keys from keys and numbers, broadcast: SplitMix64 (Steele et al. 2014) jumped ahead by ``number``.

    Args:
        key: int64, any shape.
        number: int64 of a shape that broadcasts with ``key``, or an integer.
    """
    mixed = key + (torch.as_tensor(number, dtype=torch.int64, device=key.device) + 1) * _GOLDEN
    mixed = (mixed ^ _shift(mixed, 30, 64)) * _MIX_1
    mixed = (mixed ^ _shift(mixed, 27, 64)) * _MIX_2
    return mixed ^ _shift(mixed, 31, 64)


def _fold_integers(key: int, number: int) -> int:
    """:func:`fold` on integers from 0 to 2**64 - 1, many times faster for one of them."""
    word = 2**64 - 1
    mixed = (key + (number + 1) * _GOLDEN) & word
    mixed = ((mixed ^ (mixed >> 30)) * _MIX_1) & word
    mixed = ((mixed ^ (mixed >> 27)) * _MIX_2) & word
    return mixed ^ (mixed >> 31)


def member_keys(seed: int, purpose: Purpose, first: int, count: int) -> Tensor:
    """A member's keys for ``count`` counters (steps, epochs) from ``first`` on, int64 ``(count,)``.

    Args:
        seed: the member's seed, 0 to 2**63 - 1.
    """
    return fold(fold(torch.tensor(seed), purpose), torch.arange(first, first + count))


def generator_seed(seed: int, purpose: Purpose, counter: int) -> int:
    """An integer for ``torch.Generator.manual_seed``."""
    return _fold_integers(_fold_integers(seed, purpose), counter) & (2**63 - 1)


def uniform(shape: Sequence[int], key: Tensor, layer: int) -> Tensor:
    """Uniform numbers in [0, 1), multiples of 2**-24, float32 of ``shape`` on the key's device.

    Element ``i`` is a hash of ``i * a + b``, where the key and the layer give the 32-bit words ``a`` (odd)
    and ``b``; the hash is lowbias32 (Wellons 2018) without its last shift, which only the low bits need.

    Args:
        shape: of the result; up to 2**31 elements.
        key: int64, ``()``; may be batched by ``vmap``.
        layer: tells draws with the same key apart.
    """
    layer_key = key + _signed(layer * _GOLDEN)
    slope, offset = _shift(layer_key, 32, 64).to(torch.int32) | 1, layer_key.to(torch.int32)
    bits = torch.arange(math.prod(shape), dtype=torch.int32, device=key.device) * slope
    bits.add_(offset)
    bits.bitwise_xor_(_shift(bits, 16, 32)).mul_(_LOWBIAS_1)
    bits.bitwise_xor_(_shift(bits, 15, 32)).mul_(_LOWBIAS_2)
    return (_shift(bits, 8, 32) * 2.0**-24).view(tuple(shape))


def dropout(inputs: Tensor, probability: Tensor | None, key: Tensor | None, layer: int) -> Tensor:
    """Zero each element with ``probability`` and divide the others by ``1 - probability``.

    Args:
        inputs: floating point, any shape.
        probability: ``()``, at least 0 and below 1; None while evaluating: the inputs are returned.
        key: of the member and step, int64 ``()``; None while evaluating.
        layer: a number that no other dropout in the model uses.
    """
    if probability is None or key is None:
        return inputs
    kept = uniform(inputs.shape, key, layer) >= probability.to(torch.float32)
    return inputs * (kept / (1 - probability)).to(inputs.dtype)


@contextmanager
def seeded_initialisation(seed: int) -> Iterator[None]:
    """Seed torch's CPU generator, which ``torch.nn`` initialises with, and give its state back at the end."""
    # The generator is the whole process's; another thread's draws would change this one's weights.
    with _INITIALISING:
        before = torch.default_generator.get_state()
        # Not torch.manual_seed: that would reseed the generators of all GPUs as well, and leave them so.
        torch.default_generator.manual_seed(generator_seed(seed, Purpose.WEIGHTS, 0))
        try:
            yield
        finally:
            torch.default_generator.set_state(before)


def _shift(bits: Tensor, by: int, width: int) -> Tensor:
    """Shift right filling with zeros; torch's own shift of signed integers repeats the sign."""
    return (bits >> by) & ((1 << (width - by)) - 1)


def _signed(number: int) -> int:
    """The low 64 bits of a Python integer as a signed number."""
    return (number + 2**63) % 2**64 - 2**63
