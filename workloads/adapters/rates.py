"""A learning rate of one's own for an optimizer whose state comes from somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_OPTIONS = ("lr", "weight_decay", "momentum", "betas", "eps")


def take_over(optimizer: Any, options: Sequence[Mapping[str, Any]], schedulers: Sequence[Any] = ()) -> None:
    """Give the parameter groups options of their own.

    A learning rate is the base of its schedule: the schedulers go on multiplying the new one.

    Args:
        optimizer: of torch, with another's state loaded.
        options: of each group, as it was built.
        schedulers: of the optimizer, with another's state loaded.
    """
    before = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    for group, own, base in zip(optimizer.param_groups, options, before, strict=True):
        scheduled = group["lr"]
        group.update({name: own[name] for name in _OPTIONS if name in own})
        if "initial_lr" in group:
            group["initial_lr"] = own.get("initial_lr", own["lr"])
            # The very number where nothing changes, which a quotient would round.
            same = group["initial_lr"] == base
            group["lr"] = scheduled if same else scheduled * (group["initial_lr"] / base)
    for scheduler in schedulers:
        if hasattr(scheduler, "base_lrs"):
            scheduler.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
