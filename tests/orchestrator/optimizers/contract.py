"""What every optimizer must keep to; an optimizer joins by one line in ``test_contract.py``."""

from __future__ import annotations

import contextlib
import math
import pickle
from collections.abc import Callable, Collection, Sequence
from inspect import signature
from typing import Any

import numpy as np
import pytest

from orchestrator.search import Optimizer
from orchestrator.trial import Suggestion, Trial, evaluated, failed, lost
from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.fitting import fitted
from workloads import Fidelity, Objective

Make = Callable[..., Optimizer]
"""Makes an optimizer from the space, the objectives, the seed, the fidelity and the constraints."""

NUMBERS = {
    "learning_rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0.0, "high": 0.9},
    "width": {"type": "int", "low": 8, "high": 512, "log": True},
    "depth": {"type": "ordinal", "values": [1, 2, 4]},
    "epochs": {"type": "constant", "value": 3},
}
CATEGORIES = {
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "lion"]},
    "nesterov": {"type": "categorical", "choices": [True, False]},
    "only": {"type": "categorical", "choices": ["one"]},
}
CONDITIONS = [
    {"child": "momentum", "parent": "optimizer", "equals": "sgd"},
    {"child": "nesterov", "parent": "momentum", "greater": 0.3},
]
FORBIDDEN = [{"optimizer": "lion", "depth": [1, 2]}]
SLOPE = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"}})
FIDELITY = Fidelity("epoch", 1, 9)
TRIALS = 7
QUICK = 20


def loss(config: Config, objective: int = 0) -> float:
    """Something to minimise over the spaces above, for any number of objectives."""
    width = math.log2(float(config["width"])) / 9
    rate = math.log10(float(config["learning_rate"])) / 5
    return (width - 0.2 * objective) ** 2 + (rate + 0.3 * objective) ** 2 + float(config.get("momentum", 0.5))


def slope(config: Config, objectives: Sequence[Objective]) -> dict[str, float]:
    """Metrics over :data:`SLOPE` that the objectives trade off around ``x = 0.1``."""
    x, y = float(config["x"]), float(config["y"])
    return {one.name: (x - 0.1) ** 2 + (y - 0.4 * (i + 1)) ** 2 for i, one in enumerate(objectives)}


