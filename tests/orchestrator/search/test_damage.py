"""A search whose journal is damaged ends as it would have, or is refused in one line; never otherwise."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from orchestrator.optimizers.random import RandomSearch
from orchestrator.run.journal import Journal, read_journal
from orchestrator.run.soundness import require_sound
from orchestrator.search.course import Course
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.soundness import SearchJudge
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.trial_run import Report
from search_spaces import ConfigurationError
from tests.orchestrator.damage import flips, truncations
from tests.orchestrator.search_journals import ERROR, space

pytestmark = pytest.mark.damage

TRIALS = 6
START = SearchStart(
    study="small", seed=0, optimizer="RandomSearch", stopping="", trials=TRIALS, concurrency=1, unit="step",
    rungs=(1, 3), objectives=(ERROR,), constraints=(), parameters=space().names, log_parameters=(), time=0.0,
)  # fmt: skip

Results = list[tuple[int, float, float]]
"""Of each trial: its number, its learning rate and its loss."""


def carried_out(path: Path) -> Results:
    """Begin a study, or go on with it, until it is over; what came of its trials."""
    clock = map(float, itertools.count(1)).__next__
    with Journal(path) as journal:
        past = read_journal(path)
        require_sound(path, past, SearchJudge())
        course = Course(RandomSearch(space(), (ERROR,), seed=0), (), TRIALS, 3, journal, past, clock)
        journal.append(
            {"event": "resume", "pending": list(course.pending), "time": clock()} if past else START.event()
        )
        while (assignment := course.next()) is not None:
            rate = float(assignment.suggestion.config["learning_rate"])
            course.report(assignment.number, Report(1, {"error": 2 * rate}, 1.0))
            course.end(assignment.number, Report(3, {"error": rate}, 1.0, done=True))
    history = SearchHistory.from_events(read_journal(path))
    return sorted((one.number, one.config["learning_rate"], one.trial.losses[0]) for one in history.ended)  # type: ignore[union-attr]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_a_truncated_journal_is_one_of_a_study_that_was_killed_earlier(path: Path) -> None:
    whole = carried_out(path)
    content = path.read_bytes()
    assert len(whole) == TRIALS
    tried: set[bytes] = set()
    for damaged in truncations(content):
        path.write_bytes(damaged)
        Journal(path).close()
        complete = path.read_bytes()
        assert damaged.startswith(complete) and damaged.count(b"\n") == complete.count(b"\n")
        if complete not in tried:
            assert carried_out(path) == whole
        tried.add(complete)
    assert len(tried) > 3


def test_a_flipped_byte_is_refused(path: Path) -> None:
    whole = carried_out(path)
    content = path.read_bytes()
    for damaged in flips(content, 3):
        path.write_bytes(damaged)
        if damaged[:-1] == content[:-1]:  # the end of the last line, which is then torn
            assert carried_out(path) == whole
            continue
        with pytest.raises(ConfigurationError, match=r"journal\.jsonl, line \d+: ") as refused:
            carried_out(path)
        assert "\n" not in str(refused.value)


def unstamped(path: Path) -> list[bytes]:
    """The journal's lines as an earlier version wrote them."""
    from orchestrator.run.journal_lines import stamped

    lines = [stamped(raw) for raw in path.read_bytes().split(b"\n")[:-1]]
    return [line.body + b"\n" for line in lines if line is not None]


@pytest.mark.parametrize(
    ("order", "line", "found"),
    [
        ([0, 1, 2, 3, 3, 4], 5, "trial 0, which was not running"),
        ([0, 1, 2, 2, 3, 4], 4, "trial 0 at 1, where it has been before"),
        ([0, 2, 3], 2, "trial 0, which was not running"),
        ([0, 1, 2, 3, 7], 5, "trial 2, where trial 1 is next"),
        ([1, 2, 3], 1, "no start of a search study"),
    ],
)
def test_lost_and_doubled_lines_of_earlier_versions_are_found_where_they_cannot_be(
    path: Path, order: list[int], line: int, found: str
) -> None:
    carried_out(path)
    lines = unstamped(path)
    path.write_bytes(b"".join(lines[number] for number in order))
    with pytest.raises(ConfigurationError, match=rf"journal\.jsonl, line {line}: .*{found}"):
        carried_out(path)


def test_a_journal_of_an_earlier_version_goes_on(path: Path) -> None:
    whole = carried_out(path)
    path.write_bytes(b"".join(unstamped(path)[:9]))
    assert carried_out(path) == whole == carried_out(path)
