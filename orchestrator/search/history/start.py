"""What a search study is, as its journal's first line has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.run.journal import Event
from workloads.contract import Objective


@dataclass(frozen=True)
class SearchStart:
    """The study, as the journal's first line has it.

    Args:
        study: its name.
        optimizer: the class of the optimizer.
        stopping: the rule that stops trials early; empty where there is none.
        trials: how many it has.
        concurrency: how many run at a time.
        unit: the workload's unit of fidelity.
        rungs: fidelities at which a fully trained trial reports.
        objectives: with their references where these are configured.
        constraints: metrics that must keep a bound and are not optimised.
        parameters: of the search space, parents before children.
        log_parameters: those on a logarithmic scale.
        time: seconds since the epoch.
        seconds: after which it ends, pauses left out; None: without limit, or unknown.
    """

    study: str
    seed: int
    optimizer: str
    stopping: str
    trials: int
    concurrency: int
    unit: str
    rungs: tuple[int, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Objective, ...]
    parameters: tuple[str, ...]
    log_parameters: tuple[str, ...]
    time: float
    seconds: float | None = None

    def event(self) -> Event:
        """The journal's first line."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        plain |= {key: [vars(entry) for entry in plain[key]] for key in ("objectives", "constraints")}
        return {"event": "start", "kind": "search", **plain}

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """The study that a ``start`` event describes."""
        values = {key: value for key, value in event.items() if key not in ("event", "kind")}
        for key in ("objectives", "constraints"):
            values[key] = tuple(Objective(**entry) for entry in values[key])
        for key in ("rungs", "parameters", "log_parameters"):
            values[key] = tuple(values[key])
        return cls(**values)
