"""What a population study says at its end."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.population.coordination.messages import Outcome
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.reporting.population.summary import SCHEDULE_ROWS, closing
from orchestrator.text import setting
from tests.orchestrator.journals import PopulationJournal

DONE = Outcome(finished=True, concluded=True, failure=None, best=0, config={}, weights=None, snapshot=None)


def closing_of(history: PopulationHistory, path: Path = Path("here")) -> tuple[list[str], list[list[str]]]:
    """The closing lines, and the cells of the schedule below its heading."""
    lines = list(closing(history, DONE, path, None, {}))
    first = next(place for place, line in enumerate(lines) if line.startswith("schedule of"))
    table = [line for line in lines[first + 2 :] if line.startswith("  ") and "left out" not in line]
    return lines, [line.split() for line in table]


def changes(history: PopulationHistory) -> list[MemberInterval]:
    """The last intervals before each change of what is mutable along the best member's ancestry."""
    best, mutable = history.best(), history.start.mutable
    assert best is not None
    chain = history.chain(best)
    values = [[record.config.get(name) for name in mutable] for record in chain]
    pairs = zip(chain, pairwise(values), strict=False)
    return [*(record for record, (value, after) in pairs if value != after), chain[-1]]


@pytest.mark.parametrize("seed", range(5))
def test_the_schedule_has_a_row_for_each_change_and_no_row_twice(seed: int) -> None:
    history = PopulationHistory.from_events(PopulationJournal(size=6, generations=12, seed=seed).events())
    lines, rows = closing_of(history)
    expected = changes(history)
    assert [row[:2] for row in rows] == [[str(r.age), str(r.member)] for r in expected]
    assert [row[2] for row in rows] == [setting(r.config["learning_rate"]) for r in expected]
    assert not [line for line in lines if "left out" in line]


def test_a_long_schedule_says_how_much_is_left_out_and_where_the_whole_is(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "schedule.html").touch()
    events = PopulationJournal(size=2, generations=60).events()
    for event in events:
        if event["event"] == "interval":
            event["config"] = {**event["config"], "learning_rate": 1 / event["generation"]}
    lines, rows = closing_of(PopulationHistory.from_events(events), tmp_path)
    assert len(rows) == SCHEDULE_ROWS + 1
    assert rows[0][0] == "10" and rows[-1][0] == "600"
    assert set(rows[SCHEDULE_ROWS // 2]) == {"…"}
    (told,) = [line for line in lines if "left out" in line]
    assert f"({60 - SCHEDULE_ROWS} rows are left out here; results/schedule.html" in told
    assert f"plots: {tmp_path / 'results' / 'schedule.html'}" in lines
