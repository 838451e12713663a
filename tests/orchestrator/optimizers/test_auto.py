"""What ``optimizer=auto`` takes, and how one optimizer follows another."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.targets import target_of
from orchestrator.optimizers import auto_rules
from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.auto import Auto
from orchestrator.optimizers.auto_rules import (
    OPTIMIZERS,
    RULES,
    Choice,
    Known,
    Phase,
    Rule,
    Situation,
)
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.optuna import OptunaTpe
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.sobol import SobolSearch
from orchestrator.trial import Suggestion, Trial, evaluated, failed, lost
from search_spaces import Config, build_space
from tests.orchestrator.optimizers.contract import FIDELITY, SLOPE, slope
from workloads.contract import Objective

RANGE = {"type": "float", "low": 0.0, "high": 1.0}
CHOICE = {"parameters": {"kind": {"type": "categorical", "choices": ["x", "y"]}}}
CONDITION = {**CHOICE, "conditions": [{"child": "b", "parent": "kind", "equals": "x"}]}
CONDITIONS = {
    "parameters": {**CHOICE["parameters"], "c": RANGE},
    "conditions": [{"child": child, "parent": "kind", "equals": "x"} for child in "abc"],
}
GAUSSIAN = "optuna_gp, optuna_tpe after 150 trials"
CONF = Path(__file__).parents[3] / "conf" / "optimizer"
ONE = (Objective("loss"),)

studies = st.builds(
    Situation,
    parameters=st.integers(1, 60),
    categories=st.booleans(),
    always=st.just(1) | st.floats(0, 1),
    objectives=st.integers(1, 6),
    constrained=st.booleans(),
    fidelities=st.booleans(),
    trainings=st.floats(0.1, 3000),
    workers=st.integers(1, 64),
)


class Listening(RandomSearch):
    """Remembers what it hears."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.told: list[Trial] = []
        self.observed: list[Config] = []
        self.lost: list[Config] = []

    def _learn(self, trial: Trial) -> None:
        (self.told if trial.suggestion.token >= 0 else self.observed).append(trial.config)

    def _withdraw(self, trial: Trial) -> None:
        self.lost.append(trial.config)


