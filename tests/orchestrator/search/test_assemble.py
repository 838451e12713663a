"""What makes no search study is refused before anything is trained, in one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.validate import check_values
from orchestrator.optimizers.auto import Auto
from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.random import RandomSearch
from orchestrator.search.assemble import SearchParts, assemble_search
from orchestrator.search.course import Assignment
from orchestrator.search.goals import goal_of
from orchestrator.search.history import frames
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.records import OWN_COLUMNS
from orchestrator.stopping.rules import Hyperband, MoAsha
from orchestrator.trial import Suggestion
from search_spaces import ConfigurationError
from tests.conftest import composed
from tests.orchestrator.search_journals import ERROR, SearchJournal
from workloads.contract import Objective

CONF = str(Path(__file__).parent / "conf")
TWO = "objectives=[{name: loss, reference: 3.0}, {name: cost}]"
ONE_STEP = "workload.steps=1"


def assembled(*overrides: str) -> SearchParts:
    config = composed("--config-dir", CONF, "+study=troubled", *overrides)
    check_values(config)
    return assemble_search(config)


def test_the_pieces_fit_together() -> None:
    parts = assembled("search/stopping=hyperband", "search.eta=2", "search.first_rung=2")
    assert parts.rungs.up_to() == (2, 4, 8, 9)
    assert isinstance(parts.stopping, Hyperband) and parts.stopping.brackets == 3
    assert parts.optimizer.seed == 0 and parts.optimizer.fidelity is None


@pytest.mark.parametrize("optimizer", ["asha_random", "hyperband_random", "smac_hyperband"])
@pytest.mark.parametrize(
    "overrides", [["search.eta=2"], ["optimizer.eta=2"], ["search.eta=2", "~optimizer.eta"]], ids=" ".join
)
def test_trials_report_at_the_rungs_to_which_the_optimizer_trains_them(
    optimizer: str, overrides: list[str]
) -> None:
    parts = assembled(f"optimizer={optimizer}", "workload.steps=16", *overrides)
    made: Any = parts.optimizer
    assert made.eta == 2
    assert parts.rungs.up_to() == (1, 2, 4, 8, 16)


def test_a_search_that_names_no_optimizer_has_auto() -> None:
    config = composed("+study=search", "workload=bnh", "search_space=bnh", "search.trials=7", "search.eta=2")
    planned = {"n_trials": 7, "fidelity_units": None, "eta": 2}
    assert config["optimizer"] == {"_target_": f"{Auto.__module__}.Auto", **planned}
    assert isinstance(assemble_search(config).optimizer, Auto)
    assert composed("+study=pbt_toy")["optimizer"] == {}


@pytest.mark.parametrize(
    ("overrides", "chooses"),
    [
        (["search.fidelity_units=100"], True),
        ([], False),
        (["search.fidelity_units=100", ONE_STEP], False),
        (["search.fidelity_units=100", "search/stopping=asha"], False),
    ],
    ids=str,
)
def test_auto_chooses_fidelities_where_the_study_may_spend_so_much_training(
    overrides: list[str], chooses: bool
) -> None:
    parts = assembled("optimizer=auto", "search.trials=50", "search.eta=2", *overrides)
    assert (parts.optimizer.fidelity is not None) == chooses
    assert ("asha_random" in parts.optimizer.remark(50)) == chooses


class WithoutEta(RandomSearch):
    """Chooses fidelities, at rungs of its own."""

    capabilities = Capabilities(fidelity=True)


def test_an_eta_that_would_reach_nobody_is_refused() -> None:
    own = ("optimizer._target_=tests.orchestrator.search.test_assemble.WithoutEta",)
    assert assembled(*own).rungs.eta == 3
    expected = r"^search\.eta: expected its default 3, since WithoutEta has no argument eta, got 2$"
    with pytest.raises(ConfigurationError, match=expected):
        assembled(*own, "search.eta=2")


def test_the_multi_objective_rule_heeds_constraints() -> None:
    constraint = "search.constraints=[{name: cost, bound: 1}]"
    parts = assembled("search/stopping=mo_asha", "optimizer=optuna_tpe", constraint)
    assert isinstance(parts.stopping, MoAsha) and len(parts.constraints) == 1


def test_a_study_may_choose_its_own_objectives() -> None:
    parts = assembled(TWO)
    assert parts.objectives == (Objective("loss", reference=3.0), Objective("cost"))


@pytest.mark.parametrize(
    ("reference", "values"),
    [("[1, 2.5]", (1.0, 2.5)), ("[null, 2]", (None, 2.0)), ("{cost: 2}", (3.0, 2.0)), ("null", (3.0, None))],
)
def test_the_reference_point_replaces_the_objectives_own(
    reference: str, values: tuple[float | None, ...]
) -> None:
    parts = assembled(TWO, f"search.reference={reference}")
    assert tuple(objective.reference for objective in parts.objectives) == values


def test_an_optimizer_that_chooses_fidelities_is_given_the_rungs_ends() -> None:
    fidelity = assembled("optimizer=smac_hyperband", "search.first_rung=3").optimizer.fidelity
    assert fidelity is not None
    assert (fidelity.smallest, fidelity.largest) == (3, 9)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [("[]", {"g1": 0.0, "g2": 0.0}), ("[{name: g1, bound: -0.5}]", {"g1": -0.5, "g2": 0.0})],
)
def test_the_workloads_own_constraints_hold_unless_the_study_sets_others(
    configured: str, expected: dict[str, float]
) -> None:
    overrides = ("workload=bnh", "search_space=bnh", "optimizer=random", f"search.constraints={configured}")
    config = composed("+study=mo_digits", "search/stopping=none", "search.first_rung=null", *overrides)
    parts = assemble_search(config)
    assert {one.name: one.bound for one in parts.constraints} == expected
    assert parts.optimizer.constraints == parts.constraints
    assert goal_of(config, parts.workload, Assignment(0, Suggestion({}))).constraints == parts.constraints


@pytest.mark.parametrize(("key", "value", "expected"), [("repeats", 2, 1), ("finalists", 3, 0)])
def test_a_workload_that_no_seed_changes_is_trained_with_one(key: str, value: int, expected: int) -> None:
    config = composed("+study=search", "workload=zdt", "search_space=zdt", f"search.{key}={value}")
    with pytest.raises(
        ConfigurationError, match=rf"^search\.{key}: expected {expected} for a workload whose results"
    ):
        assemble_search(config)


def test_tables_have_no_columns_that_an_objective_could_be_called_by() -> None:
    history = SearchHistory.from_events(SearchJournal(objectives=(ERROR,)).events())
    for table in (frames.trials(history), frames.pareto(history)):
        assert {name for name in table if "." not in name} <= {*OWN_COLUMNS, ERROR.name}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        # the optimizer
        (["optimizer={}"], "optimizer: expected "),
        (["optimizer._target_=builtins.dict"], "optimizer._target_: expected a class of optimizers"),
        (["optimizer._target_=no.such"], "optimizer._target_: expected "),
        (["+optimizer.temperature=3"], "optimizer.temperature: expected "),
        (["optimizer=optuna_cmaes", TWO], "optimizer: expected 1 objective for OptunaCmaEs"),
        (["optimizer=smac_parego"], "optimizer: expected at least 2 objectives for SmacParego"),
        (["optimizer=smac_hyperband", ONE_STEP], "optimizer: expected a workload with several fidelities"),
        (
            ["optimizer=smac_hpo", "search.constraints=[{name: cost, bound: 1}]"],
            "optimizer: expected one that can handle constraints (on cost)",
        ),
        # objectives, constraints, reference
        (["objectives=[{name: loss, direction: up}]"], "objectives[0].direction: expected 'min' or 'max'"),
        (["objectives=[{name: loss}, {name: loss}]"], "objectives[1].name: expected a metric that is not"),
        (["objectives=[{name: seconds}]"], "objectives: expected names other than 'trial', 'suggested', "),
        (["objectives=[{name: knee}]"], "objectives: expected names other than "),
        (["search.reference=[1, 2]"], "search.reference: expected 1 values, one for each of 'loss'"),
        (
            [TWO, "search.reference=[1]"],
            "search.reference: expected 2 values, one for each of 'loss', 'cost'",
        ),
        (
            ["search.reference={cost: 1}"],
            "search.reference: expected one of the objectives 'loss', got 'cost'",
        ),
        (["search.reference=[x]"], "search.reference: expected numbers, got 'x'"),
        (["search.reference=1"], "search.reference: expected a list of numbers or a mapping by objective"),
        (
            ["search.constraints=[{name: cost}]"],
            "search.constraints[0].bound: expected a number, got nothing",
        ),
        (
            ["search.constraints=[{name: loss, bound: 1}]"],
            "search.constraints[0].name: expected a metric that is not optimised",
        ),
        # early stopping
        (["search/stopping=median", TWO], "search.stopping: expected a rule for 2 objectives (loss, cost)"),
        (
            ["search/stopping=median", "search.constraints=[{name: cost, bound: 1}]"],
            "search.stopping: expected a rule that heeds constraints (on cost), got 'median' (asha is one)",
        ),
        (
            ["search/stopping=median", "objectives=[{name: loss, bound: 1}]"],
            "search.stopping: expected a rule that heeds constraints (on loss), got 'median'",
        ),
        (
            ["search/stopping=asha", ONE_STEP],
            "search.stopping: expected none, since the workload reports only",
        ),
        (
            ["search/stopping=asha", "optimizer=smac_hyperband"],
            "search.stopping: expected none, since SmacHyperband decides itself",
        ),
        (
            ["search/stopping=hyperband", "search.stopping.brackets=9"],
            "search.stopping.brackets: expected at",
        ),
        (
            ["search/stopping=median", "search.stopping.trials=0"],
            "search.stopping.trials: expected at least 1",
        ),
        (["search.first_rung=10"], "search.first_rung: expected 1 to 9 steps"),
        # numbers
        (["search.trials=0"], "search.trials: expected an integer of at least 1, got 0"),
        (["search.eta=1"], "search.eta: expected an integer of at least 2"),
        (["search.time_limit=0"], "search.time_limit: expected a number above 0, or null"),
        (["search.concurrency=0"], "search.concurrency: expected an integer of at least 1, or null"),
        (["cluster.cpus_per_trial=0"], "cluster.cpus_per_trial: expected a number above 0"),
        (["cluster.cpus=1", "cluster.cpus_per_trial=2"], "cluster.cpus_per_trial: expected at most 1"),
        (["search.workers=2"], "search.workers: expected 1, since Troubled cannot be trained by several"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        assembled(*overrides)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
