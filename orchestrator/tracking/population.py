"""What of a population study is recorded where.

Each member is a child run. The step of every metric is the generation in the member's own life.

- Child runs, per generation: the workload's metrics, ``seconds``, ``parent`` (whose weights it took, where it
  did; itself where that failed), ``age`` (training in its weights) from the first time on that it is not the
  generations times the interval, and the schedule ``config.<hyperparameter>`` it trained with, numbers as
  metrics; what is not a number is a tag that holds the latest value. What is fixed at birth comes with copied
  weights, so it is in the schedule, too, where it changes. Params are for life, and hold what the member was
  born with: ``born.<hyperparameter>``.
- Parent run, once all members have completed a generation: ``best.<objective>``, ``median.<objective>``,
  ``member_steps_per_second``, from the first on ``exploits`` and ``failures`` so far; of several objectives
  ``pareto_size`` and ``hypervolume`` of all publications so far. Where the reference point is inferred, and
  so moves while the study runs, the hypervolume is recorded at the end, for all generations. At the end, of
  the chosen member: ``final.<metric>`` on validation data, ``test.<metric>`` on held-out data, the tags
  ``best_member`` and ``best.config.<hyperparameter>``; its child run is tagged ``best`` and named so, and the
  description says what came out. The models that the study keeps are a table, ``models.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator import pareto
from orchestrator.objective import in_own_direction
from orchestrator.population.history.fronts import fronts, grown
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.population.rules.contract import Floats
from orchestrator.run.journal import Event
from orchestrator.text import number
from orchestrator.tracking.items import PARENT, RESULT, Child, Counts, Item, best, metrics, param, tag
from workloads.contract import Objective

if TYPE_CHECKING:
    import pandas as pd

OURS = ("age", "seconds", "parent", "config.")
"""Series of a child run that a metric of the workload must not be mixed with."""


def member_run(member: int) -> str:
    """The name of a member's child run."""
    return f"member-{member:03d}"


class PopulationRecord:
    """Turns a journal's events, in their order, into what is to be recorded; depends on them alone.

    What a resume makes void has been recorded already and cannot be taken back. When an interval is trained
    again it is recorded again only where it differs, as it may in an asynchronous study.
    """

    def __init__(self) -> None:
        self.history: PopulationHistory | None = None
        self._summarised = 0
        self._void: dict[tuple[int, int], MemberInterval] = {}
        self._chosen: int | None = None
        self._front: Floats | None = None
        self._counts = Counts()
        self._aged: set[int] = set()

    def feed(self, events: Iterable[Event]) -> list[Item]:
        """What the next events add to the record."""
        return [item for event in events for item in self._items(event)]

    def run_status(self, run: str, status: str) -> str:
        """How a run ends where the study ends with ``status``: FAILED if a member's last interval did."""
        lives = self.history.lives if self.history else ()
        failed = {life[-1].member for life in lives if life and life[-1].failure is not None}
        return "FAILED" if run in map(member_run, failed) else status

    def tables(self) -> dict[str, pd.DataFrame]:
        """Who copied whom, and the models that are kept, by the name of the artifact."""
        if self.history is None:
            return {}
        # pandas takes long to import, and most of a record's life needs none.
        from orchestrator.population.history.frames import lineage, models

        tables = {"lineage.json": lineage(self.history)}
        return {**tables, "models.json": models(self.history)} if self.history.models else tables

    def files(self) -> dict[str, str]:
        """The chosen member's weights: a file below the run directory, by the artifact's folder."""
        final = self.history.final if self.history else None
        return {"best_member": final["weights"]} if final and final["weights"] else {}

    def _items(self, event: Event) -> Iterator[Item]:
        if self.history is None:
            self.history = PopulationHistory.from_events([event])
            yield from (tag(PARENT, key, event[key]) for key in ("study", "seed", "kind"))
            return
        if event["event"] == "resume":
            self._remember(self.history, event["generations"])
            if self.history.stopped is not None:
                yield tag(PARENT, "stopped", "")
        self.history.extend([event])
        match event["event"]:
            case "born":
                yield from _birth(self.history, event["member"], event["config"])
            case "interval":
                yield from self._interval(self.history, self.history.lives[event["member"]][-1])
            case "decision":
                yield from metrics(
                    member_run(event["member"]),
                    {"parent": event["parent"]},
                    event["generation"],
                    event["time"],
                )
            case "final":
                yield from self._final(event)
            case "stopped":
                yield tag(PARENT, "stopped", event["reason"])

    def _remember(self, history: PopulationHistory, generations: list[int]) -> None:
        for life, kept in zip(history.lives, generations, strict=True):
            self._void.update({record.place: record for record in life[kept:]})

    def _interval(self, history: PopulationHistory, record: MemberInterval) -> Iterator[Item]:
        before = self._void.pop(record.place, None)
        if record.age != record.generation * history.start.interval:
            self._aged.add(record.member)
        if before is None or not _same(before, record):
            yield from _training(history, record, before)
            age = {"age": record.age} if record.member in self._aged else {}
            yield from metrics(member_run(record.member), age, record.generation, record.time)
        while self._summarised < history.generation:
            self._summarised += 1
            counts = {"exploits": history.exploits, "failures": history.failures}
            counts = self._counts.since_first(PARENT, counts)
            yield from _summary(history, self._summarised, counts, record.time)
            if len(history.start.objectives) > 1:
                yield from self._grow(history, self._summarised, record.time)

    def _grow(self, history: PopulationHistory, generation: int, time: float) -> Iterator[Item]:
        """What a completed generation adds to the Pareto set of all."""
        objectives, losses = history.start.objectives, history.losses(generation)
        front = np.empty((0, len(objectives))) if self._front is None else self._front
        self._front = front = grown(front, losses, objectives)
        values = {"pareto_size": float(len(front))}
        if _settled(objectives):
            values["hypervolume"] = pareto.hypervolume(front, pareto.reference_point(objectives, front))
        yield from metrics(PARENT, values, generation, time)

    def _final(self, event: Event) -> Iterator[Item]:
        run, step = member_run(event["member"]), event["generation"]
        before = None if self._chosen is None else member_run(self._chosen)
        if before not in (None, run):
            yield tag(before, "best", "false")
        yield from best(run, before)
        self._chosen = event["member"]
        yield tag(run, "best", "true")
        yield tag(PARENT, "best_member", event["member"])
        for prefix, values in (("final", event["metrics"]), ("test", event["test"])):
            named = {f"{prefix}.{key}": value for key, value in values.items()}
            yield from metrics(PARENT, named, step, event["time"])
        for key, value in event["config"].items():
            yield tag(PARENT, f"best.config.{key}", value)
        if self.history is not None:
            yield tag(PARENT, RESULT, described(self.history, event))
        if self.history is not None and len(self.history.start.objectives) > 1:
            yield from _hypervolumes(self.history, event["time"])


