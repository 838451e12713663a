"""What is special about one optimizer or another."""

from __future__ import annotations

import builtins
import sys
from collections import Counter
from fnmatch import fnmatch
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from orchestrator.config.targets import instantiate
from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.base import CONSTRAINED
from orchestrator.optimizers.botorch import BotorchNehvi, BotorchParego
from orchestrator.optimizers.grid import GridSearch
from orchestrator.optimizers.hyperband import Hyperband
from orchestrator.optimizers.nevergrad import Nevergrad
from orchestrator.optimizers.optuna import OptunaCmaEs, OptunaTpe
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.smac import SmacHpo, SmacHyperband, SmacMultiFidelity, SmacParego
from orchestrator.optimizers.sobol import SobolSearch
from orchestrator.optimizers.untried import nothing_left, untried
from orchestrator.search import Optimizer
from orchestrator.trial import Suggestion, Trial, evaluated
from search_spaces import Config, ConfigurationError, build_space
from tests.conftest import shipped
from workloads import Fidelity, Objective

CONF = Path(__file__).parents[3] / "conf" / "optimizer"
NAMES = shipped("optimizer")
SPACE = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "ab"}})
TWO = (Objective("f0"), Objective("f1"))
EPOCHS = Fidelity("epoch", 1, 9)


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_that_ships_is_made_from_its_configuration(name: str) -> None:
    text = (CONF / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    planned = {"search": {"trials": 50, "eta": 3, "fidelity_units": None}}
    definition = OmegaConf.to_container(
        OmegaConf.create({"optimizer": OmegaConf.create(text), **planned}), resolve=True
    )
    can = None
    for objectives in (TWO, TWO[:1]):
        for fidelity in (None, Fidelity("epoch", 1, 9)):
            try:
                made = instantiate(
                    definition["optimizer"],
                    "optimizer",
                    space=SPACE,
                    objectives=objectives,
                    seed=0,
                    fidelity=fidelity,
                )
            except ConfigurationError as error:
                assert error.key == "optimizer"
                continue
            can = made.capabilities
            assert len(made.ask()) == 1
    assert can is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_message_names_those_that_can_handle_constraints(name: str) -> None:
    target = OmegaConf.load(CONF / f"{name}.yaml")["_target_"]
    module, _, kind = target.rpartition(".")
    can = getattr(import_module(module), kind).capabilities.constraints
    assert any(fnmatch(name, pattern) for pattern in CONSTRAINED) == can


@pytest.mark.parametrize(
    ("adapter", "package", "extra"),
    [
        (BotorchNehvi, "botorch", "botorch"),
        (BotorchParego, "gpytorch", "botorch"),
        (OptunaCmaEs, "cmaes", "cmaes"),
        (Nevergrad, "nevergrad", "benchmark"),
    ],
)
def test_a_missing_extra_is_named(
    adapter: type[Optimizer], package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *arguments)

    for module in ("botorch_model", "botorch_acquisition"):
        monkeypatch.delitem(sys.modules, f"orchestrator.optimizers.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    objectives = TWO if adapter is not OptunaCmaEs else TWO[:1]
    with pytest.raises(ConfigurationError, match=rf"extra '{extra}'.*'{package}'.*orchestrator\[{extra}\]"):
        adapter(SPACE, objectives, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OptunaTpe(SPACE, TWO, 0, gama=1), "optimizer: expected options of Optuna's sampler.*gama"),
        (
            lambda: SmacParego(SPACE, TWO, 0, model="tree"),
            "optimizer.model: expected 'gp' or 'forest', got 'tree'",
        ),
        (lambda: SmacParego(SPACE, TWO, 0, n_trials=0), "optimizer.n_trials: expected at least 1, got 0"),
        (lambda: BotorchNehvi(SPACE, TWO, 0, restarts=0), "optimizer.restarts: expected at least 1, got 0"),
        (
            lambda: Nevergrad(SPACE, TWO, 0, algorithm="NGOp"),
            "optimizer.algorithm: expected a name in nevergrad.optimizers.registry, got 'NGOp'.*NGOpt",
        ),
        (lambda: Nevergrad(SPACE, TWO, 0, n_trials=0), "optimizer.n_trials: expected at least 1, got 0"),
        (
            lambda: Nevergrad(SPACE, TWO[:1], 0, algorithm="Cobyla", num_workers=2),
            "optimizer.num_workers: expected 1 for Cobyla, got 2",
        ),
        (
            lambda: Nevergrad(SPACE, TWO, 0, algorithm="Cobyla"),
            r"^optimizer: expected 1 objective for Nevergrad's Cobyla, got \['f0', 'f1'\]",
        ),
        (lambda: Asha(SPACE, TWO[:1], 0, EPOCHS, eta=1), "optimizer.eta: expected at least 2, got 1"),
        (
            lambda: Asha(SPACE, TWO[:1], 0, EPOCHS, sampler=SmacHyperband),
            "optimizer.sampler: expected an optimizer's class that does not choose fid.*'SmacHyperband'",
        ),
        (
            lambda: Asha(SPACE, TWO[:1], 0, EPOCHS, sampler=partial(OptunaTpe, gama=1)),
            "optimizer.sampler: expected options of Optuna's sampler.*gama",
        ),
        (
            lambda: Asha(SPACE, TWO[:1], 0, EPOCHS, sampler=partial(Nevergrad, algorithm="NGOp")),
            "optimizer.sampler.algorithm: expected a name in nevergrad.optimizers.registry, got 'NGOp'",
        ),
        (
            lambda: Asha(SPACE, TWO[:1], 0, EPOCHS, sampler=partial(SmacHpo, n_trials=0)),
            "optimizer.sampler.n_trials: expected at least 1, got 0",
        ),
        (lambda: SobolSearch(SPACE, TWO, 0, constraints=TWO), "constraints: expected metrics with a bound"),
        (
            lambda: SobolSearch(build_space({"parameters": {"a": {"type": "constant", "value": 1}}}), TWO, 0),
            "search_space: expected at least one parameter that is not a constant",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_hyperband_promotes_the_best_third() -> None:
    optimizer = SmacHyperband(SPACE, TWO[:1], seed=0, fidelity=Fidelity("epoch", 1, 9))
    rungs: dict[int, list[float]] = {1: [], 3: [], 9: []}
    for _ in range(9 + 3 + 1):
        (suggestion,) = optimizer.ask()
        value = float(suggestion.config["a"])
        assert suggestion.fidelity is not None
        rungs[suggestion.fidelity].append(value)
        optimizer.tell([evaluated(suggestion, {"f0": value}, optimizer.objectives)])
    assert {fidelity: len(values) for fidelity, values in rungs.items()} == {1: 9, 3: 3, 9: 1}
    assert sorted(rungs[3]) == sorted(rungs[1])[:3]
    assert rungs[9] == [min(rungs[1])]


def test_hyperband_promotes_by_dominance_where_there_are_several_objectives() -> None:
    optimizer = SmacHyperband(SPACE, TWO, seed=0, fidelity=Fidelity("epoch", 1, 3))
    first, second = [], []
    for _ in range(4):
        (suggestion,) = optimizer.ask()
        values = (float(suggestion.config["a"]), float(suggestion.config["a"]) + 1)
        (first if suggestion.fidelity == 1 else second).append(values[0])
        optimizer.tell([Trial(suggestion, values)])
    assert second == [min(first)]


def test_a_model_keeps_away_from_what_is_infeasible() -> None:
    """A fifth of the unit square is feasible, and the objectives pull away from it."""
    bound = (Objective("g", bound=0.0),)
    optimizer = OptunaTpe(SPACE, TWO, seed=0, constraints=bound, n_startup_trials=10)
    feasible = []
    for _ in range(60):
        (suggestion,) = optimizer.ask()
        a, b = float(suggestion.config["a"]), float(suggestion.config["b"])
        trial = evaluated(suggestion, {"f0": a, "f1": b, "g": 1.4 - a - b}, TWO, bound)
        feasible.append(trial.feasible)
        optimizer.tell([trial])
    assert sum(feasible[-20:]) >= 10


GRID = build_space({"parameters": {name: {"type": "int", "low": 0, "high": 7} for name in "ab"}})


def fidelities(optimizer: Optimizer, trials: int) -> Counter[int | None]:
    counts: Counter[int | None] = Counter()
    for _ in range(trials):
        (suggestion,) = optimizer.ask()
        counts[suggestion.fidelity] += 1
        optimizer.tell([Trial(suggestion, (float(suggestion.config["a"]),))])
    return counts


def test_smac_uses_the_smallest_rung_where_logarithms_would_lose_it() -> None:
    optimizer = SmacHyperband(SPACE, TWO[:1], 0, Fidelity("epoch", 1, 243), n_trials=364)
    assert fidelities(optimizer, 364) == {1: 243, 3: 81, 9: 27, 27: 9, 81: 3, 243: 1}


def test_smac_obeys_eta() -> None:
    optimizer = SmacHyperband(SPACE, TWO[:1], 0, Fidelity("epoch", 1, 16), n_trials=40, eta=2)
    assert fidelities(optimizer, 31) == {1: 16, 2: 8, 4: 4, 8: 2, 16: 1}


@pytest.mark.parametrize("make", [Asha, Hyperband, SmacHyperband, SmacMultiFidelity])
def test_a_study_that_ends_before_anything_is_trained_fully_is_remarked_upon(make: Any) -> None:
    optimizer = make(SPACE, TWO[:1], 0, Fidelity("epoch", 1, 27))
    before = 27 + 9 + 3
    assert f"none of these {before} trials will be trained fully" in optimizer.remark(before)
    assert optimizer.remark(before + 1) == ""
    if make in (Hyperband, SmacHyperband):  # ASHA may be earlier, and a forest takes long
        assert 27 not in fidelities(make(SPACE, TWO[:1], 0, Fidelity("epoch", 1, 27)), before)


def test_a_span_below_one_step_of_eta_is_remarked_upon() -> None:
    remark = SmacHyperband(SPACE, TWO[:1], 0, Fidelity("epoch", 2, 5)).remark(50)
    assert remark.startswith("every trial will be trained fully: from 2 to 5 epochs is less than")


def test_a_grid_has_every_point_once_without_what_is_forbidden_inactive_or_known() -> None:
    space = build_space(
        {
            "parameters": {
                "rate": {"type": "float", "low": 0.01, "high": 1.0, "log": True},
                "width": {"type": "int", "low": 1, "high": 100},
                "kind": {"type": "categorical", "choices": ["sgd", "adam"]},
                "momentum": {"type": "float", "low": 0.0, "high": 0.9},
            },
            "conditions": [{"child": "momentum", "parent": "kind", "equals": "sgd"}],
            "forbidden": [{"kind": "adam", "width": 100}],
        }
    )
    optimizer = GridSearch(space, TWO, 0, points=3)
    (known,) = (one.config for one in GridSearch(space, TWO, 1, points=3).ask())
    optimizer.observe([Trial(Suggestion(known), (0.0, 0.0))])
    configs = [suggestion.config for suggestion in optimizer.ask(100)]
    assert optimizer.ask() == []
    assert sorted({config["rate"] for config in configs}) == pytest.approx([0.01, 0.1, 1.0])
    assert {config["width"] for config in configs} >= {1, 100} and known not in configs
    assert len(configs) == len({str(config) for config in configs}) == 3 * 3 * 3 + 3 * 2 - 1
    assert optimizer.remark(10) == "search.trials=10 are a part of the grid, which has up to 54 points"
    with pytest.raises(ConfigurationError, match=r"optimizer\.points: expected a grid of at most"):
        GridSearch(space, TWO, 0, points=1000)


@pytest.mark.parametrize("make", [Asha, Hyperband])
def test_rungs_that_spare_little_are_remarked_upon(make: Any) -> None:
    remark = make(SPACE, TWO[:1], 0, Fidelity("epoch", 2, 5)).remark(50)
    assert remark.startswith("from 2 to 5 epochs is less than one step of search.eta=3: one trial in 3")
    assert make(SPACE, TWO[:1], 0, Fidelity("epoch", 2, 6)).remark(50) == ""


def test_the_smallest_fidelity_is_used_or_said_not_to_be() -> None:
    assert SmacHyperband(SPACE, TWO[:1], 0, Fidelity("epoch", 25, 675)).remark(100) == ""
    remark = SmacHyperband(SPACE, TWO[:1], 0, Fidelity("epoch", 2, 100)).remark(100)
    assert remark == (
        "the smallest fidelity that is used is 4 epochs, not 2, "
        "since SMAC divides 100 by powers of search.eta=3"
    )
    rungs = Asha(SPACE, TWO[:1], 0, Fidelity("epoch", 2, 100)).rungs
    assert rungs == (2, 6, 18, 54, 100)


def test_an_optimizer_that_gives_up_says_so_and_not_that_the_space_is_exhausted() -> None:
    class GivesUp(RandomSearch):
        why_none = "SMAC found no new configuration in 16 tries"

    size = 3 * 4
    space = build_space(
        {
            "parameters": {
                "a": {"type": "int", "low": 1, "high": 5},
                "b": {"type": "ordinal", "values": [1, 2, 3, 4]},
            },
            "forbidden": [{"a": [4, 5]}],
        }
    )
    assert (
        nothing_left(GivesUp(space, TWO[:1], 0), 7) == f"{GivesUp.why_none} after 7 of {size} configurations"
    )
    whole = f"the optimizer has tried the whole search space, {size} configurations"
    assert nothing_left(GivesUp(space, TWO[:1], 0), size) == whole
    wide = f"{GivesUp.why_none} after 9 configurations"
    assert nothing_left(GivesUp(SPACE, TWO[:1], 0), 9) == wide


@pytest.mark.parametrize("workers", [1, 4])
def test_smac_is_done_with_a_space_only_when_it_has_tried_all_of_it(workers: int) -> None:
    optimizer = SmacHyperband(GRID, TWO[:1], 0, Fidelity("epoch", 1, 9), n_trials=300)
    tried = set()
    while suggestions := optimizer.ask(workers):
        tried |= {tuple(suggestion.config.values()) for suggestion in suggestions}
        optimizer.tell([Trial(one, (float(one.config["a"]),)) for one in suggestions])
    assert len(tried) == 8 * 8


def test_what_is_untried_is_found_and_nothing_where_all_is_tried() -> None:
    rng = np.random.default_rng(0)
    space = build_space(
        {
            "parameters": {
                "a": {"type": "categorical", "choices": [True, 2, "two"]},
                "b": {"type": "int", "low": 1, "high": 100, "log": True},
            },
            "conditions": [{"child": "b", "parent": "a", "equals": "two"}],
            "forbidden": [{"a": "two", "b": [7, 8]}],
        }
    )
    tried: list[Config] = []
    while (config := untried(space, tried, rng)) is not None:
        assert space.check(config) == config
        tried.append(config)
    assert len(tried) == 2 + 98
    assert untried(SPACE, [], rng) is not None
