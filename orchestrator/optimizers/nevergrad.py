"""Nevergrad's optimizers (Rapin and Teytaud 2018), by their names in its registry."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities, library_seed
from orchestrator.optimizers.extras import needs_extra
from orchestrator.optimizers.nevergrad_space import Terms, parametrization_of
from orchestrator.optimizers.replayed import ReplayedOptimizer
from orchestrator.optimizers.unfinished import Imputation, finished
from orchestrator.randomness import derived_seed, stream
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.columns import Floats
from search_spaces.reading import closest
from workloads.contract import Fidelity, Objective

# What SciPy says of the settings that Nevergrad gives it, from a thread.
warnings.filterwarnings("ignore", "COBYLA: Invalid RHOEND", UserWarning)

# Nevergrad has no forbidden clauses that every algorithm heeds. After this many forbidden suggestions in a
# row a draw from the prior takes over.
_MOST_TRIES = 5
# The loss of forbidden suggestions before any trial has finished. Nevergrad clips losses at 5e20 and warns.
_FORBIDDEN = 1e20

_CMA = ("CMA", "OldCMA")
_NEVER_WAIT = (*_CMA, "DE")


class Nevergrad(ReplayedOptimizer["_Run"]):
    """One of Nevergrad's algorithms, such as ``NGOpt``, ``CMA`` or ``DE``. Needs the extra ``benchmark``.

    Parameters are Nevergrad's natural ones: an integer is a ``Scalar`` between its bounds or a ``Log``, with
    integer casting; an ordinal parameter a ``TransitionChoice``; a categorical one a ``Choice``. All floats
    together are an ``Array`` over their unit cube, with the bounds, the starting point and the width that as
    many ``Scalar`` and ``Log`` parameters have, in a fraction of the time. Priors and weights have no
    counterpart there. An inactive parameter keeps its place, and its value goes unused.

    A lost trial is never told, except to an algorithm that goes step by step and could not go on without a
    result: it is told the median of the losses so far, or asked again while there are none.

    Unfinished trials count as for every optimizer, with one addition: the loss of a failed trial grows with
    its distance from the nearest finished one, since algorithms that follow a slope find none among equal
    losses. Until a trial finishes, suggestions are draws from the priors, because the library would stay
    where it began. The library is told about those too, if its algorithm allows it.

    ``NGOpt`` looks at the space, ``n_trials`` and ``num_workers`` and chooses. Its choice for few numerical
    parameters, one worker and the usual budgets is COBYLA from the middle of the space, which draws nothing
    at random: every seed gives the same. ``CMA`` chooses a variant likewise; ``OldCMA`` is the plain one.

    The seed decides everything, unless an algorithm that runs in a thread draws from NumPy's global
    generator. Of ``NGOpt``'s choices only the one for three and more numerical parameters and more than 50
    ``n_trials`` for each does that.

    A pickled optimizer holds the calls made so far and replays them when it is first used: some
    algorithms run in a thread of their own, which cannot be pickled.

    Args:
        algorithm: its name in ``nevergrad.optimizers.registry``.
        n_trials: how many trials the study will have.
        num_workers: how many suggestions will be pending at a time; None: as :meth:`plan` says, but 1 for an
            algorithm that cannot do more. With 1, algorithms other than ``CMA``, ``OldCMA`` and ``DE`` may go
            step by step: they suggest nothing while a suggestion is pending.
    """

    capabilities = Capabilities(most_objectives=None)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        algorithm: str = "NGOpt",
        n_trials: int = 100,
        num_workers: int | None = 1,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(1, n_trials=n_trials, num_workers=num_workers)
        self._algorithm, self._n_trials = algorithm, n_trials
        self._planned = num_workers is None
        self._num_workers = self._workers = num_workers or 1
        self._begin()

    def plan(self, workers: int) -> None:
        self._workers = workers
        if self._planned and workers != self._num_workers and not self._sequential:
            self._num_workers = workers
            self._begin()

    def remark(self, trials: int) -> str:
        del trials
        if not self._planned or self._workers == self._num_workers:
            return ""
        return (
            f"Nevergrad's {self._algorithm} goes step by step: one trial runs at a time, "
            f"where {self._workers} could; another optimizer.algorithm uses all"
        )

    @property
    def _sequential(self) -> bool:
        """Whether the algorithm can only go step by step."""
        import nevergrad

        return bool(nevergrad.optimizers.registry[self._algorithm].no_parallelization)

    def _suggest(self, token: int) -> tuple[Config, None] | None:
        run = self._running()
        if self._pending and run.step_by_step:
            return None
        self._calls.append(token)
        return run.ask(token), None

    def _withdraw(self, trial: Trial) -> None:
        self._learn(trial)

    def _start(self) -> _Run:
        step_by_step = self._num_workers == 1 and self._algorithm not in _NEVER_WAIT
        return _Run(self._library, self.space, self.seed, step_by_step)

    def _library(self) -> Any:
        with needs_extra("benchmark", "Nevergrad"):
            import nevergrad
            from nevergrad.optimization import metamodel, recaster
        # Otherwise a process could not end while one of these threads waits for a result.
        recaster._MessagingThread.daemon = True
        # It turns an array with one number into a float, which NumPy refuses from 2.4 on.
        metamodel.float = _only_number
        registry, name = nevergrad.optimizers.registry, self._algorithm
        if name not in registry:
            expected = "a name in nevergrad.optimizers.registry"
            raise ConfigurationError("optimizer.algorithm", expected, name, closest(name, registry))
        parametrization = parametrization_of(self.space)
        parametrization.random_state = np.random.RandomState(library_seed(self.seed))
        if parametrization.dimension == 1 and name in _CMA:
            name = "OnePlusOne"  # as Nevergrad's CMA does for a float; pycma needs two dimensions
        algorithm = registry[name]
        if algorithm.no_parallelization and self._num_workers > 1:
            raise ConfigurationError("optimizer.num_workers", f"1 for {name}", self._num_workers)
        if algorithm.no_parallelization and len(self.objectives) > 1:
            names = [one.name for one in self.objectives]
            hint = "DE and others serve several"
            raise ConfigurationError("optimizer", f"1 objective for Nevergrad's {name}", names, hint)
        library = algorithm(parametrization, self._n_trials, self._num_workers)
        library.num_objectives = len(self.objectives)
        return library


class _Run:
    """One of Nevergrad's optimizers, and the candidates that it waits for."""

    def __init__(self, make: Callable[[], Any], space: SearchSpace, seed: int, step_by_step: bool) -> None:
        self.step_by_step = step_by_step
        self._space, self._seed = space, seed
        self._terms = Terms(space)
        self._clauses = bool(space.configuration_space.forbidden_clauses)
        self._candidates: dict[int, Any] = {}
        self._forbidden: list[tuple[Any, Config]] = []  # before any trial has finished
        self._imputation = Imputation()
        self._finished = np.empty((0, space.codec.dim))
        self._lost: list[Any] = []  # going step by step, before any trial has finished
        self._losses: list[tuple[float, ...]] = []
        self._global = np.random.RandomState(derived_seed(seed, "nevergrad") % 2**32).get_state()
        with self._alone():
            self._library = make()

    def ask(self, token: int) -> Config:
        """The configuration of the library's next candidate; a draw from the prior where it has none."""
        with self._alone():
            for _ in range(0 if self._imputation.holds_back else _MOST_TRIES):
                candidate = self._lost.pop() if self._lost else self._library.ask()
                config = self._terms.config(candidate.value)
                if not self._clauses or self._space.codec.legal(self._space.codec.encode([config]))[0]:
                    self._candidates[token] = candidate
                    return config
                self._refuse(candidate, config)
        return self._space.sample(1, stream(self._seed, "nevergrad", token))[0]

    def tell(self, trial: Trial) -> None:
        """Tell the library the losses of its candidates and of draws from the prior."""
        if trial.status == "lost":
            self._lose(trial)
            return
        for known in self._imputation.take(trial):
            if finished(known):
                self._note(known)
            losses = self._penalty(known.config) if known.status == "failed" else known.losses
            candidate = self._candidates.pop(known.suggestion.token, None)
            if candidate is not None:
                self._tell(candidate, losses)
            else:
                self._tell_unasked(known.config, losses)
        if self._imputation.worst is not None:
            forbidden, self._forbidden = self._forbidden, []
            for candidate, config in forbidden:
                self._tell(candidate, self._penalty(config))

    def _lose(self, trial: Trial) -> None:
        candidate = self._candidates.pop(trial.suggestion.token, None) if self.step_by_step else None
        if candidate is not None and self._losses:
            self._tell(candidate, np.median(self._losses, axis=0).tolist())
        elif candidate is not None:
            self._lost.append(candidate)

    def _refuse(self, candidate: Any, config: Config) -> None:
        """A candidate that the space forbids counts as failed."""
        if self._imputation.worst is not None:
            self._tell(candidate, self._penalty(config))
        elif self._library.num_objectives == 1:
            self._tell(candidate, (_FORBIDDEN,))
        else:  # Nevergrad takes its reference point from the first losses
            self._forbidden.append((candidate, config))

    def _note(self, trial: Trial) -> None:
        self._finished = np.vstack([self._finished, self._units(trial.config)])
        self._losses.append(trial.losses)

    def _penalty(self, config: Config) -> tuple[float, ...]:
        """The worst losses so far, plus a penalty that grows with the distance to the finished trials."""
        worst = self._imputation.worst
        assert worst is not None
        distance = float(np.linalg.norm(self._finished - self._units(config), axis=1).min())
        best = np.min(self._losses, axis=0).tolist()
        return tuple(
            high + distance * ((high - low) or abs(high) or 1.0)
            for high, low in zip(worst.losses, best, strict=True)
        )

    def _units(self, config: Config) -> Floats:
        units: Floats = np.nan_to_num(self._space.codec.encode([config])[0])
        return units

    def _tell(self, candidate: Any, losses: Sequence[float]) -> None:
        with self._alone():
            self._library.tell(candidate, losses[0] if len(losses) == 1 else list(losses))

    def _tell_unasked(self, config: Config, losses: Sequence[float]) -> None:
        """Tell the library about a configuration that it did not ask for, if its algorithm can use it."""
        from nevergrad.common.errors import TellNotAskedNotSupportedError

        parametrization = self._library.parametrization
        # Its differential evolution raises KeyError where the parent that it would replace is gone.
        with suppress(TellNotAskedNotSupportedError, KeyError):
            value = self._terms.value(config, parametrization.value)
            self._tell(parametrization.spawn_child(new_value=value), losses)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Set NumPy's global generator, which the library uses here and there, to where this run left it."""
        before = np.random.get_state()  # noqa: NPY002 - it is the library that uses it
        np.random.set_state(self._global)  # noqa: NPY002
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of large losses and of algorithms that have converged
                yield
        finally:
            self._global = np.random.get_state()  # noqa: NPY002
            np.random.set_state(before)  # noqa: NPY002


def _only_number(array: Any) -> float:
    number: float = np.asarray(array).item()
    return number
