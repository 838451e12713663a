"""Whole preference studies: what is answered is kept, and never asked again."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from orchestrator.api.stored import Run
from orchestrator.config.validate import check_values
from orchestrator.preference import model
from orchestrator.preference.assemble import assemble_preference
from orchestrator.preference.history import PreferenceHistory, PreferenceJudge
from orchestrator.reporting.stored import report_again
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, read_journal
from orchestrator.run.soundness import first_problem
from orchestrator.studies import preference
from orchestrator.tracking.items import Child, Metric, Tag
from orchestrator.tracking.records import record_of
from search_spaces import ConfigurationError
from tests.conftest import composed

MENTIONS = {"_target_": "orchestrator.preference.judges.Mentions"}
JUDGED = {"judge": {**MENTIONS, "words": ["sentence"]}}


class Leaving(io.StringIO):
    """A person who types some answers and then presses Ctrl-C."""

    def readline(self, *_: Any) -> str:
        if not (line := super().readline()):
            raise KeyboardInterrupt
        return line


@cache
def shipped() -> dict[str, Any]:
    return composed("+study=prompts", "tracking=none", "preference.initial=2")


def configured(**changes: Any) -> dict[str, Any]:
    """The shipped study with other values of ``preference``."""
    config = copy.deepcopy(shipped())
    config["preference"] |= changes
    return config


def study(path: Path, resume: bool = False, preflight: bool = True, **changes: Any) -> int:
    config = configured(**changes) | {"preflight": preflight}
    check_values(config)
    config["run"]["dir"] = str(path)
    path.mkdir(exist_ok=True)
    RunDirectory(path).config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return preference.run(config, path, resume)


def told(path: Path, *kinds: str) -> list[Event]:
    """Events without what the clock and the journal add."""
    left = ("time", "seconds", "#")
    return [
        {key: value for key, value in event.items() if key not in left}
        for event in read_journal(path / "journal.jsonl")
        if event["event"] in kinds
    ]


def answered(keys: Sequence[str], path: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> int:
    monkeypatch.setattr("sys.stdin", Leaving("".join(f"{key}\n" for key in keys)))
    return study(path, questions=3, **more)


@pytest.fixture(scope="module", autouse=True)
def briefly_fitted() -> Iterator[None]:
    """What is believed does not matter here, only that it repeats."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "FIT_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that a program answered."""
    path = tmp_path_factory.mktemp("studies") / "complete"
    assert study(path, questions=4, **JUDGED) == 0
    return path


def test_an_interrupted_study_goes_on_with_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preference, "write_results", lambda folder, _: folder)  # seconds, and not looked at
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert answered("121", whole, monkeypatch) == 0
    capsys.readouterr()
    assert answered("1", parts, monkeypatch) == 130
    assert f"go on with: python -m orchestrator resume={parts}" in capsys.readouterr().out
    assert told(parts, "stopped") == [{"event": "stopped", "reason": "interrupted"}]
    assert answered("21", parts, monkeypatch, resume=True) == 0
    for kind in ("result", "asked", "answered"):
        assert told(parts, kind) == told(whole, kind)
    once, twice = (told(path, "standing")[-1] for path in (whole, parts))
    assert twice["options"] == once["options"]
    assert twice["utilities"] == pytest.approx(once["utilities"], rel=1e-9)  # rounding varies with memory
    assert len({frozenset((one["first"], one["second"])) for one in told(whole, "asked")}) == 3


def test_a_study_without_a_terminal_says_so_and_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert study(tmp_path / "run", questions=2) == 1
    said = capsys.readouterr().out
    assert "stopped: nobody can answer, since standard input is closed" in said
    assert "Nothing was compared." in said
    assert not (tmp_path / "run" / "results" / "best.yaml").exists()


def test_what_a_study_leaves_names_no_score(complete: Path) -> None:
    results = complete / "results"
    options = pd.read_parquet(results / "options.parquet")
    assert len(pd.read_parquet(results / "answers.parquet")) == 4
    best = options.loc[options["utility"].idxmax()]
    assert yaml.safe_load((results / "best.yaml").read_text()) == {"prompt": best["config.prompt"]}
    page = (results / "study.html").read_text()
    for said in ("Highest posterior utility", "are no scores", "by the program Mentions"):
        assert said in page
    assert options[["better", "worse"]].to_numpy().sum() == 8
    assert (results / "utilities.png").stat().st_size > 5_000


def test_a_stored_study_is_reported_again_and_read_from_python(complete: Path, tmp_path: Path) -> None:
    page = report_again([complete], tmp_path / "again")
    assert page.read_text() == (complete / "results" / "study.html").read_text()
    run = Run(complete)
    assert run.kind == "preference" and set(run.frames) == {"options", "answers"}
    assert run.best is not None and run.best["text"] == run.best["config"]["prompt"]


def test_a_complete_study_asks_nothing(complete: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preference, "write_results", lambda folder, _: folder)
    before = (complete / "journal.jsonl").read_bytes()
    assert study(complete, resume=True, questions=4, **JUDGED) == 0
    assert (complete / "journal.jsonl").read_bytes() == before
    events = read_journal(complete / "journal.jsonl")
    assert first_problem(events, PreferenceJudge()) is None
    assert PreferenceHistory.from_events(events).final is not None


def test_what_is_recorded_in_mlflow(complete: Path) -> None:
    events = read_journal(complete / "journal.jsonl")
    record = record_of(events[0])
    items = record.feed(events)
    assert sum(isinstance(one, Child) for one in items) == len(told(complete, "result"))
    places = {one.run: one.value for one in items if isinstance(one, Tag) and one.key == "place"}
    assert sorted(map(int, places.values())) == list(range(len(places)))
    assert not any(isinstance(one, Metric) and "utility" in one.key for one in items)
    assert all(one.run for one in items if isinstance(one, Metric)), "the study itself has none"
    assert len(record.tables()["answers.json"]) == 4


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([{"event": "answered", "answer": "first"}], "an answer without a question"),
        ([{"event": "asked", "first": 0, "second": 1}], "a question without its results"),
        ([{"event": "result", "option": 1}], "option 1, where option 0 is next"),
        ([{"event": "start", "kind": "preference"}], "a second start"),
    ],
)
def test_a_journal_that_cannot_be_is_refused(complete: Path, events: list[Event], problem: str) -> None:
    start = read_journal(complete / "journal.jsonl")[0]
    assert first_problem([start, *events], PreferenceJudge()) == (1, problem)


def test_configurations_that_fail_are_left_out_and_too_many_end_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: object, amount: int) -> dict[str, float]:
        raise ValueError("no such model")

    monkeypatch.setattr("workloads.library.prompts.PromptSession.advance", broken)
    assert study(tmp_path / "run", preflight=False, **JUDGED) == 1
    assert "stopped: the last 5 configurations failed: ValueError: no such model" in capsys.readouterr().out
    failed = told(tmp_path / "run", "result")
    assert len({json.dumps(one["config"]) for one in failed}) == len(failed)
    assert "ValueError" in (tmp_path / "run" / "failures.log").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"questions": 0}, "preference.questions: expected an integer of at least 1, got 0"),
        ({"port": 70000}, "preference.port: expected a port from 1 to 65535, or null, got 70000"),
        ({"judge": MENTIONS}, "preference.judge.words: expected a value, which Mentions requires"),
        ({"judge": {**MENTIONS, "words": []}}, "preference.judge.words: expected at least one word"),
    ],
)
def test_what_cannot_run_is_refused(changes: dict[str, Any], message: str) -> None:
    config = configured(**changes)
    with pytest.raises(ConfigurationError, match=message):
        check_values(config)
        assemble_preference(config)


def test_a_cluster_is_refused() -> None:
    config = configured()
    config["cluster"]["address"] = "auto"
    with pytest.raises(ConfigurationError, match=r"cluster\.address: expected null for a preference study"):
        assemble_preference(config)
