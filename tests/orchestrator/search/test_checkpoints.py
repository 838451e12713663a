"""Whole searches in one process whose trials are saved, lost, interrupted and trained further."""

from __future__ import annotations

import asyncio
import errno
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from orchestrator.engine.coordinator import LEAVE, Coordinator
from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.hyperband import Hyperband
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import Rungs
from orchestrator.optimizers.smac import SmacHyperband
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.run.soundness import require_sound
from orchestrator.search.budget import Budget, Spending
from orchestrator.search.course import Assignment, Course
from orchestrator.search.desk import SearchDesk, Verdicts
from orchestrator.search.history import frames
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.records import in_force
from orchestrator.search.history.soundness import SearchJudge
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.running import Handling
from orchestrator.search.trials.saving import TrialSaving
from orchestrator.search.trials.sessions import together
from orchestrator.search.trials.trial_run import Goal, TrialRun, trial_seeds
from orchestrator.stopping import rules
from search_spaces import Config, build_space
from tests.orchestrator.search.troubled import SPACE
from workloads.contract import Device, Fidelity, Metrics, Objective, Session, State
from workloads.function import from_function

OBJECTIVES, RUNGS, TRIALS = (Objective("loss"),), Rungs(1, 3, 9), 10
UNIT = Fidelity("step", 1, 9)
INTERVAL = 2.0
"""Of checkpoints; a unit of training takes a second."""


@dataclass
class World:
    """Where sessions train: its clock goes on with their training alone."""

    time: float = 0.0
    trained: Counter[str] = field(default_factory=Counter)

    def clock(self) -> float:
        return self.time


class Learner:
    """Its weight depends on every unit of its training, and on its seed."""

    def __init__(self, world: World, config: Config, seed: int) -> None:
        self.world, self.config, self.seed = world, config, seed
        self.age, self.weight = 0, np.zeros(2)

    def advance(self, amount: int) -> Metrics:
        for _ in range(amount):
            self.age += 1
            noise = np.random.default_rng((self.seed % 2**32, self.age)).normal(size=2)
            self.weight = 0.7 * self.weight + float(self.config["x"]) + 0.1 * noise
            self.world.time += 1.0
            self.world.trained[repr(self.config)] += 1
        return {"loss": float(np.abs(self.weight).sum()) + 1 / self.age}

    def configure(self, config: Config) -> None:
        self.config = config

    def state(self) -> State:
        return {"age": self.age, "weight": self.weight}

    def load(self, state: State) -> None:
        self.age, self.weight = state["age"], state["weight"]


Start = Callable[[World, Config, int], Session]


class KilledError(Exception):
    """All processes are gone at once."""


