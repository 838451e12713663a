"""Synthetic search journals: what a study writes, without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from orchestrator.objective import losses
from orchestrator.run.journal import Event
from orchestrator.search.history.records import ended, suggested
from orchestrator.search.history.start import SearchStart
from orchestrator.trial import Suggestion, Trial, evaluated, failed
from search_spaces import Config, SearchSpace, build_space
from tests.orchestrator.journals import START_TIME, write_journal
from workloads.contract import Objective

ERROR = Objective("error", "min", reference=1.0)
PARAMETERS = Objective("parameters", "min", reference=40_000)
ACCURACY = Objective("accuracy", "max")
LATENCY = Objective("latency", "min", bound=0.6)

SPACE: dict[str, Any] = {
    "parameters": {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
        "width": {"type": "int", "low": 8, "high": 256, "log": True},
        "activation": {"type": "categorical", "choices": ["relu", "tanh", "gelu"]},
        "batch": {"type": "ordinal", "values": [16, 32, 64, 128]},
        "momentum": {"type": "float", "low": 0.0, "high": 0.99},
    },
    "conditions": [{"child": "momentum", "parent": "activation", "equals": "tanh"}],
}


def space() -> SearchSpace:
    """The search space of the pretended study."""
    return build_space(SPACE, "search_space")


@dataclass(frozen=True)
class SearchJournal:
    """A pretended study: random trials that learn best near a learning rate of 0.01; wide ones learn better.

    At each rung below the last the worse half of those that came before, by the first objective, stops.

    Args:
        objectives: of the metrics error, accuracy, parameters and latency.
        rungs: where trials report.
        failures: ``{trial: reason}``.
        concurrency: trials that run at a time; they end in order.
        seconds: wall-clock time of one trial.
    """

    trials: int = 12
    objectives: Sequence[Objective] = (ERROR, PARAMETERS)
    constraints: Sequence[Objective] = ()
    rungs: Sequence[int] = (1,)
    failures: Mapping[int, str] = field(default_factory=dict)
    concurrency: int = 2
    seconds: float = 2.0
    seed: int = 0

    def events(self) -> list[Event]:
        """Everything that the complete study writes."""
        rng = np.random.default_rng(self.seed)
        configs = space().sample(self.trials, rng)
        events = [self.start().event()]
        seen: dict[int, list[float]] = {rung: [] for rung in self.rungs}
        for first in range(0, self.trials, self.concurrency):
            together = range(first, min(first + self.concurrency, self.trials))
            began = START_TIME + first / self.concurrency * self.seconds
            events += [suggested(n, Suggestion(configs[n]), began) for n in together]
            lives = [event for n in together for event in self._life(n, configs[n], began, seen, rng)]
            events += sorted(lives, key=lambda event: float(event["time"]))
        events.append({"event": "final", "trials": self.trials, "time": events[-1]["time"]})
        return events

    def start(self) -> SearchStart:
        """The study."""
        return SearchStart(
            study="pretended",
            seed=self.seed,
            optimizer="Random",
            stopping="halving" if len(self.rungs) > 1 else "",
            trials=self.trials,
            concurrency=self.concurrency,
            unit="epoch",
            rungs=tuple(self.rungs),
            objectives=tuple(self.objectives),
            constraints=tuple(self.constraints),
            parameters=space().names,
            log_parameters=("learning_rate", "width"),
            time=START_TIME,
        )

    def write(self, run_dir: Path) -> Path:
        """Write the complete study's journal into ``run_dir``; returns the journal's path."""
        return write_journal(run_dir, self.events())

    def _life(
        self, number: int, config: Config, began: float, seen: dict[int, list[float]], rng: Generator
    ) -> list[Event]:
        events: list[Event] = []
        noise = float(rng.normal(0, 0.02))
        trial: Trial | None = None
        for rung in self.rungs:
            seconds = self.seconds * rung / self.rungs[-1]
            time = began + seconds
            if number in self.failures:
                reason = self.failures[number]
                trial = failed(Suggestion(config), reason, self.objectives, self.constraints, seconds=seconds)
                break
            metrics = _metrics(config, rung / self.rungs[-1], noise)
            found = losses(metrics, self.objectives).tolist()
            report = {"trial": number, "fidelity": rung, "metrics": metrics, "losses": found}
            events.append({"event": "report", **report, "seconds": seconds, "time": time})
            better = sum(loss < found[0] for loss in seen[rung])
            stops = rung != self.rungs[-1] and better > len(seen[rung]) / 2
            seen[rung].append(found[0])
            trial = evaluated(
                Suggestion(config),
                metrics,
                self.objectives,
                self.constraints,
                status="stopped" if stops else "finished",
                reason=f"halving after {rung}" if stops else "",
                fidelity=rung,
                seconds=seconds,
            )
            if stops:
                break
        assert trial is not None
        test = {"error": trial.metrics["error"] + 0.01} if trial.status == "finished" else {}
        return [*events, ended(number, trial, test, time)]


def _metrics(config: Config, share: float, noise: float) -> dict[str, float]:
    rate, width = float(config["learning_rate"]), int(config["width"])
    gain = np.exp(-0.3 * (np.log10(rate) + 2) ** 2) * (0.6 + 0.4 * np.log(width) / np.log(256))
    error = float(np.clip(1 - gain * (1 - np.exp(-3 * share)) + noise, 0.01, 1.0))
    parameters = float(64 * width + 10 * width + width**2 / 4)
    latency = 0.002 * width + (0.1 if config["activation"] == "gelu" else 0.0)
    return {"error": error, "accuracy": 1 - error, "parameters": parameters, "latency": latency}


def killed_and_resumed(events: Sequence[Event], after: int, pause: float = 100.0) -> list[Event]:
    """A study's events, had it been killed after so many of them and resumed: pending trials begin anew."""
    until = list(events[:after])
    over = {event["trial"] for event in until if event["event"] == "ended"}
    pending = [e["trial"] for e in until if e["event"] == "suggested" and e["trial"] not in over]
    resume = {"event": "resume", "pending": pending, "time": until[-1]["time"] + pause}
    again = [e for e in until if e["event"] == "report" and e["trial"] in pending]
    later = [{**event, "time": event["time"] + pause} for event in [*again, *events[after:]]]
    return [*until, resume, *later]
