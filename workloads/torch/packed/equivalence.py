"""Whether members train together as they do alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from search_spaces import Config
from workloads.contract import Device
from workloads.devices import breaks_device
from workloads.torch.packed.pack import Pack, reason
from workloads.torch.packed.program import Program
from workloads.torch.pieces import Pieces, Splits
from workloads.torch.session import TorchSession

STEPS = 3
"""Training steps of the comparison between the engines."""
TOLERANCE = 1e-9
"""Most that they may differ by after them in float64, relative to 1 or the value."""


def find_obstacle(definition: Pieces, configs: Sequence[Config], device: Device) -> str | None:
    """Why members of one build do not train together as they do alone, in one line; None where they do.

    Both ways train a few steps in float64, where rounding cannot hide behind a tolerance, unless the training
    algorithm says itself that it trains alone.

    Raises:
        Exception: what has broken the device.
    """
    if why := alone_because(definition, configs[0]):
        return why
    try:
        alone = strangers(definition, configs, device, torch.float64)
        together = strangers(definition, configs, device, torch.float64, alone[0].splits)
        expected = [session.advance(STEPS) for session in alone]
    except Exception as error:
        if breaks_device(error):
            raise
        # A model may do anything; alone, it is its member's failure.
        return reason(error)
    # Recorded at once, so that the record is tried as well.
    pack = Pack(together, Program(together[0], trace_after=0))
    found = pack.advance(STEPS)
    if pack.fallback is not None:
        return pack.fallback
    for one, other, metrics, others in zip(alone, together, expected, found, strict=True):
        if isinstance(others, Exception):
            return reason(others)
        pairs = [(name, torch.tensor(metrics[name]), torch.tensor(others[name])) for name in metrics]
        theirs = other.module.state_dict()
        pairs += [(name, value, theirs[name]) for name, value in one.module.state_dict().items()]
        for name, value, packed in pairs:
            if not torch.allclose(packed, value, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
                return f"{name} differs from training alone after {STEPS} steps"
    return None


def alone_because(definition: Pieces, config: Config) -> str:
    """Why the training algorithm of a member with this configuration trains alone; empty: it need not."""
    algorithm = definition.optimizer(definition.knobs.complete(config))
    return f"{algorithm.name} {algorithm.alone}" if algorithm.alone else ""


def strangers(
    definition: Pieces,
    configs: Sequence[Config],
    device: Device,
    dtype: torch.dtype = torch.float32,
    splits: Splits | None = None,
) -> list[TorchSession]:
    """Members with these configurations and their own seeds, for a trial that is thrown away.

    They share the data: in double precision every session would have a copy of its own.
    """
    made: list[TorchSession] = []
    for seed, config in enumerate(configs):
        session = TorchSession(definition, config, seed, device, dtype)
        session.splits = splits = splits or session.splits
        made.append(session)
    return made