@dataclass
class Study:
    """A search in a folder, begun and gone on with by :meth:`run`.

    Args:
        folder: of the run.
        make: the optimizer.
        rule: what stops trials early.
        workers: how many there are.
        saves: whether trials are saved.
        dies: says whether a worker dies after it has trained, and before that is told.
    """

    folder: Path
    make: Callable[[], Optimizer] = lambda: RandomSearch(build_space(SPACE), OBJECTIVES, 0)
    rule: rules.StoppingRule | None = None
    workers: int = 1
    saves: bool = True
    dies: Callable[[], bool] = lambda: False
    start: Start = Learner
    trials: int = TRIALS
    repeats: int = 1
    world: World = field(default_factory=World)

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def events(self) -> list[Event]:
        return read_journal(self.journal)

    @property
    def ends(self) -> dict[int, tuple[object, ...]]:
        ended = [event for event in self.events if event["event"] == "ended"]
        assert len({event["trial"] for event in ended}) == len(ended), "each ends once"
        return {e["trial"]: (e["status"], e["fidelity"], e["losses"], e["reason"]) for e in ended}

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]

    def run(self, kill_after: int | None = None) -> Study:
        """Run it, up to its end or until that many messages have come to the coordinator."""
        self.folder.mkdir(exist_ok=True)
        past, ticks = read_journal(self.journal), itertools.count()
        messages = itertools.count()
        with Journal(self.journal) as journal, suppress(KilledError):
            if not past:
                past = [start().event()]
                journal.append(*past)
            handling = Handling(100, self.checkpoints if self.saves else None, repeats=self.repeats)
            clock = lambda: float(next(ticks))  # noqa: E731
            course = Course(self.make(), (), self.trials, RUNGS.largest, journal, past, clock, handling)
            if len(past) > 1:
                course.resume()
            verdicts = Verdicts(self.rule.judge(RUNGS, 0), OBJECTIVES, (), past) if self.rule else None
            name = self.rule.name if self.rule else ""
            coordinator = Coordinator(
                SearchDesk(course, verdicts, name, self.folder / "log", lambda _: None), self.workers
            )

            async def work(worker: int) -> None:
                for process in map(str, itertools.count()):
                    saving = TrialSaving(self.checkpoints, INTERVAL if self.saves else None, self.world.clock)
                    order = await coordinator.exchange(worker, process)
                    while order != LEAVE:
                        if order.verb == "begin":
                            training = self.training(order.work, saving)
                        await asyncio.sleep(0)
                        report = training.advance() if order.verb != "rest" else None
                        if self.dies():
                            await coordinator.lose(worker, "killed", for_good=False)
                            break
                        if next(messages) == kill_after:
                            raise KilledError
                        order = await coordinator.exchange(worker, process, report)
                    else:
                        return

            async def everybody() -> None:
                await asyncio.gather(*map(work, range(self.workers)))
                await coordinator.close()

            asyncio.run(everybody())
            require_sound(self.journal, self.events, SearchJudge())
        return self

    def training(self, work: Assignment, saving: TrialSaving) -> TrialRun:
        config, fidelity = work.suggestion.config, work.suggestion.fidelity
        saving.begin(work.number, work.origin)
        levels, judged = RUNGS.up_to(fidelity), self.rule is not None
        continued = fidelity is not None and fidelity < RUNGS.largest
        goal = Goal(levels, OBJECTIVES, judged=judged, continued=continued)
        seeds = trial_seeds(0, config, work.repeat, self.repeats)
        return TrialRun(
            lambda: together(lambda seed: self.start(self.world, config, seed), seeds),
            goal,
            self.world.clock,
            saving=saving,
            origin=work.origin and (work.origin, config),
        )


def start() -> SearchStart:
    return SearchStart(
        study="s", seed=0, optimizer="RandomSearch", stopping="", trials=TRIALS, concurrency=1, unit="step",
        rungs=RUNGS.up_to(), objectives=OBJECTIVES, constraints=(), parameters=("x", "y"), log_parameters=(),
        time=0.0,
    )  # fmt: skip


def units(study: Study) -> int:
    spending = Spending(Budget(99), OBJECTIVES, (), RUNGS.largest)
    spending.take(study.events)
    return spending.units


def optimizer(kind: Callable[..., Optimizer]) -> Callable[[], Optimizer]:
    return lambda: kind(build_space(SPACE), OBJECTIVES, 0, UNIT)


@pytest.mark.parametrize("rule", [None, rules.Asha()], ids=["full", "asha"])
@pytest.mark.parametrize("workers", [1, 3])
def test_killed_ten_times_and_with_workers_lost_a_search_repeats_only_what_was_not_saved(
    tmp_path: Path, rule: rules.StoppingRule | None, workers: int
) -> None:
    undisturbed = Study(tmp_path / "undisturbed", rule=rule, workers=1).run()
    rng = np.random.default_rng(workers)
    study = Study(tmp_path / "disturbed", rule=rule, workers=workers, dies=lambda: bool(rng.random() < 0.1))
    for _ in range(10):
        study.run(kill_after=int(rng.integers(1, 12)))
    study.run()
    if workers == 1 or rule is None:  # else the rule hears of trials in another order
        assert study.ends == undisturbed.ends
        assert any(event.get("from") for event in study.of("lost") + study.of("resume"))
    assert sorted(study.ends) == list(range(TRIALS))
    needed = sum(int(fidelity) for _, fidelity, *_ in study.ends.values())  # type: ignore[call-overload]
    gone_on = len(study.of("lost")) + sum(len(event["pending"]) for event in study.of("resume"))
    trained = study.world.trained.total()
    assert needed < trained <= needed + INTERVAL * gone_on
    assert units(study) <= trained
    history = SearchHistory.from_events(study.events)
    for record in history.ended:
        levels = [report.fidelity for report in record.reports]
        assert record.trial is not None and levels == list(RUNGS.up_to(record.trial.fidelity))
    assert len([e for e in in_force(study.events) if e["event"] == "report"]) == sum(
        len(record.reports) for record in history.ended
    )
    assert not list(study.checkpoints.iterdir()), "nothing goes on from what has ended"


