"""One trial in training: from rung to rung, whatever the workload does."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.config.passwords import masked
from orchestrator.objective import MissingMetricError
from orchestrator.randomness import user_seed
from orchestrator.search.trials.checkpoints import BeganAnew, Checkpoint, News, Unsaved
from orchestrator.search.trials.saving import TrialSaving
from orchestrator.search.trials.sessions import RepeatedSession, begins_anew
from orchestrator.trial import Suggestion, evaluated
from search_spaces import Config
from search_spaces.values import config_key
from workloads.capabilities import TestableSession
from workloads.contract import Metrics, Objective, Session
from workloads.devices import breaks_device
from workloads.outcomes import RAISED, numbers


@dataclass(frozen=True)
class Report:
    """What a trial says at a rung, or when it has failed.

    Args:
        fidelity: how far it has been trained.
        metrics: what the workload reported last, in its own units and directions.
        seconds: training time so far.
        failure: why it failed; empty where it did not.
        done: whether there is nothing left to train.
        test: metrics on held-out data, when it is trained fully.
        traceback: where it failed, if something was raised.
        overdue: whether it failed because its time was over.
        checkpoint: where it has left its training for a trial that is to be trained further.
        each: where it trains with several seeds, what each of them reported; ``metrics`` are the means.
    """

    fidelity: int
    metrics: Mapping[str, float]
    seconds: float
    failure: str = ""
    done: bool = False
    test: Mapping[str, float] = field(default_factory=dict)
    traceback: str = ""
    overdue: bool = False
    checkpoint: Checkpoint | None = None
    each: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Goal:
    """What a trial is to report, and when.

    Args:
        levels: fidelities of its reports, ascending.
        objectives: what is optimised.
        constraints: metrics that must keep a bound.
        tested: whether the last report includes the held-out test.
        judged: whether somebody looks at the reports before the last. If not, a plain function, which begins
            anew at every call, is called once.
        continued: whether another trial may go on from where this one ends.
    """

    levels: tuple[int, ...]
    objectives: Sequence[Objective]
    constraints: Sequence[Objective] = ()
    tested: bool = True
    judged: bool = True
    continued: bool = False


class TrialRun:
    """Trains one configuration. Whatever goes wrong becomes a report; the process remains fit for the next.

    Args:
        start: makes the session.
        goal: what is to be reported.
        clock: seconds.
        saving: what saves the trial, told that it begins; None: nothing does.
        origin: the checkpoint that it goes on from, and the configuration.
    """

    def __init__(
        self,
        start: Callable[[], Session],
        goal: Goal,
        clock: Callable[[], float] = time.perf_counter,
        *,
        saving: TrialSaving | None = None,
        origin: tuple[Checkpoint, Config] | None = None,
    ) -> None:
        self._start, self._goal, self._clock = start, goal, clock
        self._saving, self._origin = saving or TrialSaving.nothing(), origin
        self._leaves = goal.continued and self._saving.able
        self._session: Session | None = None
        self._fidelity, self._seconds = 0, 0.0
        self._metrics: Metrics = {}
        self._each: tuple[Mapping[str, float], ...] = ()

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self._seconds

    def advance(self) -> Report | News:
        """Train up to the next level.

        Returns:
            The report of that level; before it what there is to tell of checkpoints. Call it again then.

        Raises:
            Exception: what the workload raised, where it has left the device unusable.
        """
        began = self._clock()
        failure, trace, test = "", "", dict[str, float]()
        checkpoint = None
        try:
            news = self._train(began)
            if news is not None:
                return news
            failure = self._failure()
            if not failure and self._complete:
                test = self._test()
        except RAISED as error:
            if breaks_device(error):
                raise
            failure, trace = reason_of(error), traceback.format_exc()
        self._seconds += self._clock() - began
        done = bool(failure) or self._complete
        if self._leaves and done and not failure:
            left = self._save()
            if isinstance(left, Unsaved):
                self._leaves = False
                return left
            checkpoint = left
        if failure:
            self._session = None
        return Report(
            self._fidelity,
            dict(self._metrics),
            self._seconds,
            failure,
            done,
            test,
            trace,
            checkpoint=checkpoint,
            each=self._each,
        )

    def release(self) -> Session | None:
        """The session, which is let go of; None where training has failed or not begun."""
        session, self._session = self._session, None
        return session

    @property
    def _complete(self) -> bool:
        return self._fidelity >= self._goal.levels[-1]

    def _train(self, began: float) -> News | None:
        """Train up to the next level, unless there is something to tell before.

        Args:
            began: the clock's time at which this training began.
        """
        if self._session is None and (news := self._begin()) is not None:
            return news
        session = self._session
        assert session is not None
        function = begins_anew(session)
        once = function and not self._goal.judged
        levels = self._goal.levels[-1:] if once else self._goal.levels
        target = next((level for level in levels if level > self._fidelity), levels[-1])
        while self._fidelity < target:
            if self._saving.due and not function:
                self._seconds += self._clock() - began
                return self._save()
            left = target - self._fidelity
            piece = left if function else self._saving.piece(left)
            with self._saving.training(piece):
                metrics = session.advance(piece)
            self._fidelity, self._metrics = self._fidelity + piece, numbers(metrics)
            self._each = session.each if isinstance(session, RepeatedSession) else ()
        return None

    def _begin(self) -> News | None:
        """Make the session; it goes on from its checkpoint, unless that cannot be used."""
        self._session = self._start()
        if self._origin is None:
            return None
        (origin, config), self._origin = self._origin, None
        try:
            self._saving.restore(self._session, origin, config)
        except RAISED as error:
            self._session = None
            if breaks_device(error):
                raise
            return BeganAnew(reason_of(error))
        self._fidelity, self._seconds = origin.fidelity, origin.seconds
        return None

    def _save(self) -> Checkpoint | Unsaved:
        assert self._session is not None
        try:
            return self._saving.save(self._session, self._fidelity, self._seconds)
        except Exception as error:  # noqa: BLE001 - a workload's own, or of a full disk
            return Unsaved(reason_of(error), again=self._saving.able)

    def _failure(self) -> str:
        """Why the present metrics are no result; empty where they are one."""
        try:
            trial = evaluated(Suggestion({}), self._metrics, self._goal.objectives, self._goal.constraints)
        except MissingMetricError as error:
            return str(error)
        return trial.reason

    def _test(self) -> dict[str, float]:
        session: object = self._session
        if self._goal.tested and isinstance(session, TestableSession):
            return numbers(session.test())
        return {}


def trial_seed(study_seed: int, config: Config, repeat: int = 0) -> int:
    """The seed that ``config`` is trained with.

    It depends on nothing else, so that a configuration which is suggested again, to be trained further,
    follows the same learning curve. One that is suggested again to the same fidelity has another seed, since
    the same training once more would tell nothing.

    Args:
        repeat: how often the configuration was suggested to the same fidelity before.
    """
    text = config_key(config)
    return user_seed(study_seed, "trial", text, repeat) if repeat else user_seed(study_seed, "trial", text)


def trial_seeds(study_seed: int, config: Config, repeat: int, count: int) -> list[int]:
    """The ``count`` seeds that a trial is trained with, none of which an earlier one of ``config`` had.

    Args:
        repeat: as of :func:`trial_seed`.
    """
    return [trial_seed(study_seed, config, repeat * count + number) for number in range(count)]


class Repeats:
    """Counts how often each configuration was suggested to each fidelity."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, int | None]] = Counter()

    @property
    def configurations(self) -> int:
        """How many different configurations were suggested."""
        return len({text for text, _ in self._seen})

    def count(self, config: Config, fidelity: int | None) -> int:
        """How often it was before; now it is once more."""
        key = config_key(config), fidelity
        self._seen[key] += 1
        return self._seen[key] - 1


def reason_of(error: BaseException) -> str:
    """Why something failed, for people; passwords are masked."""
    return masked(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
