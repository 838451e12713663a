"""The course of a study without Ray: what it journals, and that nothing is lost wherever it is killed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.optuna import OptunaGp, OptunaTpe
from orchestrator.optimizers.random import RandomSearch
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.budget import Budget
from orchestrator.search.course import Assignment, Course, Handling
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.records import in_force
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Trial
from search_spaces import Config, build_space
from tests.orchestrator.search.troubled import SPACE
from workloads.contract import Objective

OBJECTIVES = (Objective("loss"),)
TRIALS, LARGEST = 12, 9

Make = Callable[[], Optimizer]


def tpe() -> Optimizer:
    return OptunaTpe(build_space(SPACE), OBJECTIVES, 0, n_startup_trials=3)


def random() -> Optimizer:
    return RandomSearch(build_space(SPACE), OBJECTIVES, 0)


class InPairs(Optimizer):
    """Suggests two, then wants to be told of both; has six in all."""

    capabilities = Capabilities()

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        if token >= 6 or (token % 2 == 0 and self._pending):
            return None
        return {"x": 0.1 * token, "y": 0.0}, 3 if token % 2 else None

    def _learn(self, trial: Trial) -> None:
        pass


def in_pairs() -> Optimizer:
    return InPairs(build_space(SPACE), OBJECTIVES, 0)


def course_on(path: Path, make: Make, journal: Journal) -> Course:
    ticks = itertools.count()
    return Course(make(), (), TRIALS, LARGEST, journal, read_journal(path), lambda: float(next(ticks)))


def report(assignment: Assignment, fidelity: int) -> Report:
    x, y = assignment.suggestion.config["x"], assignment.suggestion.config["y"]
    return Report(fidelity, {"loss": float(x) ** 2 + float(y) ** 2 + 1 / fidelity}, 0.5 * fidelity)


def work(course: Course, slots: int = 1, deaths: Mapping[int, int] = {}) -> None:
    """Run all trials, ``slots`` at a time; the oldest ends first.

    Args:
        deaths: how often a trial is lost before it succeeds, by number.
    """
    running: list[Assignment] = []
    while True:
        while len(running) < slots and (assignment := course.next()) is not None:
            running.append(assignment)
        if not running:
            return
        assignment = running.pop(0)
        number, target = assignment.number, assignment.suggestion.fidelity or LARGEST
        if assignment.attempt < deaths.get(number, 0):
            course.report(number, report(assignment, 1))
            course.lose(number, "its process died", 1.0)
            continue
        if number == 5:
            course.fail(number, "its process died", 1.0)
            continue
        course.report(number, report(assignment, 1))
        course.end(number, report(assignment, target if number != 4 else 1), "asha")


def study(path: Path, make: Make, slots: int = 1, deaths: Mapping[int, int] = {}) -> list[Event]:
    with Journal(path) as journal:
        course = course_on(path, make, journal)
        if course.pending and read_journal(path):
            journal.append({"event": "resume", "pending": list(course.pending), "time": 0.0})
        work(course, slots, deaths)
        assert course.progress.finished and course.progress.over
    return read_journal(path)


def outcome(events: list[Event]) -> dict[int, tuple[object, ...]]:
    return {
        event["trial"]: (event["status"], repr(event["losses"]), event["fidelity"], event["reason"])
        for event in events
        if event["event"] == "ended"
    }


def configs(events: list[Event]) -> list[Config]:
    return [event["config"] for event in events if event["event"] == "suggested"]


def test_everything_is_journalled_in_its_order(tmp_path: Path) -> None:
    events = study(tmp_path / "journal.jsonl", tpe)
    kinds = [event["event"] for event in events if event.get("trial") == 0]
    assert kinds == ["suggested", "report", "ended"]
    ended = outcome(events)
    assert sorted(ended) == list(range(TRIALS))
    assert ended[4][0] == "stopped" and ended[4][2:] == (1, "asha after 1")
    assert ended[5] == ("failed", "[nan]", 0, "its process died")
    assert {status for number, (status, *_) in ended.items() if number not in (4, 5)} == {"finished"}


@pytest.mark.parametrize("make", [tpe, random, in_pairs], ids=lambda make: make.__name__)
def test_killed_after_any_event_it_goes_on_as_if_nothing_had_happened(tmp_path: Path, make: Make) -> None:
    whole = tmp_path / "whole.jsonl"
    events = study(whole, make)
    lines = whole.read_bytes().splitlines(keepends=True)
    for killed_after in range(len(lines) + 1):
        path = tmp_path / f"{killed_after}.jsonl"
        path.write_bytes(b"".join(lines[:killed_after]) + b'{"event":"rep')
        resumed = study(path, make)
        assert configs(resumed) == configs(events)
        assert outcome(resumed) == outcome(events)
        assert len([event for event in resumed if event["event"] == "ended"]) == len(outcome(events))


class Listening(RandomSearch):
    """Remembers what it was told."""

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self.heard = [*getattr(self, "heard", []), *((t.suggestion.token, t.status) for t in trials)]


def test_a_lost_trial_is_tried_again_and_its_optimizer_hears_of_the_result_alone(tmp_path: Path) -> None:
    undisturbed = study(tmp_path / "undisturbed", tpe)
    events = study(tmp_path / "journal.jsonl", tpe, deaths={2: 3, 7: 1})
    assert configs(events) == configs(undisturbed)
    assert outcome(events) == outcome(undisturbed)
    losses = [(event["trial"], event["attempt"]) for event in events if event["event"] == "lost"]
    assert losses == [(2, 1), (2, 2), (2, 3), (7, 1)]
    assert sum(event["event"] == "report" for event in in_force(events)) == TRIALS - 1


def test_a_trial_that_is_always_lost_stays_lost_and_the_study_goes_on_without_it(tmp_path: Path) -> None:
    heard: list[Listening] = []

    def make() -> Optimizer:
        heard.append(Listening(build_space(SPACE), OBJECTIVES, 0))
        return heard[-1]

    path = tmp_path / "journal.jsonl"
    events = study(path, make, deaths={2: 99})
    assert outcome(events)[2] == ("lost", "[nan]", None, "its process died")
    assert len(outcome(events)) == TRIALS
    assert sum(event["event"] == "lost" for event in events) == 4
    told = dict(heard[0].heard)
    assert told.pop(2) == "lost" and "lost" not in told.values()
    # The optimizer is not told of what ended after its last suggestion.
    assert [suggestion.token for suggestion in heard[0].pending] == [TRIALS - 1]


def test_a_lost_trial_is_tried_again_on_resume(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    undisturbed = study(tmp_path / "undisturbed", random)
    study(path, random, deaths={2: 99, 11: 99})
    events = study(path, random)
    assert outcome(events) == outcome(undisturbed)
    resume = next(event for event in events if event["event"] == "resume")
    assert resume["pending"] == [2, 11]
    assert len(study(path, random)) == len(events), "now nothing is left to do"


@pytest.mark.parametrize("make", [tpe, random, in_pairs], ids=lambda make: make.__name__)
def test_a_study_with_lost_trials_resumes_after_any_event(tmp_path: Path, make: Make) -> None:
    deaths = {1: 2, 3: 99}
    whole = tmp_path / "whole.jsonl"
    events = study(whole, make, deaths=deaths)
    lines = whole.read_bytes().splitlines(keepends=True)
    for killed_after in range(0, len(lines) + 1, 3):
        path = tmp_path / f"{killed_after}.jsonl"
        path.write_bytes(b"".join(lines[:killed_after]))
        resumed = study(path, make, deaths=deaths)
        assert configs(resumed) == configs(events)
        assert outcome(resumed) == outcome(events)


def test_a_trial_lost_at_the_end_is_still_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        course = course_on(path, random, journal)
        running = [assignment for _ in range(TRIALS) if (assignment := course.next())]
        assert course.next() is None and not course.progress.over
        for assignment in running[:-1]:
            course.end(assignment.number, report(assignment, LARGEST))
        course.lose(TRIALS - 1, "its node died", 1.0)
        assert not course.progress.over
        again = course.next()
        assert again is not None and (again.number, again.attempt) == (TRIALS - 1, 1)
        course.end(again.number, report(again, LARGEST))
        assert course.progress.finished


def failing(course: Course, trials: int, reason: str = "RuntimeError: no file {}") -> None:
    """The next trials fail."""
    for _ in range(trials):
        if (assignment := course.next()) is not None:
            text = reason.format(assignment.number)
            course.end(assignment.number, Report(0, {}, 1.0, text, done=True))


def test_a_study_whose_trials_all_fail_alike_ends_early_and_can_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        course = course_on(path, random, journal)
        failing(course, TRIALS)
        progress = course.progress
        assert progress.hopeless == "the first 10 trials failed alike: RuntimeError: no file 9"
        assert progress.halted and progress.over and not progress.finished and course.next() is None
    assert len(outcome(read_journal(path))) == 10
    study(path, random)
    assert len(outcome(read_journal(path))) == TRIALS


def test_a_study_of_which_most_trials_fail_or_violate_a_constraint_goes_on(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        bounded = (Objective("loss", bound=-1.0),)
        optimizer = RandomSearch(build_space(SPACE), bounded, 0)
        course = Course(optimizer, (), 40, LARGEST, journal, [], lambda: 0.0)
        first = course.next()
        assert first is not None
        course.end(0, report(first, LARGEST))
        failing(course, 39)
        assert course.progress.finished and not course.progress.hopeless
    ended = [event for event in read_journal(tmp_path / "journal.jsonl") if event["event"] == "ended"]
    assert ended[0]["violations"][0] > 0 and ended[0]["status"] == "finished"


@pytest.mark.parametrize("slots", [2, 3])
def test_a_search_that_does_not_learn_is_the_same_at_any_concurrency(tmp_path: Path, slots: int) -> None:
    alone, together = study(tmp_path / "1", random), study(tmp_path / "2", random, slots)
    assert outcome(alone) == outcome(together)


def test_pending_trials_are_handed_out_again_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        course = course_on(path, random, journal)
        pending = [course.next(), course.next()]
    with Journal(path) as journal:
        course = course_on(path, random, journal)
        assert course.pending == (0, 1)
        assert [course.next(), course.next()] == pending
        third = course.next()
        assert third is not None and third.number == 2


def test_a_search_may_wait_and_may_run_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        course = course_on(path, in_pairs, journal)
        first, second = course.next(), course.next()
        assert first is not None and second is not None
        assert course.next() is None and course.next() is None and not course.progress.over
        course.end(1, report(second, 3))
        course.end(0, report(first, 9))
        work(course)
        assert course.progress.finished
    assert len(outcome(read_journal(path))) == 6


def test_a_halted_study_takes_nothing_in(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        course = course_on(path, random, journal)
        assignment = course.next()
        assert assignment is not None
        course.halt()
        course.report(0, report(assignment, 1))
        course.end(0, report(assignment, 9))
        assert course.next() is None and course.progress.over and not course.progress.finished
    assert [event["event"] for event in read_journal(path)] == ["suggested"]


def gp() -> Optimizer:
    return OptunaGp(build_space(SPACE), OBJECTIVES, 0, n_startup_trials=3)


@pytest.mark.parametrize("make", [random, tpe, gp, in_pairs], ids=lambda make: make.__name__)
def test_the_journal_wins_where_the_optimizer_would_now_suggest_something_else(
    tmp_path: Path, make: Make
) -> None:
    """One value moved by one unit in the last place, halfway through a study."""
    whole, path = tmp_path / "whole.jsonl", tmp_path / "journal.jsonl"
    events = study(whole, make)
    cut = [event["event"] for event in events].index("ended") + 6
    moved = next(e for e in events[:cut] if e["event"] == "suggested" and e["trial"] == 1)
    moved["config"]["x"] = math.nextafter(moved["config"]["x"], math.inf)
    with Journal(path) as journal:
        for event in events[:cut]:
            journal.append(event)
    with Journal(path) as journal:
        course = course_on(path, make, journal)
        assert course.optimizer.departures[0] == 1
        work(course)
        assert course.progress.finished
    resumed = read_journal(path)
    assert configs(resumed)[1] == moved["config"]
    numbers = [event["trial"] for event in resumed if event["event"] == "ended"]
    assert sorted(numbers) == list(range(len(outcome(events))))
    with Journal(path) as journal:  # and once more
        assert course_on(path, make, journal).progress.finished


def test_another_optimizer_altogether_takes_over_from_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    events = study(path, in_pairs)
    with Journal(path) as journal:
        course = course_on(path, tpe, journal)
        assert len(course.optimizer.departures) == len(configs(events))
        work(course)
    assert len(outcome(read_journal(path))) == TRIALS


def start() -> SearchStart:
    return SearchStart(
        study="s", seed=0, optimizer="RandomSearch", stopping="asha", trials=TRIALS, concurrency=1,
        unit="step", rungs=(1, 3, 9), objectives=OBJECTIVES, constraints=(), parameters=("x", "y"),
        log_parameters=(), time=0.0,
    )  # fmt: skip


def test_history_reads_what_the_course_wrote_and_forgets_void_reports(tmp_path: Path) -> None:
    events = study(tmp_path / "journal.jsonl", random)
    ends = next(index for index, event in enumerate(events) if event["event"] == "ended")
    resume = {"event": "resume", "pending": [0], "time": 1.0}
    disturbed = [start().event(), *events[:ends], resume, *events[1:]]
    history = SearchHistory.from_events(disturbed)
    assert history.start == start()
    assert [len(record.reports) for record in history.records.values()] == [1] * 5 + [0] + [1] * 6
    assert sum(event["event"] == "report" for event in in_force(disturbed)) == TRIALS - 1
    assert history.archive.losses.shape == (TRIALS, 1)
    best = min(trial.losses[0] for trial in history.trials if trial.status == "finished")
    knee = history.knee()
    assert knee is not None and knee.trial is not None and knee.trial.losses == (best,)
    assert history.pareto() == [knee]


class Twice(Optimizer):
    """Suggests the same configuration again and again, to fidelity 3 and fully in turn."""

    capabilities = Capabilities()

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        return {"x": 0.5, "y": 0.5}, 3 if token % 2 else None

    def _learn(self, trial: Trial) -> None:
        pass


def test_a_configuration_that_is_suggested_again_is_known_as_a_repeat_also_after_a_resume(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.jsonl"
    make = lambda: Twice(build_space(SPACE), OBJECTIVES, 0)  # noqa: E731
    with Journal(path) as journal:
        course = course_on(path, make, journal)
        first = [course.next() for _ in range(6)]
    assert [one.repeat for one in first if one] == [0, 0, 1, 1, 2, 2]
    with Journal(path) as journal:
        course = course_on(path, make, journal)
        assert [course.next() for _ in range(6)] == first
        seventh = course.next()
    assert seventh is not None and seventh.repeat == 3


class Slow(RandomSearch):
    """Counts the suggestions that it computes; recalls those after the third."""

    def __init__(self) -> None:
        super().__init__(build_space(SPACE), OBJECTIVES, 0)
        self.computed = 0

    def _suggest(self, token: int) -> tuple[Config, None]:
        self.computed += 1
        return super()._suggest(token)

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        return token >= 3


def test_suggestions_that_take_long_are_taken_from_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    events = study(path, Slow)
    again = Slow()
    with Journal(path) as journal:
        course = course_on(path, lambda: again, journal)
    assert (again.computed, course.optimizer.recalled, course.optimizer.departures) == (3, TRIALS - 3, ())
    assert len(again.pending) == 1, "it is told of the last trial when it is asked again"
    assert len(configs(events)) == TRIALS


def test_a_study_that_gives_up_says_why(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert study(path, in_pairs)[-1] == {
        "event": "waited",
        "told": 6,
        "reason": "InPairs has no more suggestions after 6 configurations",
    }
    with Journal(path) as journal:
        assert course_on(path, in_pairs, journal).progress.finished


def test_a_trial_whose_time_is_over_is_stopped_with_what_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        course = course_on(path, random, journal)
        first, second = course.next(), course.next()
        assert first is not None and second is not None
        course.report(0, report(first, 3))
        course.cut(0, "too long", 5.0)
        course.cut(1, "too long", 5.0)
    ends = outcome(read_journal(path))
    assert (ends[0][0], ends[0][2], ends[0][3]) == ("stopped", 3, "too long")
    assert ends[1] == ("failed", "[nan]", 0, "too long")


@pytest.mark.parametrize("slots", [1, 3])
def test_a_result_that_no_seed_would_change_is_taken_again_and_not_paid_for_twice(
    tmp_path: Path, slots: int
) -> None:
    path = tmp_path / "journal.jsonl"
    make = lambda: Twice(build_space(SPACE), OBJECTIVES, 0)  # noqa: E731
    budget = Budget(TRIALS, fidelity_units=LARGEST + 3 + 1 if slots == 1 else None)

    def course(journal: Journal) -> Course:
        clock, handling = lambda: 0.0, Handling(reuses=True)
        return Course(make(), (), budget, LARGEST, journal, read_journal(path), clock, handling)

    with Journal(path) as journal:
        made = course(journal)
        made.begin_with([{"x": 0.5, "y": 0.5}] * 2)
        work(made, slots)
        assert made.progress.finished and not made.progress.spent
    ended = {event["trial"]: event for event in read_journal(path) if event["event"] == "ended"}
    assert len(ended) == TRIALS
    trained = [number for number, event in ended.items() if "reused" not in event]
    full = [number for number in range(TRIALS) if number < 2 or number % 2 == 0]
    for number, event in ended.items():
        if "reused" in event:
            first = ended[event["reused"]]
            assert (event["losses"], event["metrics"]) == (first["losses"], first["metrics"])
            assert (event["fidelity"], event["seconds"]) == (first["fidelity"], 0.0)
            assert (number in full) == (event["reused"] in full)
    assert 2 <= len(trained) <= 2 * slots, "only what runs at the same time is trained twice"
    with Journal(path) as journal:
        assert course(journal).progress.finished
    history = SearchHistory.from_events([start().event(), *read_journal(path)])
    assert [one.number for one in history.records.values() if one.reused is None] == sorted(trained)