@pytest.mark.parametrize("damage", ["cut", "another", "missing"])
def test_a_damaged_checkpoint_is_said_and_its_trial_begins_from_nothing(tmp_path: Path, damage: str) -> None:
    undisturbed = Study(tmp_path / "undisturbed", trials=2).run()
    study = Study(tmp_path / "damaged", trials=2).run(kill_after=5)
    *_, saved = study.of("saved")
    file, later = (study.checkpoints / f"trial-0-{saved['fidelity'] + more}.pt" for more in (0, 2))
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-30])
    elif damage == "another":
        file.write_bytes(later.read_bytes())
    else:
        file.unlink()
    study.run()
    (anew,) = study.of("anew")
    assert anew["trial"] == 0 and str(file) in anew["reason"]
    assert study.ends == undisturbed.ends
    history = SearchHistory.from_events(study.events)
    assert history.anew == {0: anew["reason"]}
    assert [report.fidelity for report in history.records[0].reports] == [1, 3, 9]
    assert study.world.trained.total() == 18 + saved["fidelity"] + INTERVAL
    assert units(study) == study.world.trained.total() - INTERVAL, "nobody was told of the last"


@pytest.mark.parametrize("kind", [Asha, Hyperband, SmacHyperband])
def test_a_promotion_trains_only_the_difference_and_is_charged_for_that(
    tmp_path: Path, kind: Callable[..., Optimizer]
) -> None:
    study = Study(tmp_path / "saved", optimizer(kind), trials=40).run()
    anew = Study(tmp_path / "anew", optimizer(kind), trials=40, saves=False).run()
    assert study.ends == anew.ends, "bit for bit as if each had been trained from the beginning"
    reached = dict[str, int]()
    for event in study.of("suggested"):
        config = repr(event["config"])
        reached[config] = max(reached.get(config, 0), event["fidelity"])
    assert study.world.trained == reached
    assert units(study) == sum(reached.values()) < anew.world.trained.total() == units(anew)
    seconds = sum(event["seconds"] for event in study.of("ended"))
    assert seconds == units(study)
    table = frames.trials(SearchHistory.from_events(study.events))
    assert table["training.units"].sum() == units(study)
    assert sum("from" in event for event in study.of("suggested")) == 40 - len(reached)


def test_what_is_promoted_is_promoted_from_its_checkpoint_also_after_a_resume(tmp_path: Path) -> None:
    undisturbed = Study(tmp_path / "undisturbed", optimizer(Asha), trials=40).run()
    rng = np.random.default_rng(0)
    study = Study(tmp_path / "killed", optimizer(Asha), trials=40, dies=lambda: bool(rng.random() < 0.1))
    for _ in range(5):
        study.run(kill_after=int(rng.integers(3, 12)))
    study.run()
    assert study.ends == undisturbed.ends
    gone_on = len(study.of("lost")) + sum(len(event["pending"]) for event in study.of("resume"))
    assert study.world.trained.total() <= undisturbed.world.trained.total() + INTERVAL * gone_on
    kept = {(event["trial"], event["fidelity"]) for event in study.of("ended") if "saved" in event}
    names = {file.name for file in study.checkpoints.iterdir()}
    assert names <= {f"trial-{trial}-{fidelity}.pt" for trial, fidelity in kept}
    promoted = {
        (event["from"]["trial"], event["from"]["fidelity"])
        for event in study.of("suggested")
        if "from" in event
    }
    assert not names & {f"trial-{trial}-{fidelity}.pt" for trial, fidelity in promoted}


