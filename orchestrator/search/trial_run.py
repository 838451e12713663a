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
from orchestrator.trial import Suggestion, evaluated
from search_spaces import Config
from search_spaces.values import config_key
from workloads.contract import Metrics, Objective, Session, TestableSession
from workloads.devices import breaks_device
from workloads.function import FunctionSession
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
    """

    fidelity: int
    metrics: Mapping[str, float]
    seconds: float
    failure: str = ""
    done: bool = False
    test: Mapping[str, float] = field(default_factory=dict)
    traceback: str = ""
    overdue: bool = False


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
    """

    levels: tuple[int, ...]
    objectives: Sequence[Objective]
    constraints: Sequence[Objective] = ()
    tested: bool = True
    judged: bool = True


class TrialRun:
    """Trains one configuration. Whatever goes wrong becomes a report; the process remains fit for the next.

    Args:
        start: makes the session.
        goal: what is to be reported.
        clock: seconds.
    """

    def __init__(
        self, start: Callable[[], Session], goal: Goal, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._start, self._goal, self._clock = start, goal, clock
        self._session: Session | None = None
        self._fidelity, self._seconds = 0, 0.0
        self._metrics: Metrics = {}

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self._seconds

    def advance(self) -> Report:
        """Train up to the next level.

        Raises:
            Exception: what the workload raised, where it has left the device unusable.
        """
        began = self._clock()
        failure, trace, test = "", "", dict[str, float]()
        try:
            self._train()
            failure = self._failure()
            if not failure and self._complete:
                test = self._test()
        except RAISED as error:
            if breaks_device(error):
                raise
            failure, trace = reason_of(error), traceback.format_exc()
        self._seconds += self._clock() - began
        done = bool(failure) or self._complete
        if failure:
            self._session = None
        return Report(self._fidelity, dict(self._metrics), self._seconds, failure, done, test, trace)

    def release(self) -> Session | None:
        """The session, which is let go of; None where training has failed or not begun."""
        session, self._session = self._session, None
        return session

    @property
    def _complete(self) -> bool:
        return self._fidelity >= self._goal.levels[-1]

    def _train(self) -> None:
        if self._session is None:
            self._session = self._start()
        once = not self._goal.judged and isinstance(self._session, FunctionSession)
        levels = self._goal.levels[-1:] if once else self._goal.levels
        target = next(level for level in levels if level > self._fidelity)
        metrics = self._session.advance(target - self._fidelity)
        self._fidelity, self._metrics = target, numbers(metrics)

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
