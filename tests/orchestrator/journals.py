"""Synthetic population journals: what a study writes, without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.population.decision import Decision
from orchestrator.population.records import MemberInterval, Report
from orchestrator.run.journal import Event, Journal

START_TIME = 1_750_000_000.0
ACCURACY = {"name": "accuracy", "direction": "max", "reference": 0.0, "bound": None}
LOSS = {"name": "loss", "direction": "min", "reference": None, "bound": None}


@dataclass
class _Member:
    config: dict[str, Any]
    skill: float = 0.0
    age: int = 0
    generation: int = 0
    losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class PopulationJournal:
    """A pretended study: members learn best near a learning rate of 0.01, the worst quarter copies the best.

    Args:
        objectives: dicts as in the journal's start event; "accuracy" and "loss" are known.
        failures: ``{(member, generation): reason}``.
        seconds: wall-clock time of one member-interval.
        islands: how many the start event tells of; the journal's times are those of one.
    """

    size: int = 4
    generations: int = 5
    interval: int = 10
    synchronous: bool = True
    objectives: Sequence[Mapping[str, Any]] = (ACCURACY,)
    failures: Mapping[tuple[int, int], str] = field(default_factory=dict)
    seconds: float = 0.5
    seed: int = 0
    islands: int = 2

    def events(self) -> list[Event]:
        """Everything that the complete study writes."""
        rng = np.random.default_rng(self.seed)
        members = [_Member(self._birth(rng)) for _ in range(self.size)]
        events = [self._start()]
        events += [
            {"event": "born", "member": number, "config": member.config, "time": START_TIME}
            for number, member in enumerate(members)
        ]
        for turn, group in enumerate(self._turns(rng)):
            time = START_TIME + (turn + 1) * self.seconds * len(group)
            events += self._advance(members, group, time, rng)
            generation = members[0].generation
            if self.synchronous and generation % 2 == 0:
                events.append(snapshot(generation, time))
        events.append(self._final(members))
        return events

    def write(self, run_dir: Path) -> Path:
        """Write the complete study's journal into ``run_dir``; returns the journal's path."""
        return write_journal(run_dir, self.events())

    def _start(self) -> Event:
        return {
            "event": "start",
            "kind": "population",
            "study": "pretended",
            "seed": self.seed,
            "size": self.size,
            "generations": self.generations,
            "interval": self.interval,
            "synchronous": self.synchronous,
            "islands": self.islands,
            "unit": "step",
            "objectives": [dict(objective) for objective in self.objectives],
            "mutable": ["learning_rate", "dropout", "warm"],
            "parameters": ["learning_rate", "dropout", "warm", "activation", "width"],
            "log_parameters": ["learning_rate"],
            "time": START_TIME,
        }

    def _birth(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            "learning_rate": float(10 ** rng.uniform(-4, 0)),
            "dropout": float(rng.uniform(0, 0.5)),
            "warm": bool(rng.integers(2)),
            "activation": str(rng.choice(["relu", "tanh"])),
            "width": int(rng.integers(16, 65)),
        }

    def _turns(self, rng: np.random.Generator) -> list[list[int]]:
        """Who reports together: everybody at a barrier, else one member at a time in some order."""
        if self.synchronous:
            return [list(range(self.size))] * self.generations
        order = np.repeat(np.arange(self.size), self.generations)
        return [[int(member)] for member in rng.permutation(order)]

    def _advance(
        self, members: list[_Member], group: list[int], time: float, rng: np.random.Generator
    ) -> list[Event]:
        reports = [self._train(members[i], i, rng) for i in group]
        configs = [dict(members[i].config) for i in group]
        decisions = [self._decide(members, i, rng) for i in group]
        taken = [(members[d.parent].skill, members[d.parent].age) for d in decisions]
        events = []
        for report, config, decision, (skill, age) in zip(reports, configs, decisions, taken, strict=True):
            member = members[decision.member]
            member.config, member.skill, member.age = dict(decision.config), skill, age
            interval = MemberInterval.of(report, config, member.losses, decision)
            events.append({**interval.to_event(), "time": time})
        return events

    def _train(self, member: _Member, number: int, rng: np.random.Generator) -> Report:
        member.generation += 1
        member.age += self.interval
        reason = self.failures.get((number, member.generation))
        metrics: dict[str, float] = {}
        member.losses = [float("nan")] * len(self.objectives)
        if reason is None:
            gain = np.exp(-0.5 * (np.log10(member.config["learning_rate"]) + 2) ** 2)
            member.skill += 0.15 * gain * (1 - member.skill)
            metrics["accuracy"] = float(member.skill + rng.normal(0, 0.005))
            metrics["loss"] = float(3 * np.exp(-4 * metrics["accuracy"]))
            signs = {"max": -1, "min": 1}
            member.losses = [signs[o["direction"]] * metrics[o["name"]] for o in self.objectives]
        return Report(number, member.generation, member.age, metrics, self.seconds, reason)

    def _decide(self, members: list[_Member], number: int, rng: np.random.Generator) -> Decision:
        member = members[number]
        order = sorted(
            (i for i in range(self.size) if members[i].generation), key=lambda i: _rank(members[i])
        )
        quarter = max(1, self.size // 4)
        bad = number in order[-quarter:] or np.isnan(member.losses[0])
        if member.generation == self.generations or not bad:
            return Decision(number, member.generation, number, member.config)
        parent = int(rng.choice(order[:quarter]))
        config = dict(members[parent].config)
        config["learning_rate"] = float(np.clip(config["learning_rate"] * rng.choice([0.8, 1.2]), 1e-4, 1))
        config["dropout"] = float(np.clip(config["dropout"] * rng.choice([0.8, 1.2]), 0, 0.5))
        copied = members[parent].generation if parent != number else None
        return Decision(number, member.generation, parent, config, copied)

    def _final(self, members: list[_Member]) -> Event:
        best = min(range(self.size), key=lambda i: _rank(members[i]))
        return {
            "event": "final",
            "member": best,
            "generation": members[best].generation,
            "config": members[best].config,
            "metrics": {"accuracy": members[best].skill},
            "test": {"accuracy": members[best].skill - 0.01},
            "weights": f"snapshots/{self.generations:06d}/member-{best:03d}.pt",
            "time": START_TIME + self.size * self.generations * self.seconds,
        }


def snapshot(generation: int, time: float) -> Event:
    """The event of a snapshot."""
    return {
        "event": "snapshot",
        "generation": generation,
        "path": f"snapshots/{generation:06d}",
        "time": time,
    }


def killed_and_resumed(
    events: Sequence[Event], killed_after: int, back_to: int, pause: float = 100.0
) -> list[Event]:
    """A synchronous study's events, had it been killed after a generation and resumed from an earlier one."""
    size = events[0]["size"]
    until = [e for e in events if e["event"] != "final" and e.get("generation", 0) <= killed_after]
    resume = {"event": "resume", "generations": [back_to] * size, "time": until[-1]["time"] + pause}
    again = [
        {**e, "time": e["time"] + pause}
        for e in events
        if e["event"] == "final" or e.get("generation", 0) > back_to
    ]
    return [*until, resume, *again]


def write_journal(run_dir: Path, events: Sequence[Mapping[str, Any]]) -> Path:
    """Append ``events`` to the journal of ``run_dir``; returns its path."""
    path = run_dir / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(*events)
    return path


def _rank(member: _Member) -> float:
    return member.losses[0] if member.losses and not np.isnan(member.losses[0]) else np.inf
