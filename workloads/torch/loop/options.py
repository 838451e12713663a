"""Hyperparameters in an optimizer's parameter groups, also while a scheduler changes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch

from search_spaces import Config, ConfigurationError
from workloads.state import copied

_NAMES: dict[str, str] = {
    "learning_rate": "lr",
    "momentum": "momentum",
    "beta1": "betas.0",
    "beta2": "betas.1",
}
"""What hyperparameters are called in parameter groups, where that is not their own name."""


class GroupOptions:
    """Lets mutable hyperparameters take effect in an optimizer.

    Each group and the scheduler keep what they were built with. An optimizer's step sees that, scaled by the
    hyperparameter's present value over the value that the training was built with. So a learning rate is the
    base of its schedule, which goes on multiplying it, and groups keep their ratios. An option that equals
    the value that it was built with becomes the present one exactly.

    Args:
        optimizer: as it was built with ``config``.
        mutable: names of the hyperparameters that can change.
        config: the configuration.

    Attributes:
        rest: those of ``mutable`` that the optimizer has no option for.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, mutable: Collection[str], config: Config) -> None:
        self._optimizer = optimizer
        found = {name: _option_of(name, optimizer) for name in mutable}
        self._options = {name: option for name, option in found.items() if option}
        self.rest = tuple(name for name, option in found.items() if not option)
        first = optimizer.param_groups[0]
        # One that is inactive now may become active; until then the optimizer's own value holds.
        self._built = {name: config.get(name, _get(first, option)) for name, option in self._options.items()}
        self._now = dict(self._built)
        self._kept = self._read()

    def set(self, config: Config) -> None:
        """Take over the present values."""
        self._now = {name: config.get(name, value) for name, value in self._built.items()}
        self._apply()

    def unscheduled(self) -> None:
        """Show the options as they were built, to a scheduler."""
        self._write(self._kept)

    def scheduled(self) -> None:
        """A scheduler has changed them."""
        self._kept = self._read()
        self._apply()

    def state(self) -> dict[str, Any]:
        """What the optimizer and the groups hold, without the effect of the present values; references."""
        self.unscheduled()
        try:
            optimizer = self._optimizer.state_dict()
            # Options that are tensors are written in place below.
            groups = copied(optimizer["param_groups"])
            return {"optimizer": {**optimizer, "param_groups": groups}, "built": self._built}
        finally:
            self._apply()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from another's; the present values stay."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._built = {**self._built, **state["built"]}
        self.scheduled()

    def _apply(self) -> None:
        self._write(
            [
                {name: _scaled(value, self._built[name], self._now[name]) for name, value in kept.items()}
                for kept in self._kept
            ]
        )

    def _read(self) -> list[dict[str, Any]]:
        groups = self._optimizer.param_groups
        return [{name: _get(group, option) for name, option in self._options.items()} for group in groups]

    def _write(self, values: Sequence[dict[str, Any]]) -> None:
        for group, own in zip(self._optimizer.param_groups, values, strict=True):
            for name, value in own.items():
                _set(group, self._options[name], value)


def _option_of(name: str, optimizer: torch.optim.Optimizer) -> str:
    """Where a hyperparameter stands in the groups; empty: nowhere."""
    group, option = optimizer.param_groups[0], _NAMES.get(name, name)
    if option == "momentum" and "momentum" not in group:
        option = "betas.0"
    return option if option.partition(".")[0] in group else ""


def _get(group: dict[str, Any], option: str) -> Any:
    key, _, index = option.partition(".")
    value = group[key][int(index)] if index else group[key]
    return value.item() if isinstance(value, torch.Tensor) else value


def _set(group: dict[str, Any], option: str, value: Any) -> None:
    key, _, index = option.partition(".")
    before = group[key][int(index)] if index else group[key]
    if isinstance(before, torch.Tensor):  # which a compiled step may refer to
        before.fill_(value)
    elif index:
        group[key] = tuple(value if place == int(index) else old for place, old in enumerate(group[key]))
    else:
        group[key] = value


def _scaled(value: Any, built: Any, now: Any) -> Any:
    if value == built:
        return now
    if now == built or isinstance(value, bool | str) or not built:
        return value
    return value * (now / built)


def check_mutable(rest: Collection[str], optimizer: torch.optim.Optimizer) -> None:
    """Refuse mutable hyperparameters that nothing takes over.

    Raises:
        ConfigurationError: there is one.
    """
    for name in rest:
        kind = type(optimizer).__name__
        hint = f"give Training(configure=...), a function of the configuration that changes {name}"
        expected = f"false, since {kind} has no option {name!r} and Training no 'configure'"
        raise ConfigurationError(f"search_space.parameters.{name}.mutable", expected, True, hint)