def described(history: PopulationHistory, final: Event) -> str:
    """What came out, in a line."""
    start, member = history.start, final["member"]
    values = ", ".join(f"{name} {number(value)}" for name, value in final["metrics"].items())
    several = len(start.objectives) > 1
    chosen = f"Pareto set of {len(history.models)} models; its knee point" if several else "Best"
    tested = ", ".join(f"{name} {number(value)}" for name, value in final["test"].items())
    held_out = f" Held-out test: {tested}." if tested else ""
    return (
        f"{chosen}: member {member} after generation {final['generation']} ({values}).{held_out} "
        f"{start.size} members, {start.generations} generations of {start.interval} {start.unit}s."
    )


def _birth(history: PopulationHistory, member: int, config: Mapping[str, Any]) -> Iterator[Item]:
    run = member_run(member)
    yield Child(run, {"member": str(member), "study": history.start.study})
    for key, value in config.items():
        yield param(run, f"born.{key}", value)


def _training(
    history: PopulationHistory, record: MemberInterval, void: MemberInterval | None
) -> Iterator[Item]:
    """What an interval adds to its member's run; ``void`` is what was recorded before a resume undid it."""
    run, life = member_run(record.member), history.lives[record.member]
    earlier = [one.config for one in (life[-2] if len(life) > 1 else None, void) if one is not None]
    scheduled = {
        f"config.{key}": value
        for key, value in record.config.items()
        if key in history.start.mutable or not earlier or any(one.get(key) != value for one in earlier)
    }
    gone = {key for config in earlier for key in config if key not in record.config}
    numbers = {key: float(value) for key, value in scheduled.items() if isinstance(value, (int, float))}
    own = {"seconds": record.seconds}
    if record.copies:
        own["parent"] = record.parent
    if record.crossover is not None:
        own["second_parent"] = record.crossover.parent
    yield from metrics(run, record.metrics, record.generation, record.time, OURS)
    yield from metrics(run, {**own, **numbers}, record.generation, record.time)
    yield from (tag(run, key, value) for key, value in scheduled.items() if key not in numbers)
    yield from (tag(run, f"config.{key}", "inactive") for key in sorted(gone))
    if record.failure is not None:
        yield tag(run, "failure", f"generation {record.generation}: {record.failure}")


def _summary(
    history: PopulationHistory, generation: int, counts: Mapping[str, int], time: float
) -> Iterator[Item]:
    values: dict[str, float] = {**counts, "member_steps_per_second": history.rate}
    losses = history.losses(generation)
    for objective, column in zip(history.start.objectives, losses.T, strict=True):
        known = column[~np.isnan(column)]
        if known.size:
            values[f"best.{objective.name}"] = in_own_direction(float(known.min()), objective)
            values[f"median.{objective.name}"] = in_own_direction(float(np.median(known)), objective)
    yield from metrics(PARENT, values, generation, time)


def _settled(objectives: Sequence[Objective]) -> bool:
    """Whether no value of the reference point is inferred."""
    return all(objective.reference is not None for objective in objectives)


def _hypervolumes(history: PopulationHistory, time: float) -> Iterator[Item]:
    """The reference point and, where it has been inferred, the hypervolume after every generation."""
    objectives, sets = history.start.objectives, list(fronts(history))
    if not sets or not len(sets[-1]):
        return
    corner = pareto.reference_point(objectives, sets[-1])
    named = (
        f"{one.name} {in_own_direction(value, one):.6g}"
        for one, value in zip(objectives, corner.tolist(), strict=True)
    )
    yield tag(PARENT, "reference_point", ", ".join(named))
    if not _settled(objectives):
        for generation, front in enumerate(sets, start=1):
            volume = pareto.hypervolume(front, corner)
            yield from metrics(PARENT, {"hypervolume": volume}, generation, time)


def _same(before: MemberInterval, again: MemberInterval) -> bool:
    """Whether two trainings of one interval gave the same; wall-clock time does not count."""
    return (
        before.age == again.age
        and before.failure == again.failure
        and before.parent == again.parent
        and dict(before.config) == dict(again.config)
        and {key: repr(value) for key, value in before.metrics.items()}
        == {key: repr(value) for key, value in again.metrics.items()}
    )
