"""What search studies say about configurations: a suggestion to try, and the trial that came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from orchestrator.objective import losses as minimised
from orchestrator.objective import sign
from search_spaces import Config
from workloads.contract import Metrics, Objective

Status = Literal["finished", "stopped", "failed", "lost"]


@dataclass(frozen=True)
class Suggestion:
    """A configuration that an optimizer wants to see tried.

    Args:
        config: plain Python values by name; inactive parameters are absent.
        fidelity: the fidelity to train to, in the workload's unit; None: train fully.
        token: what the optimizer knows the suggestion by; hand it back unchanged.
    """

    config: Config
    fidelity: int | None = None
    token: Any = None


@dataclass(frozen=True)
class Trial:
    """What became of a suggestion.

    Args:
        suggestion: what was tried.
        losses: one value per objective, to be minimised; NaN where unknown.
        violations: one value per constraint: how far it is from its bound, positive where it is violated,
            zero or negative where it holds; NaN where unknown.
        status: ``finished`` as far as was asked; ``stopped`` before, with losses that count for ``fidelity``;
            ``failed``, without usable losses, through the configuration's fault; ``lost`` with its process,
            node or memory, which says nothing about the configuration.
        fidelity: the fidelity reached; None where the workload has one step.
        reason: why it failed, was stopped or was lost.
        metrics: the last that the workload reported, in their own units and directions.
        seconds: how long it took.
    """

    suggestion: Suggestion
    losses: tuple[float, ...]
    violations: tuple[float, ...] = ()
    status: Status = "finished"
    fidelity: int | None = None
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def config(self) -> Config:
        """The configuration that was tried."""
        return self.suggestion.config

    @property
    def usable(self) -> bool:
        """Whether every loss and violation is a finite number."""
        return self.status in ("finished", "stopped") and all(
            map(math.isfinite, (*self.losses, *self.violations))
        )

    @property
    def feasible(self) -> bool:
        """Whether it is usable and no constraint is violated."""
        return self.usable and all(violation <= 0 for violation in self.violations)


def evaluated(
    suggestion: Suggestion,
    metrics: Metrics,
    objectives: Sequence[Objective],
    constraints: Sequence[Objective] = (),
    *,
    status: Status = "finished",
    fidelity: int | None = None,
    reason: str = "",
    seconds: float = 0.0,
) -> Trial:
    """The trial that reported ``metrics``; a failed one where an objective or a constraint is not finite.

    Raises:
        MissingMetricError: an objective or a constraint is not among ``metrics``.
    """
    bounded = with_bounds(objectives, constraints)
    losses = tuple(minimised(metrics, objectives).tolist())
    violations = tuple(
        loss - sign(objective) * _bound(objective)
        for loss, objective in zip(minimised(metrics, bounded).tolist(), bounded, strict=True)
    )
    unknown = [
        f"{objective.name} = {metrics[objective.name]}"
        for objective, value in zip((*objectives, *bounded), (*losses, *violations), strict=True)
        if not math.isfinite(value)
    ]
    if unknown:
        status, reason = "failed", f"not a finite number: {', '.join(dict.fromkeys(unknown))}"
    return Trial(suggestion, losses, violations, status, fidelity, reason, dict(metrics), seconds)


def failed(
    suggestion: Suggestion,
    reason: str,
    objectives: Sequence[Objective],
    constraints: Sequence[Objective] = (),
    *,
    fidelity: int | None = None,
    metrics: Metrics | None = None,
    seconds: float = 0.0,
) -> Trial:
    """The trial that has no result, for ``reason``, which is the configuration's fault."""
    unknown = math.nan
    return Trial(
        suggestion,
        losses=(unknown,) * len(objectives),
        violations=(unknown,) * len(with_bounds(objectives, constraints)),
        status="failed",
        fidelity=fidelity,
        reason=reason,
        metrics=dict(metrics or {}),
        seconds=seconds,
    )


def lost(
    suggestion: Suggestion,
    reason: str,
    objectives: Sequence[Objective],
    constraints: Sequence[Objective] = (),
    *,
    seconds: float = 0.0,
) -> Trial:
    """The trial that has no result, for ``reason``, which is not the configuration's fault."""
    trial = failed(suggestion, reason, objectives, constraints, seconds=seconds)
    return replace(trial, status="lost")


def with_bounds(
    objectives: Sequence[Objective], constraints: Sequence[Objective] = ()
) -> tuple[Objective, ...]:
    """The objectives that have a bound, then the constraints: the order of a trial's violations."""
    return (*(objective for objective in objectives if objective.bound is not None), *constraints)


def _bound(objective: Objective) -> float:
    assert objective.bound is not None
    return objective.bound
