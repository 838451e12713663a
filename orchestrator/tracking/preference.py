"""What of a preference study is recorded where.

Each option is a child run: its configuration as params ``config.<hyperparameter>``, the workload's metrics,
``seconds`` of training and the tag ``status``. At the end of each start the parent run's description says
what came out, and options that were compared have the tags ``utility``, ``deviation`` and ``place`` (0: the
highest utility). These are no metrics, since their values mean nothing between studies. All answers are a
table, ``answers.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from orchestrator.preference.history import Option, PreferenceHistory
from orchestrator.run.journal import Event
from orchestrator.text import number
from orchestrator.tracking.items import (
    PARENT,
    RESULT,
    Child,
    End,
    Item,
    best,
    metrics,
    milliseconds,
    param,
    tag,
)

if TYPE_CHECKING:
    import pandas as pd


class PreferenceRecord:
    """Turns a journal's events, in their order, into what is to be recorded; depends on them alone."""

    def __init__(self) -> None:
        self.history: PreferenceHistory | None = None
        self._best: str | None = None

    def feed(self, events: Iterable[Event]) -> list[Item]:
        """What the next events add to the record."""
        return [item for event in events for item in self._items(event)]

    def run_status(self, run: str, status: str) -> str | None:
        """An option's run has ended with its result."""
        del run, status
        return None

    def tables(self) -> dict[str, pd.DataFrame]:
        """All answers, by the name of the artifact."""
        from orchestrator.preference import frames

        return {} if self.history is None else {"answers.json": frames.answers(self.history)}

    def files(self) -> dict[str, str]:
        """None besides the results."""
        return {}

    def _items(self, event: Event) -> Iterator[Item]:
        if self.history is None:
            self.history = PreferenceHistory.from_events([event])
            yield from (tag(PARENT, key, event[key]) for key in ("study", "seed", "kind", "judge"))
            return
        self.history.extend([event])
        match event["event"]:
            case "result":
                yield from _option(self.history.options[-1])
            case "standing":
                yield from self._standing(self.history)
            case "stopped":
                yield tag(PARENT, "stopped", event["reason"])
            case "resume":
                yield tag(PARENT, "stopped", "")

    def _standing(self, history: PreferenceHistory) -> Iterator[Item]:
        found = history.standing
        assert found is not None, "the event has just told of it"
        for place, option in enumerate(found.options):
            run = _run(option)
            yield tag(run, "utility", number(found.utilities[place]))
            yield tag(run, "deviation", number(found.deviations[place]))
            yield tag(run, "place", place)
        told = f"Highest posterior utility: option {found.options[0]}, after {found.answers} answers."
        yield tag(PARENT, RESULT, told)
        yield from best(_run(found.options[0]), self._best)
        self._best = _run(found.options[0])


def _run(option: int) -> str:
    return f"option-{option:04d}"


def _option(option: Option) -> Iterator[Item]:
    run, time = _run(option.number), option.time
    yield Child(run, {"option": str(option.number)}, milliseconds(time - option.seconds))
    yield from (param(run, f"config.{name}", value) for name, value in option.config.items())
    yield from metrics(run, option.metrics, 0, time, ("seconds",))
    yield from metrics(run, {"seconds": option.seconds}, 0, time)
    yield tag(run, "status", "failed" if option.failure else "finished")
    if option.failure:
        yield tag(run, "reason", option.failure)
    yield End(run, "FAILED" if option.failure else "FINISHED", milliseconds(time))
