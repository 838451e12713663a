"""The two-method interface of every search algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from orchestrator.randomness import derived_seed
from orchestrator.trial import Suggestion, Trial, lost, with_bounds
from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.contract import Fidelity, Objective

_KEY = "optimizer"

CONSTRAINED = (
    *("asha_*", "auto", "botorch_*", "dehb", "grid", "hyperband_*"),
    *("optuna_gp", "optuna_nsga*", "optuna_tpe", "random", "sobol"),
)
"""Patterns of the optimizers in ``conf/optimizer`` that can handle constraints, for a message."""


@dataclass(frozen=True)
class Capabilities:
    """The studies that an optimizer can serve; its constructor refuses all others.

    Args:
        fewest_objectives: the smallest number of objectives.
        most_objectives: the largest number of objectives; None: any number.
        fidelity: whether it chooses fidelities itself. If so, it needs a study with several fidelities; if
            not, it is constructed without any, and its suggestions are trained fully.
        may_choose_fidelity: whether it serves studies with and without a choice of fidelities.
        constraints: whether it takes outcome constraints into account.
        conditions: whether the space may have conditional parameters.
        categories: whether the space may have categorical parameters.
    """

    fewest_objectives: int = 1
    most_objectives: int | None = 1
    fidelity: bool = False
    may_choose_fidelity: bool = False
    constraints: bool = False
    conditions: bool = True
    categories: bool = True


class Optimizer(ABC):
    """A search algorithm with two methods, like OSS Vizier's designer: it suggests, and learns from results.

    ::

        optimizer = OptunaTpe(workload.space, workload.objectives, seed=0)
        while trials_remain:
            suggestions = optimizer.ask(2)
            optimizer.tell([evaluate(suggestion) for suggestion in suggestions])

    ``tell`` takes only what is *new* since the last ``tell``, never the whole history: each trial is told
    once, when it ends, in any order. Until then its suggestion is *pending*, which the algorithm takes into
    account.

    Every optimizer that learns counts a trial in the same way:

    * ``finished``: its losses and violations.
    * ``stopped`` by a rule: its losses, but in no objective better than the worst trial that finished. Less
      training cannot be compared with more, and the rule has judged that more would not pay.
    * ``failed``, or with a value that is not finite: the worst losses and violations of the trials that
      finished.
    * ``lost``: nothing. Its suggestion is withdrawn (:meth:`_withdraw`); if the trial is tried again later,
      it may be told once more.

    Until a trial has finished, stopped and failed trials count as pending. A library that itself ranks
    unfinished trials behind the others is told about them in its own terms; its adapter says so.

    An optimizer keeps its state in itself: pickled at any moment and loaded in another process, it goes on
    as if nothing had happened. The same seed and the same calls give the same suggestions.

    ``bounded`` is what a trial's violations are of, in this order: the objectives with a bound, then the
    constraints.

    A subclass declares its ``capabilities`` and implements :meth:`_suggest` and :meth:`_learn`. One that
    waits for pending suggestions, or counts them as anything, also implements :meth:`_withdraw`.

    Args:
        space: what may vary.
        objectives: what is optimised. Where one has a bound, that bound is a constraint too.
        seed: the source of all its randomness.
        fidelity: the range that it may choose from; None: it does not choose.
        constraints: metrics with a bound that are not optimised.

    Raises:
        ConfigurationError: it cannot serve such a study; the key is ``optimizer``.
    """

    capabilities: ClassVar[Capabilities]
    recalls_exactly: ClassVar[bool] = False
    """Whether it goes on after :meth:`recall` as if it had never been interrupted."""

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
    ) -> None:
        self.space, self.objectives, self.seed, self.fidelity = space, tuple(objectives), seed, fidelity
        self.constraints = tuple(constraints)
        self.bounded = with_bounds(self.objectives, constraints)
        _check(self)
        self._asked = 0
        self._pending: dict[int, Suggestion] = {}
        self._withdrawn: set[int] = set()
        self._observed = 0

    @property
    def pending(self) -> tuple[Suggestion, ...]:
        """Suggestions that have no result yet, oldest first."""
        return tuple(self._pending.values())

    def ask(self, n: int = 1) -> list[Suggestion]:
        """Up to ``n`` suggestions.

        There are fewer, or none, if the algorithm first needs the results of pending ones. None while
        nothing is pending means that it has no more; :attr:`why_none` says why.
        """
        suggestions = []
        for _ in range(n):
            token = self._asked
            proposal = self._suggest(token)
            if proposal is None:
                break
            config, fidelity = proposal
            self._pending[token] = Suggestion(config, fidelity, token)
            self._asked += 1
            suggestions.append(self._pending[token])
        return suggestions

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take in the results of suggestions, in any order; failures and NaN are results like any other.

        Raises:
            ValueError: a trial's suggestion is neither pending nor withdrawn here, or it has the wrong number
                of losses or violations.
        """
        for trial in trials:
            self._check_trial(trial)
            token = trial.suggestion.token
            again = token in self._withdrawn
            self._pending.pop(token, None)
            self._withdrawn.discard(token)
            if trial.status == "lost":
                self._withdrawn.add(token)
                if not again:
                    self._withdraw(trial)
            elif again:
                self._learn_late(trial)
            else:
                self._learn(trial)

    def recall(self, config: Config, fidelity: int | None) -> Suggestion | None:
        """Take up a suggestion of an earlier process without computing it again; it is pending from now on.

        For algorithms that take long for a suggestion. Only the first suggestions of an optimizer can be
        recalled, and in their order, each with the results told before it that it was made with. What is
        suggested after that may differ from what an optimizer without an interruption would have suggested.

        Returns:
            The suggestion. None: it has to be computed, by :meth:`ask`, which here is quick.
        """
        token = self._asked
        if not self._recall(token, config, fidelity):
            return None
        self._asked += 1
        self._pending[token] = Suggestion(config, fidelity, token)
        return self._pending[token]

    def withdraw(self, suggestion: Suggestion) -> None:
        """Withdraw a pending suggestion that will not be tried: nothing waits for it or learns from it."""
        self.tell([lost(suggestion, "withdrawn", self.objectives, self.constraints)])
        self._withdrawn.discard(suggestion.token)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Take in results of configurations that were not suggested here, as far as the algorithm can.

        They count as those that :meth:`tell` takes: earlier runs, configurations by hand, what a journal has
        where a library would now suggest something else. Lost trials are left out.

        Raises:
            ValueError: a trial has the wrong number of losses or violations.
        """
        for trial in trials:
            self._check_size(trial, "an observed trial")
            if trial.status == "lost":
                continue
            self._observed += 1
            # No suggestion of our own has a negative token.
            suggestion = replace(trial.suggestion, token=-self._observed)
            self._observe(replace(trial, suggestion=suggestion))

    @property
    def why_none(self) -> str:
        """Why it has no suggestion while nothing is pending; empty: it has tried the whole space."""
        return ""

    def plan(self, workers: int) -> None:  # noqa: B027 - most optimizers have nothing to plan
        """Say how many suggestions will be pending at a time; call this before the first ``ask``."""

    def remark(self, trials: int) -> str:
        """One line that a user must know before a study of ``trials`` trials begins; usually empty."""
        del trials
        return ""

    @abstractmethod
    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        """The next configuration and its fidelity, identified by ``token``; None if there is none now."""

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        """Take up the suggestion of an earlier process; False where it is as quick to compute it again."""
        del token, config, fidelity
        return False

    @abstractmethod
    def _learn(self, trial: Trial) -> None:
        """Take in one trial, which is no longer pending and not lost."""

    def _withdraw(self, trial: Trial) -> None:  # noqa: B027 - most optimizers have nothing to do
        """Forget a suggestion whose trial was lost: neither wait for it nor count it as bad."""

    def _observe(self, trial: Trial) -> None:
        """Take in one trial that was not suggested here; by default like one that was."""
        self._learn(trial)

    def _learn_late(self, trial: Trial) -> None:
        """Take in a trial whose suggestion had been withdrawn; by default like any other."""
        self._learn(trial)

    def _check_trial(self, trial: Trial) -> None:
        token = trial.suggestion.token
        if token not in self._pending and token not in self._withdrawn:
            raise ValueError(f"expected a trial of a pending suggestion, got token {token!r} (told before?)")
        self._check_size(trial, f"trial {token}")

    def _check_size(self, trial: Trial, which: str) -> None:
        expected = len(self.objectives), len(self.bounded)
        found = len(trial.losses), len(trial.violations)
        if found != expected:
            raise ValueError(f"expected {expected} losses and violations in {which}, got {found}")


def library_seed(seed: int) -> int:
    """The seed for a library that takes 32 bits: ``seed`` itself where it fits."""
    return seed if 0 <= seed < 2**32 else derived_seed(seed, "library") % 2**32


def _check(optimizer: Optimizer) -> None:
    """Raise where the optimizer cannot serve the study that it was constructed for."""
    can, name = optimizer.capabilities, type(optimizer).__name__
    count, most = len(optimizer.objectives), can.most_objectives
    if count < can.fewest_objectives or (most is not None and count > most):
        allowed = f"{can.fewest_objectives} objective" if most == can.fewest_objectives else _range(can)
        raise ConfigurationError(_KEY, f"{allowed} for {name}", [one.name for one in optimizer.objectives])
    if can.fidelity and (optimizer.fidelity is None or optimizer.fidelity.largest == 1):
        raise ConfigurationError(_KEY, f"a workload with several fidelities for {name}", optimizer.fidelity)
    if not (can.fidelity or can.may_choose_fidelity) and optimizer.fidelity is not None:
        hint = "early stopping is the scheduler's part"
        raise ConfigurationError(_KEY, "one that chooses fidelities", name, hint)
    unbounded = [one.name for one in optimizer.constraints if one.bound is None]
    if unbounded:
        raise ConfigurationError("constraints", "metrics with a bound", unbounded)
    if optimizer.bounded and not can.constraints:
        bounded = ", ".join(one.name for one in optimizer.bounded)
        hint = f"{', '.join(CONSTRAINED)} can"
        raise ConfigurationError(_KEY, f"one that can handle constraints (on {bounded})", name, hint)
    _check_space(optimizer, name)


def _check_space(optimizer: Optimizer, name: str) -> None:
    can, space = optimizer.capabilities, optimizer.space
    if space.codec.dim == 0:
        raise ConfigurationError(
            "search_space", "at least one parameter that is not a constant", list(space.names)
        )
    conditional = [one for one in space.names if space.configuration_space.parent_conditions_of[one]]
    if conditional and not can.conditions:
        raise ConfigurationError(
            _KEY, f"one that can handle conditional parameters ({', '.join(conditional)})", name
        )
    categorical = [column.name for column in space.codec.columns if column.kind == "categorical"]
    if categorical and not can.categories:
        raise ConfigurationError(
            _KEY, f"one that can handle categorical parameters ({', '.join(categorical)})", name
        )


def _range(can: Capabilities) -> str:
    if can.most_objectives is None:
        return f"at least {can.fewest_objectives} objectives"
    return f"{can.fewest_objectives} to {can.most_objectives} objectives"
