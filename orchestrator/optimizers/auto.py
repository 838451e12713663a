"""An optimizer that chooses others by what the study is like, and may change them on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.config.targets import instantiate
from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.auto_rules import OPTIMIZERS, Choice, Situation, choose
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.unfinished import finished
from orchestrator.randomness import derived_seed
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config, SearchSpace
from workloads.contract import Fidelity, Objective


class Auto(Optimizer):
    """Takes the optimizer that :data:`.auto_rules.RULES` name for the study, or several in turn.

    When one follows another it observes all results so far; those of suggestions that are still pending
    follow as they come in. The first has the study's own seed: alone, it does what it would do without
    ``auto``. Which one suggests depends on how many trials were suggested and observed before, never on when
    results come in.

    An optimizer whose extra is not installed is replaced, which :meth:`remark` says.

    Where it may choose fidelities but takes an optimizer that does not, trials are trained fully, and results
    of less training that are observed are left out.

    Args:
        n_trials: how many trials the study will have.
        fidelity_units: how much they will train together; None: ``n_trials`` full trainings.
        eta: the ratio between two rungs where it chooses fidelities; at least 2.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True, may_choose_fidelity=True)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        n_trials: int = 100,
        fidelity_units: int | None = None,
        eta: int = 3,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(1, n_trials=n_trials)
        at_least(2, eta=eta)
        self._n_trials, self._eta, self._workers = n_trials, eta, 1
        self._trainings: float = n_trials
        if fidelity is not None and fidelity_units is not None:
            self._trainings = fidelity_units / fidelity.largest
        self._choice, self._phase = self._chosen(), 0
        self._inner: Optimizer | None = None
        self._past: list[Trial] = []
        self._theirs: dict[int, tuple[int, Suggestion]] = {}

    def plan(self, workers: int) -> None:
        self._workers = workers
        if not self._asked and not self._past:
            self._choice, self._inner = self._chosen(), None
        elif self._inner is not None:
            self._inner.plan(workers)

    def remark(self, trials: int) -> str:
        return "; ".join(filter(None, (f"auto chooses {self._choice.text}", self._current.remark(trials))))

    @property
    def why_none(self) -> str:
        return self._current.why_none

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        self._advance(token)
        asked = self._current.ask()
        if not asked:
            return None
        self._theirs[token] = self._phase, asked[0]
        full = None if self.fidelity is None else self.fidelity.largest
        return asked[0].config, full if asked[0].fidelity is None else asked[0].fidelity

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        self._advance(token)
        current = self._current
        recalled = current.recall(config, None if current.fidelity is None else fidelity)
        if recalled is None:
            return False
        self._theirs[token] = self._phase, recalled
        return True

    def _learn(self, trial: Trial) -> None:
        phase, suggestion = self._theirs.pop(trial.suggestion.token)
        if phase != self._phase:
            self._observe(trial)
            return
        self._current.tell([replace(trial, suggestion=suggestion)])
        self._past.append(trial)

    def _withdraw(self, trial: Trial) -> None:
        phase, suggestion = self._theirs[trial.suggestion.token]
        if phase == self._phase:
            self._current.tell([replace(trial, suggestion=suggestion)])

    def _observe(self, trial: Trial) -> None:
        self._current.observe(self._comparable([trial], self._current))
        self._past.append(trial)

    def _comparable(self, trials: Sequence[Trial], optimizer: Optimizer) -> Sequence[Trial]:
        """Those that an optimizer can learn from together."""
        if self.fidelity is None or optimizer.fidelity is not None:
            return trials
        full = None, self.fidelity.largest
        return [one for one in trials if not finished(one) or one.suggestion.fidelity in full]

    @property
    def _current(self) -> Optimizer:
        """The optimizer of the present phase, made when it is first needed."""
        if self._inner is None:
            self._inner = self._made()
            self._inner.plan(self._workers)
            self._inner.observe(self._comparable(self._past, self._inner))
        return self._inner

    def _advance(self, suggested: int) -> None:
        """Go on to the phase that the next suggestion belongs to."""
        known, phases = suggested + self._observed, self._choice.phases
        before = self._phase
        while (until := phases[self._phase].until) is not None and known >= until:
            self._phase += 1
        if self._phase != before:
            self._inner = None

    def _made(self) -> Optimizer:
        known = OPTIMIZERS[self._choice.phases[self._phase].optimizer]
        stepped = {"eta": self._eta} if known.chooses else {}
        made: Optimizer = instantiate(
            {**known.definition, **stepped},
            "optimizer",
            space=self.space,
            objectives=self.objectives,
            seed=derived_seed(self.seed, "auto", self._phase) if self._phase else self.seed,
            fidelity=self.fidelity if known.chooses else None,
            constraints=self.constraints,
        )
        return made

    def _chosen(self) -> Choice:
        # Where all trials can be trained fully, training less of one spares nothing.
        rungs = self.fidelity if self._trainings <= self._n_trials else None, self._eta
        return choose(
            Situation.of(self.space, self.objectives, self.bounded, rungs, self._trainings, self._workers)
        )