def test_a_stopping_rule_trains_only_the_differences_of_its_rungs(tmp_path: Path) -> None:
    study = Study(tmp_path, rule=rules.Asha(), workers=2).run()
    differences = 0
    for event in study.of("report"):
        below = [rung for rung in RUNGS.up_to() if rung < event["fidelity"]]
        differences += event["fidelity"] - max(below, default=0)
    assert study.world.trained.total() == units(study) == differences


def test_a_workload_that_cannot_be_saved_says_so_once_and_trains_anew(tmp_path: Path) -> None:
    class Stateless(Learner):
        def state(self) -> State:
            raise NotImplementedError("no state")

    study = Study(tmp_path, optimizer(Asha), trials=20, start=Stateless).run()
    (unsaved,) = study.of("unsaved")
    assert unsaved["reason"] == "NotImplementedError: no state"
    assert units(study) == sum(int(str(fidelity)) for _, fidelity, *_ in study.ends.values())
    assert SearchHistory.from_events(study.events).unsaved == unsaved["reason"]


def test_a_checkpoint_for_which_there_is_no_room_is_tried_again(tmp_path: Path) -> None:
    class Crowded(Learner):
        attempts = itertools.count()

        def state(self) -> State:
            if next(self.attempts) in (0, 1, 5):
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().state()

    study = Study(tmp_path, start=Crowded).run()
    assert [event["again"] for event in study.of("unsaved")] == [True, True], "once, until one is written"
    assert all("No space left" in event["reason"] for event in study.of("unsaved"))
    assert len(study.of("saved")) > 3
    assert SearchHistory.from_events(study.events).unsaved == ""


def test_a_trial_whose_process_is_to_end_is_saved_at_once(tmp_path: Path) -> None:
    world, hurry = World(), False
    saving = TrialSaving(tmp_path, 100.0, world.clock, lambda: hurry)
    saving.begin(0, None)
    hurry = True
    assert not saving.due, "nothing has been trained"
    hurry = False
    with saving.training(1):
        world.time += 1.0
    assert not saving.due
    hurry = True
    assert saving.due
    saving.save(Learner(world, {"x": 0.0}, 0), 1, 1.0)
    assert not saving.due, "it has been"


def test_a_plain_function_is_neither_saved_nor_cut_into_pieces(tmp_path: Path) -> None:
    calls = []

    def function(config: Config, fidelity: int) -> float:
        calls.append(fidelity)
        study.world.time += 100.0
        return float(config["x"])

    workload = from_function(function, build_space(SPACE), ["loss"], UNIT)
    study = Study(tmp_path, start=lambda world, config, seed: workload.start(config, seed, Device()))
    study.run()
    assert calls == [9] * TRIALS
    assert not study.of("saved") and not study.of("unsaved")


def test_a_trial_of_several_seeds_reports_their_means_and_each_of_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    study = Study(tmp_path, optimizer(Asha), trials=20, repeats=3, dies=lambda: bool(rng.random() < 0.05))
    study.run(kill_after=7)
    study.run()
    world, configs = World(), {event["trial"]: event["config"] for event in study.of("suggested")}
    for event in study.of("ended"):
        config = configs[event["trial"]]
        alone = [Learner(world, config, seed) for seed in trial_seeds(0, config, 0, 3)]
        each = [session.advance(event["fidelity"]) for session in alone]
        assert event["metrics"]["loss"] == pytest.approx(np.mean([one["loss"] for one in each]), abs=0.0)
        (*_, last) = [one for one in study.of("report") if one["trial"] == event["trial"]]
        assert last["repeats"] == each
    losses = [event["metrics"]["loss"] for event in study.of("ended")]
    assert len(set(losses)) == 20
    reached = {repr(event["config"]): 0 for event in study.of("suggested")}
    for event in study.of("suggested"):
        reached[repr(event["config"])] = max(reached[repr(event["config"])], event["fidelity"])
    assert 3 * sum(reached.values()) <= 3 * units(study) <= study.world.trained.total()
    table = frames.trials(SearchHistory.from_events(study.events))
    assert table["std.loss"].gt(0).all()
