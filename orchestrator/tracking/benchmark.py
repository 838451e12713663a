"""What of a benchmark study is recorded where.

- Child runs, one for each method: its definition as params ``method.<key>``, the metric ``cells`` (finished),
  from the first on ``failures`` and ``lost``; once the study is complete its aggregates: ``rank.<group>``
  (mean rank; a group is ``all`` or, where there are several, a type of task) and ``normalised.<group>`` (mean
  normalised value over the same tasks, 0 is best). A method that is defined anew when the study is extended
  has a new run, named ``<method> (2)`` and so on, and the former one the tag ``superseded``.
- Parent run: ``cells_per_second``, from the first on ``failures`` and ``lost``; the tags ``best_method`` and
  ``stopped``; once the study is complete, a description of what came out. The name of the best method's run
  then says so.

The step of all metrics is the number of cells of the study that have ended. A study that was extended and is
complete again has further aggregates, at a larger step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.config.schema import flat
from orchestrator.run.journal import Event
from orchestrator.text import number
from orchestrator.tracking.items import (
    PARENT,
    RESULT,
    Child,
    Counts,
    Item,
    Name,
    best,
    metrics,
    milliseconds,
    param,
    tag,
)

if TYPE_CHECKING:
    import pandas as pd


class BenchmarkRecord:
    """Turns a journal's events, in their order, into what is to be recorded; depends on them alone."""

    def __init__(self) -> None:
        self.history: BenchmarkHistory | None = None
        self._children: dict[str, str] = {}  # the method of each
        self._runs: dict[str, str] = {}  # the newest of each method
        self._definitions: dict[str, Mapping[str, Any]] = {}
        self._counts = Counts()
        self._best: str | None = None

    def feed(self, events: Iterable[Event]) -> list[Item]:
        """What the next events add to the record."""
        return [item for event in events for item in self._items(event)]

    def run_status(self, run: str, status: str) -> str | None:
        """How a method's run ends where the study ends with ``status``: as the study does."""
        return status if run in self._children else None

    def tables(self) -> dict[str, pd.DataFrame]:
        """None besides the results."""
        return {}

    def files(self) -> dict[str, str]:
        """None besides the results."""
        return {}

    def _items(self, event: Event) -> Iterator[Item]:
        if self.history is None:
            self.history = BenchmarkHistory.from_events([event])
            for key in ("study", "seed", "kind", "workers"):
                yield tag(PARENT, key, event[key])
            yield from self._births(self.history, event["time"])
            return
        was_stopped = self.history.stopped is not None
        self.history.extend([event])
        match event["event"]:
            case "resume":
                if was_stopped:
                    yield tag(PARENT, "stopped", "")
                yield from self._births(self.history, event["time"])
                yield from self._progress(self.history, list(self.history.start.methods), event["time"])
            case "cells":
                unfinished = [*event["failed"], *event.get("lost", ())]
                told = {*event["finished"], *(method for _, method, _, _ in unfinished)}
                yield from self._progress(self.history, sorted(told), event["time"])
            case "stopped":
                yield tag(PARENT, "stopped", event["reason"])
            case "final":
                yield from self._final(self.history, event)

    def _births(self, history: BenchmarkHistory, time: float) -> Iterator[Item]:
        for name, definition in history.start.methods.items():
            if self._definitions.get(name) == definition:
                continue
            times = 1 + list(self._children.values()).count(name)
            run = name if times == 1 else f"{name} ({times})"
            if times > 1:
                yield tag(self._runs[name], "superseded", run)
            self._children[run], self._runs[name], self._definitions[name] = name, run, definition
            yield Child(run, {"method": name}, milliseconds(time))
            yield from (param(run, f"method.{key}", value) for key, value in flat(definition).items())

    def _progress(self, history: BenchmarkHistory, methods: list[str], time: float) -> Iterator[Item]:
        step = history.ended
        for name in methods:
            run, counts = self._runs[name], {"failures": history.failed(name), "lost": history.lost_of(name)}
            values = {"cells": history.finished[name], **self._counts.since_first(run, counts)}
            yield from metrics(run, values, step, time)
        counts = {"failures": len(history.failures), "lost": len(history.lost)}
        whole = {"cells_per_second": history.rate, **self._counts.since_first(PARENT, counts)}
        yield from metrics(PARENT, whole, step, time)

    def _final(self, history: BenchmarkHistory, event: Event) -> Iterator[Item]:
        aggregates = event["methods"]
        shown = _compared(aggregates)
        for name, values in aggregates.items():
            new = {key: value for key, value in values.items() if key in shown}
            yield from metrics(self._runs[name], new, history.ended, event["time"])
        ranked = {name: values["rank.all"] for name, values in aggregates.items() if "rank.all" in values}
        # Journals from before failed cells counted do not say which method may be called the best.
        winner = event["best"] if "best" in event else min(ranked, key=ranked.__getitem__, default=None)
        if winner is not None:
            yield tag(PARENT, "best_method", winner)
            yield tag(PARENT, RESULT, described(history, winner, ranked))
            yield from best(self._runs[winner], self._best)
            self._best = self._runs[winner]
        elif event.get("unbalanced"):
            yield tag(PARENT, "best_method", f"none: {event['unbalanced']}")
            yield tag(PARENT, RESULT, f"No best method: {event['unbalanced']}.")
            yield from [] if self._best is None else [Name(self._best, self._best)]
            self._best = None


def _compared(aggregates: Mapping[str, Mapping[str, float]]) -> set[str]:
    """The aggregates to record: a type of task that is the only one has those of all."""
    keys = {key for values in aggregates.values() for key in values}
    groups = {key.partition(".")[2] for key in keys if key.startswith("rank.")}
    groups = {"all"} if len(groups - {"all"}) == 1 and "all" in groups else groups
    return {f"{what}.{group}" for what in ("rank", "normalised") for group in groups}


def described(history: BenchmarkHistory, winner: str, ranked: Mapping[str, float]) -> str:
    """What came out, in a line."""
    ordered = sorted(ranked, key=lambda name: (name != winner, ranked[name]))
    shown = ", ".join(f"{name} {number(ranked[name])}" for name in ordered)
    return f"Best method: {winner}. Mean ranks: {shown}. {history.ended} cells."