@pytest.fixture
def two_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random search, and after three trials one that listens."""
    listening = {"_target_": f"{__name__}.Listening"}
    known = {
        "first": Known({"_target_": f"{RandomSearch.__module__}.RandomSearch"}),
        "second": Known(listening),
    }
    monkeypatch.setattr(auto_rules, "RULES", (Rule((Phase("first", until=3), Phase("second"))),))
    monkeypatch.setattr("orchestrator.optimizers.auto.OPTIMIZERS", known)
    monkeypatch.setattr(auto_rules, "OPTIMIZERS", known)


def trial_of(suggestion: Suggestion, objectives: Sequence[Objective] = ONE) -> Trial:
    return evaluated(suggestion, slope(suggestion.config, objectives), objectives)


@given(studies)
def test_what_is_chosen_can_serve_the_study(study: Situation) -> None:
    for phase in auto_rules.choose(study).phases:
        can: Capabilities = target_of(OPTIMIZERS[phase.optimizer].definition, "").capabilities
        assert can.fewest_objectives <= study.objectives <= (can.most_objectives or study.objectives)
        assert can.constraints or not study.constrained
        assert can.categories or not study.categories
        assert can.conditions or not study.conditions
        assert study.fidelities or not can.fidelity
        assert study.parameters > 1 or phase.optimizer != "optuna_cmaes", "Optuna's would draw at random"


@given(studies)
def test_what_takes_the_place_of_a_missing_one_needs_no_extra_and_serves_as_much(study: Situation) -> None:
    choice = auto_rules.choose(study, lambda module: False)
    assert not any(OPTIMIZERS[phase.optimizer].module for phase in choice.phases)
    for wanted, extra, instead in choice.missing:
        assert f"{wanted} needs the extra {extra!r}, so {instead} takes its place" in choice.text


def test_phases_end_in_order_and_every_rule_can_be_reached() -> None:
    for rule in RULES:
        ends = [phase.until for phase in rule.phases]
        assert ends[-1] is None and None not in ends[:-1]
        assert ends[:-1] == sorted(set(ends[:-1]))
    assert RULES[-1].where == "anything else"
    assert len({rule.where for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_are_made_as_they_ship(name: str) -> None:
    shipped = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    own = {key: value for key, value in shipped.items() if "${" not in str(value)}
    assert OPTIMIZERS[name].definition == own
    assert "n_trials" not in shipped, "it would need the number of trials"
    assert OPTIMIZERS[name].chooses == ("eta" in shipped)


def test_the_first_optimizer_does_what_it_would_do_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_rules, "RULES", (Rule((Phase("optuna_tpe"),)),))
    runs = []
    for optimizer in (Auto(SLOPE, ONE, 3), OptunaTpe(SLOPE, ONE, 3)):
        configs = []
        for _ in range(14):
            (suggestion,) = optimizer.ask()
            configs.append(suggestion.config)
            optimizer.tell([trial_of(suggestion)])
        runs.append(configs)
    assert runs[0] == runs[1]


@pytest.mark.usefixtures("two_phases")
def test_the_next_optimizer_observes_all_results_also_those_that_come_later() -> None:
    optimizer = Auto(SLOPE, ONE, 0)
    first, second, third = optimizer.ask(3)
    optimizer.tell([trial_of(second), failed(third, "boom", ONE)])
    (own,) = optimizer.ask()
    listening: Any = optimizer._current
    assert listening.observed == [second.config, third.config]
    optimizer.tell([trial_of(first)])
    assert listening.observed == [second.config, third.config, first.config]
    optimizer.tell([trial_of(own)])
    assert listening.told == [own.config]


@pytest.mark.usefixtures("two_phases")
def test_lost_trials_are_told_to_the_one_that_suggested_them_alone() -> None:
    optimizer = Auto(SLOPE, ONE, 0)
    early = optimizer.ask(3)
    (own,) = optimizer.ask()
    optimizer.tell([lost(early[0], "its node died", ONE), lost(own, "its node died", ONE)])
    listening: Any = optimizer._current
    assert listening.lost == [own.config] and not listening.observed
    optimizer.tell([trial_of(early[0]), trial_of(own)])
    assert listening.observed == [early[0].config] and listening.told == [own.config]


@pytest.mark.usefixtures("two_phases")
def test_what_was_observed_counts_among_the_trials_of_a_phase() -> None:
    optimizer = Auto(SLOPE, ONE, 0)
    given = RandomSearch(SLOPE, ONE, 7).ask(3)
    optimizer.observe([trial_of(suggestion) for suggestion in given])
    optimizer.ask()
    listening: Any = optimizer._current
    assert isinstance(listening, Listening)
    assert listening.observed == [suggestion.config for suggestion in given]


@pytest.mark.usefixtures("two_phases")
@pytest.mark.parametrize("at", [1, 3, 5])
def test_pickled_in_any_phase_it_goes_on_identically(at: int) -> None:
    optimizer = Auto(SLOPE, ONE, 0)
    for _ in range(at):
        optimizer.tell([trial_of(suggestion) for suggestion in optimizer.ask()])
    copy = pickle.loads(pickle.dumps(optimizer))
    assert [optimizer.ask(), optimizer.ask(3)] == [copy.ask(), copy.ask(3)]


@pytest.mark.usefixtures("two_phases")
def test_a_study_hears_what_was_chosen_and_why() -> None:
    said = Auto(SLOPE, ONE, 0).remark(50)
    assert said == "auto chooses first, second after 3 trials (anything else)"


@pytest.mark.parametrize(
    ("objectives", "definition", "chosen"),
    [
        (1, {}, "optuna_gp, optuna_cmaes after 150 trials (one objective, numbers only, "),
        (1, CHOICE, f"{GAUSSIAN} (at most 3 objectives, no conditions, "),
        (2, {}, f"{GAUSSIAN} (at most 3 objectives, no conditions, "),
        (3, CHOICE, f"{GAUSSIAN} (at most 3 objectives, no conditions, "),
        (1, CONDITION, "optuna_tpe (anything else)"),
        (2, CONDITION, f"{GAUSSIAN} (2 to 3 objectives, at least 1/3 of the parameters always active, "),
        (2, CONDITIONS, "optuna_tpe (anything else)"),
        (4, {}, "optuna_tpe (anything else)"),
    ],
    ids=str,
)
def test_it_chooses_by_objectives_and_space(objectives: int, definition: dict[str, Any], chosen: str) -> None:
    parameters = {"a": RANGE, "b": RANGE, **definition.get("parameters", {})}
    space = build_space({**definition, "parameters": parameters})
    goals = [Objective(f"f{number}") for number in range(objectives)]
    assert chosen in Auto(space, goals, 0).remark(10)


def test_it_chooses_by_the_workers_that_are_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = (Rule((Phase("optuna_gp"),), workers=4), Rule((Phase("optuna_tpe"),)))
    monkeypatch.setattr(auto_rules, "RULES", rules)
    optimizer = Auto(SLOPE, ONE, 0)
    assert "optuna_gp (at most 4 at a time)" in optimizer.remark(10)
    optimizer.plan(5)
    assert "optuna_tpe" in optimizer.remark(10)


def test_it_chooses_fidelities_where_it_may_and_the_budget_allows_few_trainings() -> None:
    units = 10 * FIDELITY.largest
    for options in ({"n_trials": 10}, {"fidelity_units": units}):
        optimizer = Auto(SLOPE, ONE, 0, FIDELITY, **options)
        assert isinstance(optimizer._current, Asha)
        assert optimizer.ask()[0].fidelity == FIDELITY.smallest
    for options in ({"fidelity_units": 10 * units}, {"fidelity_units": units, "n_trials": 9}):
        assert not isinstance(Auto(SLOPE, ONE, 0, FIDELITY, **options)._current, Asha)
    assert not isinstance(Auto(SLOPE, ONE, 0, n_trials=10)._current, Asha)
    bounded = (Objective("latency", bound=1.0),)
    assert isinstance(Auto(SLOPE, ONE, 0, FIDELITY, bounded, n_trials=10)._current, Asha)


def test_one_that_chooses_no_fidelities_trains_fully_and_leaves_out_results_of_less() -> None:
    class Kept(Auto):
        def _chosen(self) -> Choice:
            return Choice(RULES[-1], (Phase("listening"),))

        def _made(self) -> Optimizer:
            return Listening(self.space, self.objectives, self.seed)

    optimizer = Kept(SLOPE, ONE, 0, FIDELITY)
    assert optimizer.ask()[0].fidelity == FIDELITY.largest
    less, full, broken = SobolSearch(SLOPE, ONE, 0).ask(3)
    optimizer.observe(
        [
            trial_of(Suggestion(less.config, FIDELITY.smallest)),
            trial_of(Suggestion(full.config, FIDELITY.largest)),
            failed(Suggestion(broken.config, FIDELITY.smallest), "boom", ONE),
        ]
    )
    listening: Any = optimizer._current
    assert listening.observed == [full.config, broken.config]
