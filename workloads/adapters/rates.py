"""A learning rate of one's own for an optimizer whose state comes from somebody else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

_OPTIONS = (
    "lr", "weight_decay", "momentum", "betas", "eps", "max_lr", "min_lr", "base_momentum", "max_momentum",
)  # fmt: skip
_LISTS = {
    "base_lrs": "initial_lr", "max_lrs": "max_lr", "base_momentums": "base_momentum",
    "max_momentums": "max_momentum",
}  # fmt: skip
"""What schedulers keep for each group, and the option that it comes from."""


def as_built(optimizer: Any, schedulers: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """The options of each parameter group, before another's state is loaded.

    Groups with a schedule note their base learning rate (``initial_lr``), which some schedulers leave out, so
    that checkpoints hold it.
    """
    for group in optimizer.param_groups if schedulers else ():
        group.setdefault("initial_lr", deepcopy(group["lr"]))
    options = [
        {name: deepcopy(value) for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    for scheduler in _flat(schedulers):
        for own, highest in zip(options, getattr(scheduler, "max_lrs", ()), strict=False):
            own["max_lr"] = highest
    return options


def take_over(optimizer: Any, options: Sequence[Mapping[str, Any]], schedulers: Sequence[Any] = ()) -> None:
    """Give the parameter groups options of their own.

    A learning rate is the base of its schedule: the schedulers go on multiplying the new one.

    Args:
        optimizer: of torch, with another's state loaded.
        options: of each group, as it was built.
        schedulers: of the optimizer, with another's state loaded.
    """
    for group, own in zip(optimizer.param_groups, options, strict=True):
        base, scheduled = group.get("initial_lr"), group["lr"]
        group.update({name: own[name] for name in _OPTIONS if name in own and name in group})
        if base is not None:
            group["initial_lr"] = own.get("initial_lr", own["lr"])
            group["lr"] = _rescaled(scheduled, base, group["initial_lr"])
    options = [{"initial_lr": own["lr"], **own} for own in options]
    for scheduler in _flat(schedulers):
        for held, name in _LISTS.items():
            if hasattr(scheduler, held) and all(name in own for own in options):
                setattr(scheduler, held, [own[name] for own in options])
    for scheduler in schedulers:
        if isinstance(scheduler, CyclicLR | OneCycleLR):
            _recompute(scheduler)


def _rescaled(scheduled: Any, base: Any, own: Any) -> Any:
    # The very number where nothing changes, which a quotient would round.
    if own == base:
        return scheduled
    # Zero has lost where the schedule stood.
    return own if base == 0 else scheduled * (own / base)


def _recompute(scheduler: Any) -> None:
    """Set rates and momenta that follow from the step alone, between bounds that need not scale together."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch expects this call within step()
        rates = scheduler.get_lr()
    for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _flat(schedulers: Sequence[Any]) -> Iterator[Any]:
    """The schedulers, and those that they are made of."""
    for scheduler in schedulers:
        yield scheduler
        yield from _flat(getattr(scheduler, "_schedulers", ()))