class OptimizerContract:
    """Tests over a fixture ``make``, an optimizer's class or a function with the same arguments.

    A fixture ``learns`` says after how many trials the optimizer suggests clearly better ones; 0: never.
    ``observes_in_vain`` names those that learn from their own suggestions alone.
    """

    observes_in_vain: Collection[str] = ()

    def space(self, make: Make) -> SearchSpace:
        """As much of a space as the optimizer can handle."""
        can, parameters = self.capabilities(make), dict[str, Any](NUMBERS)
        definition: dict[str, Any] = {"parameters": parameters}
        if can.categories:
            parameters |= CATEGORIES
            definition["forbidden"] = FORBIDDEN
        if can.categories and can.conditions:
            definition["conditions"] = CONDITIONS
        return build_space(definition)

    def capabilities(self, make: Make) -> Any:
        return getattr(make, "func", make).capabilities  # type: ignore[attr-defined]  # a class or a partial

    def some_objectives(self, make: Make, several: bool) -> tuple[Objective, ...]:
        """One or two; skips where the optimizer cannot."""
        can, count = self.capabilities(make), 2 if several else 1
        if not can.fewest_objectives <= count <= (can.most_objectives or count):
            pytest.skip(f"it cannot serve {count} objectives")
        return tuple(Objective(f"loss{i}") for i in range(count))

    def objectives(self, make: Make) -> tuple[Objective, ...]:
        """As few as it takes, but two where it can."""
        most = self.capabilities(make).most_objectives
        return tuple(Objective(f"loss{i}") for i in range(1 if most == 1 else 2))

    def optimizer(self, make: Make, seed: int = 1, **arguments: Any) -> Optimizer:
        fidelity = FIDELITY if self.capabilities(make).fidelity else None
        given = {"space": self.space(make), "objectives": self.objectives(make), "fidelity": fidelity}
        return make(**given | {"seed": seed} | arguments)

    def trial(self, optimizer: Optimizer, suggestion: Suggestion, value: float | None = None) -> Trial:
        metrics = {
            one.name: loss(suggestion.config, i) if value is None else value
            for i, one in enumerate(optimizer.objectives)
        }
        metrics |= {one.name: loss(suggestion.config) for one in optimizer.constraints}
        return evaluated(suggestion, metrics, optimizer.objectives, optimizer.constraints)

    def go_on(self, optimizer: Optimizer, trials: int = TRIALS) -> list[tuple[Config, int | None]]:
        """Ask and tell in turn."""
        seen = []
        for _ in range(trials):
            (suggestion,) = optimizer.ask()
            seen.append((suggestion.config, suggestion.fidelity))
            optimizer.tell([self.trial(optimizer, suggestion)])
        return seen

    def test_suggestions_are_legal_configurations_of_plain_values(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        for config, fidelity in self.go_on(optimizer):
            assert optimizer.space.check(config) == config
            assert {type(value) for value in config.values()} <= {bool, int, float, str}
            if optimizer.fidelity is None:
                assert fidelity is None
            else:
                assert type(fidelity) is int
                assert FIDELITY.smallest <= fidelity <= FIDELITY.largest

    def test_the_seed_decides(self, make: Make) -> None:
        first = self.go_on(self.optimizer(make))
        np.random.random(3)  # noqa: NPY002 (global state must not matter)
        assert self.go_on(self.optimizer(make)) == first
        assert self.go_on(self.optimizer(make, seed=2**62 + 1)) != first

    def test_asks_before_a_tell_differ_and_results_come_in_any_order(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        self.go_on(optimizer, 4)
        suggestions = optimizer.ask(3) + optimizer.ask(2)
        assert optimizer.pending == tuple(suggestions)
        configs = [str(suggestion.config) for suggestion in suggestions]
        assert len(set(configs)) == len(configs)
        for suggestion in (suggestions[i] for i in (3, 0, 4)):
            optimizer.tell([self.trial(optimizer, suggestion)])
        optimizer.tell([self.trial(optimizer, suggestions[2]), self.trial(optimizer, suggestions[1])])
        assert optimizer.pending == ()
        self.go_on(optimizer, 2)

    def test_results_that_it_did_not_suggest_are_observed(self, make: Make) -> None:
        """They come in whatever order, and in the place of a suggestion that is withdrawn."""
        other = self.optimizer(make, seed=2)
        optimizer = self.optimizer(make)
        for i in range(TRIALS):
            (foreign,) = other.ask()
            trial = self.trial(other, foreign)
            other.tell([trial])
            if i % 2:
                optimizer.withdraw(optimizer.ask()[0])
            optimizer.observe([trial])
        assert optimizer.pending == ()
        copy = pickle.loads(pickle.dumps(optimizer))
        assert self.go_on(optimizer, 2) == self.go_on(copy, 2)

    def test_every_kind_of_end_is_observed_before_the_first_suggestion(self, make: Make) -> None:
        other, optimizer = self.optimizer(make, seed=2), self.optimizer(make)
        ends: list[Trial] = []
        for value in (math.nan, math.inf, None, None, -math.inf):
            (foreign,) = other.ask()
            ends.append(self.trial(other, foreign, value))
            other.tell(ends[-1:])
        last = ends[2]
        ends.append(failed(last.suggestion, "boom", optimizer.objectives))
        ends.append(lost(last.suggestion, "its node died", optimizer.objectives))
        ends.append(Trial(last.suggestion, last.losses, last.violations, "stopped", fidelity=1))
        optimizer.observe(ends)
        assert optimizer.pending == ()
        copy = pickle.loads(pickle.dumps(optimizer))
        assert self.go_on(optimizer, 2) == self.go_on(copy, 2)
        with pytest.raises(ValueError, match="losses and violations"):
            optimizer.observe([Trial(last.suggestion, (*last.losses, 0.0))])

    @pytest.mark.parametrize("several", [False, True], ids=["one objective", "several objectives"])
    def test_it_learns_from_what_it_observes(self, make: Make, learns: int, several: bool, name: str) -> None:
        """What an earlier search found to fail is clearly rarer than at random from the beginning."""
        if not learns or name in self.observes_in_vain:
            pytest.skip("it does not learn from what it has not suggested")
        objectives = self.some_objectives(make, several)
        share = []
        for seed in range(1 if learns < QUICK else 3):
            optimizer = self.optimizer(make, seed, space=SLOPE, objectives=objectives)
            fidelity = None if optimizer.fidelity is None else optimizer.fidelity.smallest
            for config in SLOPE.sample(2 * learns, np.random.default_rng(10 + seed)):
                suggestion = Suggestion(config, fidelity)
                trial = evaluated(suggestion, slope(config, objectives), objectives)
                fails = float(config["x"]) > 0.3
                optimizer.observe([failed(suggestion, "boom", objectives) if fails else trial])
            for _ in range(QUICK if learns >= QUICK else max(8, learns)):
                (suggestion,) = optimizer.ask()
                fails = float(suggestion.config["x"]) > 0.3
                trial = evaluated(suggestion, slope(suggestion.config, objectives), objectives)
                optimizer.tell([failed(suggestion, "boom", objectives) if fails else trial])
                share.append(fails)
        assert np.mean(share) < 0.55  # 0.7 at random

    def test_an_earlier_process_is_taken_up_from(self, make: Make) -> None:
        """By its suggestions: those that took a model are recalled, the others are suggested again."""
        before, optimizer = self.optimizer(make), self.optimizer(make)
        for _ in range(TRIALS):
            (wanted,) = before.ask()
            suggestion = optimizer.recall(wanted.config, wanted.fidelity) or optimizer.ask()[0]
            assert suggestion == wanted
            assert optimizer.pending == (suggestion,)
            for one in (before, optimizer):
                one.tell([self.trial(one, suggestion)])
        copy = pickle.loads(pickle.dumps(optimizer))
        assert self.go_on(optimizer, 2) == self.go_on(copy, 2)

    def test_results_of_another_space_are_observed_as_far_as_they_fit(self, make: Make) -> None:
        """One parameter is new, one is gone, and a range has shrunk: as in an earlier study."""
        optimizer = self.optimizer(make)
        others = {name: one for name, one in NUMBERS.items() if name != "momentum"}
        others["learning_rate"] = {"type": "float", "low": 1e-9, "high": 1.0, "log": True}
        others["old"] = {"type": "float", "low": 0.0, "high": 1.0}
        trials = []
        for config in build_space({"parameters": others}).sample(12, np.random.default_rng(3)):
            with contextlib.suppress(ConfigurationError):
                fit = fitted(config, optimizer.space)
                fidelity = None if optimizer.fidelity is None else optimizer.fidelity.largest
                trials.append(self.trial(optimizer, Suggestion(fit.config, fidelity)))
                assert fit.unknown == ("old",)
                assert fit.assumed
        assert 3 <= len(trials) < 12
        optimizer.observe(trials)
        assert optimizer.pending == ()
        copy = pickle.loads(pickle.dumps(optimizer))
        assert self.go_on(optimizer, 2) == self.go_on(copy, 2)

    def test_a_configuration_may_come_back_with_other_results(self, make: Make) -> None:
        """Trained again with other seeds, or in an earlier study as well."""
        optimizer = self.optimizer(make)
        (suggestion,) = optimizer.ask()
        values = (None, None, 1.0, math.nan, 2.0, None)
        repeats = [self.trial(optimizer, suggestion, value) for value in values]
        optimizer.tell(repeats[:1])
        optimizer.observe(repeats[1:])
        copy = pickle.loads(pickle.dumps(optimizer))
        assert self.go_on(optimizer, 2) == self.go_on(copy, 2)

    def test_a_study_of_one_trial_is_no_trouble(self, make: Make) -> None:
        accepted = signature(make).parameters
        optimizer = self.optimizer(make, **({"n_trials": 1} if "n_trials" in accepted else {}))
        optimizer.plan(1)
        assert isinstance(optimizer.remark(1), str)
        (suggestion,) = optimizer.ask()
        assert optimizer.space.check(suggestion.config) == suggestion.config
        optimizer.tell([self.trial(optimizer, suggestion)])
        assert optimizer.pending == ()

    def test_eight_may_be_pending_and_most_results_infinite(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        for _ in range(2):
            suggestions = optimizer.ask(8)
            assert suggestions
            for i, suggestion in enumerate(suggestions):
                optimizer.tell([self.trial(optimizer, suggestion, None if i == 3 else math.inf)])
        assert len(optimizer.ask()) == 1

    def test_a_space_of_one_configuration_is_no_trouble(self, make: Make) -> None:
        space = build_space({"parameters": {"depth": {"type": "ordinal", "values": [2]}}})
        optimizer = self.optimizer(make, space=space)
        for _ in range(3):
            for suggestion in optimizer.ask():
                assert suggestion.config == {"depth": 2}
                values = dict.fromkeys((one.name for one in optimizer.objectives), 1.0)
                optimizer.tell([evaluated(suggestion, values, optimizer.objectives)])

    def test_failures_and_nan_are_tolerated(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        for i in range(TRIALS + 4):
            (suggestion,) = optimizer.ask()
            trial = self.trial(optimizer, suggestion, math.nan if i % 4 == 1 else None)
            if i % 4 in (0, 3):
                trial = failed(suggestion, "boom", optimizer.objectives)
            optimizer.tell([trial])

    def test_goes_on_when_every_trial_fails(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        for _ in range(TRIALS):
            (suggestion,) = optimizer.ask()
            optimizer.tell([failed(suggestion, "boom", optimizer.objectives)])
        assert len(optimizer.ask()) == 1

    def test_lost_trials_are_withdrawn_and_may_be_told_again(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        withdrawn = []
        for i in range(TRIALS + 4):
            (suggestion,) = optimizer.ask()
            trial = self.trial(optimizer, suggestion)
            if i % 3 == 1:
                withdrawn.append(trial)
                trial = lost(suggestion, "its process died", optimizer.objectives)
            optimizer.tell([trial])
            assert optimizer.pending == ()
        copy = pickle.loads(pickle.dumps(optimizer))
        for one in (optimizer, copy):
            one.tell(withdrawn)
        assert self.go_on(optimizer, 2) == self.go_on(copy, 2)
        with pytest.raises(ValueError, match="pending"):
            optimizer.tell(withdrawn)

    @pytest.mark.parametrize("value", [0.0, 1e12])
    def test_constant_objectives_are_tolerated(self, make: Make, value: float) -> None:
        optimizer = self.optimizer(make)
        for _ in range(TRIALS):
            (suggestion,) = optimizer.ask()
            optimizer.tell([self.trial(optimizer, suggestion, value)])

    def test_trials_that_were_stopped_early_count(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        for _ in range(TRIALS):
            (suggestion,) = optimizer.ask()
            trial = self.trial(optimizer, suggestion)
            optimizer.tell([Trial(suggestion, trial.losses, trial.violations, "stopped", fidelity=2)])

    @pytest.mark.parametrize("several", [False, True], ids=["one objective", "several objectives"])
    def test_a_stopped_trial_counts_as_no_better_than_those_that_finished(
        self, make: Make, several: bool
    ) -> None:
        """Losses of little training may look far better: they must change nothing."""
        objectives = self.some_objectives(make, several)
        courses = []
        for tempting in (False, True):
            optimizer = self.optimizer(make, space=SLOPE, objectives=objectives)
            seen, finished = [], []
            for i in range(10):
                (suggestion,) = optimizer.ask()
                seen.append((suggestion.config, suggestion.fidelity))
                trial = evaluated(suggestion, slope(suggestion.config, objectives), objectives)
                if i % 3 == 2:
                    worst = np.max(finished, axis=0)
                    losses = tuple((worst - 100.0 * tempting).tolist())
                    trial = Trial(suggestion, losses, trial.violations, "stopped", fidelity=1)
                else:
                    finished.append(trial.losses)
                optimizer.tell([trial])
            courses.append(seen)
        assert courses[0] == courses[1]

    @pytest.mark.parametrize("several", [False, True], ids=["one objective", "several objectives"])
    def test_it_learns_from_failures(self, make: Make, learns: int, several: bool) -> None:
        """Where most of the space fails, what fails becomes clearly rarer than at random.

        ``learns`` is after how many trials it is to have learnt; 0: never. Those that learn quickly take long
        for a suggestion, and show it with one seed.
        """
        if not learns:
            pytest.skip("it does not learn")
        objectives = self.some_objectives(make, several)
        share = []
        for seed in range(1 if learns < QUICK else 3):
            optimizer = self.optimizer(make, seed, space=SLOPE, objectives=objectives)
            entered = []
            for i in range(2 * learns):
                (suggestion,) = optimizer.ask()
                fails = float(suggestion.config["x"]) > 0.3
                trial = failed(suggestion, "boom", objectives)
                if not fails:
                    trial = evaluated(suggestion, slope(suggestion.config, objectives), objectives)
                optimizer.tell([trial])
                if i >= learns:
                    entered.append(fails)
            share.append(np.mean(entered))
        assert np.mean(share) < 0.55  # 0.7 at random

    def test_pickled_in_the_middle_it_goes_on_identically(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        self.go_on(optimizer, 5)
        pending = optimizer.ask(2)
        optimizer.tell([self.trial(optimizer, pending[1])])
        copy = pickle.loads(pickle.dumps(optimizer))
        results = []
        for one in (optimizer, copy):
            one.tell([self.trial(one, pending[0])])
            results.append(self.go_on(one, 3))
        assert results[0] == results[1]

    def test_only_pending_suggestions_can_be_told(self, make: Make) -> None:
        optimizer = self.optimizer(make)
        (suggestion,) = optimizer.ask()
        trial = self.trial(optimizer, suggestion)
        with pytest.raises(ValueError, match="losses and violations"):
            optimizer.tell([Trial(suggestion, (*trial.losses, 0.0))])
        optimizer.tell([trial])
        with pytest.raises(ValueError, match="pending"):
            optimizer.tell([trial])

    def test_a_space_of_two_configurations_is_no_trouble(self, make: Make) -> None:
        space = build_space({"parameters": {"depth": {"type": "ordinal", "values": [1, 2]}}})
        optimizer = self.optimizer(make, space=space)
        tried = set()
        for _ in range(6):
            for suggestion in optimizer.ask():
                tried.add(suggestion.config["depth"])
                values = {one.name: float(suggestion.config["depth"]) for one in optimizer.objectives}
                optimizer.tell([evaluated(suggestion, values, optimizer.objectives)])
        assert tried <= {1, 2}
        assert tried

    def test_constraints_are_taken_or_refused(self, make: Make) -> None:
        bounded = (Objective("latency", bound=0.9),)
        objectives = tuple(Objective(one.name, bound=1.5) for one in self.objectives(make))
        if not self.capabilities(make).constraints:
            for arguments in ({"constraints": bounded}, {"objectives": objectives}):
                with pytest.raises(
                    ConfigurationError, match=r"^optimizer: expected one that can handle constraints"
                ):
                    self.optimizer(make, **arguments)
            return
        optimizer = self.optimizer(make, constraints=bounded, objectives=objectives)
        assert len(optimizer.bounded) == len(objectives) + 1
        self.go_on(optimizer)

    def test_what_it_cannot_do_is_refused_at_construction(self, make: Make) -> None:
        can = self.capabilities(make)
        self.refused(make, "objective", objectives=())
        if can.fewest_objectives > 1:
            self.refused(make, "at least 2 objectives", objectives=(Objective("one"),))
        if can.most_objectives is not None:
            many = [Objective(f"loss{i}") for i in range(can.most_objectives + 1)]
            self.refused(make, "objective", objectives=many)
        if not can.may_choose_fidelity:
            self.refused(make, "fidelit", fidelity=None if can.fidelity else FIDELITY)
        everything = build_space({"parameters": NUMBERS | CATEGORIES, "conditions": CONDITIONS})
        if not can.conditions:
            self.refused(make, "conditional parameters", space=everything)
        if not can.categories:
            self.refused(make, "categorical", space=build_space({"parameters": NUMBERS | CATEGORIES}))

    def refused(self, make: Make, message: str, **arguments: Any) -> None:
        with pytest.raises(ConfigurationError, match=rf"^optimizer: .*{message}"):
            self.optimizer(make, **arguments)


def told(optimizer: Optimizer, losses: Sequence[float]) -> None:
    """Ask, and tell that ``losses`` came of it."""
    (suggestion,) = optimizer.ask()
    optimizer.tell([Trial(suggestion, tuple(losses))])
