"""Configurations that people want to see tried: at the beginning, and while a study runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.optuna import OptunaTpe
from orchestrator.optimizers.random import RandomSearch
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.course import Course
from orchestrator.search.earlier.inbox import Inbox, configurations
from orchestrator.search.trials.trial_run import Report
from search_spaces import Config, ConfigurationError, build_space
from tests.orchestrator.search.troubled import SPACE
from workloads.contract import Fidelity, Objective

OBJECTIVES, LARGEST, TRIALS = (Objective("loss"),), 9, 12
SPACE_OF_TWO = build_space(SPACE)
FIRST: list[Config] = [{"x": 0.0, "y": 0.0}, {"x": 0.5, "y": -0.5}]

Make = Callable[[], Optimizer]


def random() -> Optimizer:
    return RandomSearch(SPACE_OF_TWO, OBJECTIVES, 0)


def tpe() -> Optimizer:
    return OptunaTpe(SPACE_OF_TWO, OBJECTIVES, 0, n_startup_trials=3)


def asha() -> Optimizer:
    return Asha(SPACE_OF_TWO, OBJECTIVES, 0, Fidelity("step", 1, LARGEST))


def run(path: Path, make: Make, inbox: Inbox | None = None, stop: int = TRIALS) -> list[Event]:
    """Up to ``stop`` trials, one after another; what is in the inbox is taken in before each."""
    tmp = path.parent / "added"
    with Journal(path) as journal:
        course = Course(make(), (), TRIALS, LARGEST, journal, read_journal(path), lambda: 0.0)
        course.begin_with(FIRST)
        for _ in range(stop):
            for name, configs in list(inbox.read()) if inbox else ():
                course.add(name, configs)
                (tmp / name).unlink()
            assignment = course.next()
            if assignment is None:
                break
            config, target = assignment.suggestion.config, assignment.suggestion.fidelity or LARGEST
            for fidelity in (1, 3, LARGEST):
                if fidelity <= target:
                    loss = float(config["x"]) ** 2 + float(config["y"]) ** 2 + 1 / fidelity
                    report = Report(fidelity, {"loss": loss}, 1.0, done=fidelity == target)
                    course.report(assignment.number, report)
            course.end(assignment.number, report)
    return read_journal(path)


def suggested(events: list[Event]) -> list[tuple[str, Config]]:
    return [(e.get("source", ""), e["config"]) for e in events if e["event"] == "suggested"]


@pytest.mark.parametrize("make", [random, tpe, asha], ids=lambda make: make.__name__)
def test_initial_configurations_come_first_and_the_study_resumes_after_any_event(
    tmp_path: Path, make: Make
) -> None:
    whole = tmp_path / "whole"
    events = run(whole, make)
    assert suggested(events)[:2] == [("initial", config) for config in FIRST]
    assert {source for source, _ in suggested(events)[2:]} == {""}
    assert len(suggested(events)) == TRIALS
    lines = whole.read_bytes().splitlines(keepends=True)
    for killed_after in range(0, len(lines), 5):
        path = tmp_path / str(killed_after)
        path.write_bytes(b"".join(lines[:killed_after]))
        assert suggested(run(path, make)) == suggested(events)


def test_an_optimizer_that_chooses_fidelities_ranks_them_on_every_rung_and_trains_them_no_further(
    tmp_path: Path,
) -> None:
    events = run(tmp_path / "journal", asha)
    again = [config for source, config in suggested(events) if not source and config in FIRST]
    assert not again, "they are trained fully already"
    optimizer = asha()
    with Journal(tmp_path / "journal") as journal:
        Course(optimizer, (), TRIALS, LARGEST, journal, events, lambda: 0.0)
    first, second = optimizer._results  # type: ignore[attr-defined]
    assert len(first.ranking) > 2 and len(second.ranking) >= 2


def test_added_configurations_come_next_also_after_a_resume(tmp_path: Path) -> None:
    path, inbox = tmp_path / "journal", Inbox(tmp_path / "added", SPACE_OF_TWO)
    run(path, tpe, inbox, stop=4)
    wanted: list[Config] = [{"x": 0.1, "y": 0.2}, {"x": 0.3, "y": 0.4}]
    inbox.put(wanted[:1])
    inbox.put(wanted[1:])
    assert inbox.count() == 2
    events = run(path, tpe, inbox)
    assert suggested(events)[4:6] == [("added", config) for config in wanted]
    assert len(suggested(events)) == TRIALS
    assert inbox.count() == 0
    assert suggested(run(path, tpe, inbox)) == suggested(events)


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, SPACE_OF_TWO)
    for name, text in {"a": "[1", "b": json.dumps([{"x": 5, "y": 0}]), "c": "3"}.items():
        (tmp_path / f"{name}.json").write_text(text)
    inbox.put(FIRST)
    assert [configs for _, configs in inbox.read()] == [FIRST]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".refused", ".refused", ".refused"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": 0.0}, r"^here: expected a list of configurations"),
        ([3], r"^here\[0\]: expected values by parameter, or default, got 3"),
        (["defaults"], r"^here\[0\]: expected values by parameter, or default"),
        ([FIRST[0], {"x": 2.0, "y": 0.0}], r"^here\[1\]\.x: expected a number in \[-1"),
        ([{"x": 0.0}], r"^here\[0\]\.y: expected a number in .*, got nothing"),
        ([{"x": 0.0, "y": 0.0, "z": 1}], r"^here\[0\]\.z: expected one of the parameters 'x', 'y'"),
    ],
)
def test_configurations_outside_the_space_are_named_with_their_parameter(given: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configurations(given, SPACE_OF_TWO, "here")


def test_the_default_is_a_configuration() -> None:
    assert configurations(["default"], SPACE_OF_TWO, "here") == [SPACE_OF_TWO.default()]
