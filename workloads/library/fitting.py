"""Small networks that workloads start from: trained once per process, in seconds, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from workloads.library.digits import MLP, Digits
from workloads.torch import Batch, Splits, cross_entropy
from workloads.torch.randomness import Purpose, generator_seed, seeded_initialisation

_RATE, _BATCH = 3e-3, 64


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Copies by name."""
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def trained(
    module: nn.Module, weights: Mapping[str, Tensor], data: Batch, steps: int, seed: int, number: int
) -> dict[str, Tensor]:
    """The weights after steps of AdamW at a constant rate, from these weights on.

    Args:
        seed: of the batches' order.
        number: tells trainings with the same seed apart.
    """
    module.load_state_dict(dict(weights))
    generator = torch.Generator().manual_seed(generator_seed(seed, Purpose.ORDER, number))
    optimizer = torch.optim.AdamW(module.parameters(), lr=_RATE)
    with torch.enable_grad():
        for _ in range(steps):
            rows = torch.randint(len(data.targets), (_BATCH,), generator=generator)
            loss = cross_entropy(module(data.inputs[rows]), data.targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return weights_of(module)


def digits() -> Splits:
    """Of :class:`workloads.library.digits.Digits`, on the CPU."""
    return Digits().data(torch.device("cpu"))


def wrong(logits: Tensor, targets: Tensor) -> float:
    """The share of wrong answers, of logits ``(n, classes)``."""
    return float((logits.argmax(-1) != targets).double().mean())


@cache
def digits_network(width: int, images: int, steps: int, seed: int) -> MLP:
    """An MLP with two hidden layers that has learned the first ``images`` training images, frozen."""
    with seeded_initialisation(seed):
        module = MLP(width, "relu")
    data = Batch(*(part[:images] for part in digits().train))
    module.load_state_dict(trained(module, weights_of(module), data, steps, seed, 0))
    return module.eval().requires_grad_(False)
