"""Functions that make the optimizers of torch and ``pytorch_optimizer``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from workloads.torch.algorithms.contract import RATE, Weights
from workloads.torch.algorithms.looped import Looped


def of_library(name: str, weights: Weights) -> torch.optim.Optimizer:
    """The class of ``pytorch_optimizer`` with this name; what is no option has the library's default."""
    import pytorch_optimizer

    optimizer: torch.optim.Optimizer = getattr(pytorch_optimizer, name)(weights.values())
    return optimizer


def sam(weights: Weights) -> torch.optim.Optimizer:
    """SGD with momentum, the paper's base; ``rho`` stands in its group with the other options."""
    return torch.optim.SGD([{"params": list(weights.values()), "rho": 0.05}], momentum=0.9)


def muon(weights: Weights) -> torch.optim.Optimizer:
    """Muon for the hidden layers' matrices and AdamW for all else, as its author has it."""
    from pytorch_optimizer import Muon as MuonOptimizer

    hidden = hidden_matrices(weights)
    rest = [weight for name, weight in weights.items() if name not in hidden]
    groups: list[dict[str, Any]] = [{"params": rest, "use_muon": False}]
    if hidden:
        groups.insert(0, {"params": [weights[name] for name in hidden], "use_muon": True})
    optimizer: torch.optim.Optimizer = MuonOptimizer(groups)
    return optimizer


def hidden_matrices(weights: Weights) -> list[str]:
    """Names of a model's weights with two and more axes that are neither its ends nor embeddings.

    Ends are the first and the last of them; an embedding has that in its name, or belongs to no layer.
    """
    matrices = [name for name, weight in weights.items() if weight.ndim >= 2]
    return [name for name in matrices[1:-1] if "." in name and "embed" not in name.lower()]


@dataclass(frozen=True)
class Muon(Looped):
    """Its AdamW has a learning rate of its own, ``adamw_rate``, and the library's betas."""

    def settings(self, group: Mapping[str, Any], options: Mapping[str, float]) -> dict[str, Any]:
        if group["use_muon"]:
            return super().settings(group, options)
        return {RATE: options["adamw_rate"], "weight_decay": options["weight_decay"]}
