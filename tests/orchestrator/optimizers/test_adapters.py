"""An adapter alone gives exactly what its library gives when it is called directly with the same seed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from scipy.stats import qmc
from smac import (
    BlackBoxFacade,
    HyperbandFacade,
    HyperparameterOptimizationFacade,
    MultiFidelityFacade,
    Scenario,
)
from smac.acquisition.maximizer import LocalSearch
from smac.facade.abstract_facade import AbstractFacade
from smac.multi_objective.parego import ParEGO
from smac.runhistory import TrialValue

from orchestrator.optimizers.botorch import BotorchNehvi
from orchestrator.optimizers.botorch_acquisition import candidate
from orchestrator.optimizers.botorch_model import Observations, surrogate
from orchestrator.optimizers.optuna import OptunaCmaEs, OptunaGp, OptunaNsga2, OptunaNsga3, OptunaTpe
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.smac import (
    SmacBlackBox,
    SmacHpo,
    SmacHyperband,
    SmacMultiFidelity,
    SmacParego,
)
from orchestrator.optimizers.sobol import SobolSearch
from orchestrator.search import Optimizer
from orchestrator.trial import Status, Trial
from search_spaces import Config, build_space
from workloads import Fidelity, Objective

SEED = 11
SPACE = build_space(
    {
        "parameters": {
            "a": {"type": "float", "low": 0.0, "high": 1.0},
            "b": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
            "n": {"type": "int", "low": 1, "high": 9},
        }
    }
)
ONE = (Objective("f0"),)
TWO = (Objective("f0"), Objective("f1"))
FIDELITY = Fidelity("epoch", 1, 9)
Tried = list[tuple[Config, float | None]]


def losses(config: Config, m: int) -> list[float]:
    a, b, n = float(config["a"]), float(config["b"]), float(config["n"])
    return [(a - 0.3 * i) ** 2 + (np.log10(b) + i) ** 2 + 0.1 * n for i in range(m)]


def through_the_adapter(optimizer: Optimizer, trials: int) -> Tried:
    tried = []
    for _ in range(trials):
        (suggestion,) = optimizer.ask()
        tried.append((dict(suggestion.config), suggestion.fidelity))
        values = losses(suggestion.config, len(optimizer.objectives))
        optimizer.tell([Trial(suggestion, tuple(values))])
    return tried


def through_optuna(sampler: optuna.samplers.BaseSampler, m: int, trials: int) -> Tried:
    study = optuna.create_study(directions=["minimize"] * m, sampler=sampler)
    tried: Tried = []

    def objective(trial: optuna.Trial) -> list[float]:
        config = {
            "a": trial.suggest_float("a", 0.0, 1.0),
            "b": trial.suggest_float("b", 1e-3, 1.0, log=True),
            "n": trial.suggest_int("n", 1, 9),
        }
        tried.append((config, None))
        return losses(config, m)

    study.optimize(objective, trials)
    return tried


OPTUNA: list[tuple[type[Optimizer], type[Any], int, int, dict[str, Any]]] = [
    (OptunaTpe, optuna.samplers.TPESampler, 1, 20, {}),
    (OptunaTpe, optuna.samplers.TPESampler, 2, 20, {"multivariate": True, "n_startup_trials": 5}),
    (OptunaGp, optuna.samplers.GPSampler, 2, 8, {"n_startup_trials": 6}),
    (OptunaNsga2, optuna.samplers.NSGAIISampler, 2, 20, {"population_size": 6}),
    (OptunaNsga3, optuna.samplers.NSGAIIISampler, 2, 20, {"population_size": 6}),
    (OptunaCmaEs, optuna.samplers.CmaEsSampler, 1, 30, {}),
]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("adapter", "sampler", "m", "trials", "options"), OPTUNA)
def test_optuna(
    adapter: type[Optimizer], sampler: type[Any], m: int, trials: int, options: dict[str, Any]
) -> None:
    optimizer = adapter(SPACE, TWO[:m], SEED, **options)
    assert through_the_adapter(optimizer, trials) == through_optuna(sampler(seed=SEED, **options), m, trials)


def test_cmaes_learns_from_trials_that_were_stopped_early() -> None:
    first, second = OptunaCmaEs(SPACE, ONE, SEED), OptunaCmaEs(SPACE, ONE, SEED)
    for number in range(16):
        status: Status = "stopped" if number else "finished"
        for optimizer, sign in ((first, 1.0), (second, -1.0)):
            (suggestion,) = optimizer.ask()
            loss = sign * losses(suggestion.config, 1)[0]
            optimizer.tell([Trial(suggestion, (loss,), status=status, fidelity=1)])
    assert first.ask()[0].config != second.ask()[0].config


def through_smac(facade: type[AbstractFacade], m: int, trials: int) -> Tried:
    """SMAC as its documentation calls it."""
    with tempfile.TemporaryDirectory() as folder:
        several_fidelities = issubclass(facade, HyperbandFacade | MultiFidelityFacade)
        scenario = Scenario(
            deepcopy(SPACE.configuration_space),
            objectives=["f0", "f1"] if m == 2 else "f0",
            deterministic=True,
            n_trials=24,
            seed=SEED,
            output_directory=Path(folder),
            min_budget=1 if several_fidelities else None,
            max_budget=9 if several_fidelities else None,
        )
        parts = {"multi_objective_algorithm": ParEGO(scenario)} if m == 2 else {}
        smac = facade(scenario, logging_level=False, **parts)
        tried: Tried = []
        for _ in range(trials):
            info = smac.ask()
            config = dict(info.config)
            tried.append((config, info.budget))
            values = losses(config, m)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                smac.tell(info, TrialValue(values if m == 2 else values[0]))
        return tried


def in_a_fixed_order(search: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return lambda *given, **named: sorted(search(*given, **named), key=lambda one: one.get_array().tobytes())


SMAC = [
    pytest.param(SmacBlackBox, BlackBoxFacade, 1, {"until": 8}, marks=pytest.mark.slow),
    (SmacHpo, HyperparameterOptimizationFacade, 1, {}),
    pytest.param(SmacParego, BlackBoxFacade, 2, {}, marks=pytest.mark.long),
    (SmacParego, HyperparameterOptimizationFacade, 2, {"model": "forest"}),
    (SmacHyperband, HyperbandFacade, 1, {}),
    # Then SMAC has found no new configuration in 16 tries, and begins its first bracket with those.
    pytest.param(SmacMultiFidelity, MultiFidelityFacade, 1, {"until": 7}),
]


@pytest.mark.parametrize(("adapter", "facade", "m", "options"), SMAC)
def test_smac_but_for_the_order_that_it_leaves_to_the_hash_seed(
    adapter: type[Optimizer],
    facade: type[AbstractFacade],
    m: int,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fidelity = FIDELITY if adapter.capabilities.fidelity else None
    until = options.get("until", 9)
    options = {name: value for name, value in options.items() if name != "until"}
    ours = through_the_adapter(adapter(SPACE, TWO[:m], SEED, fidelity, n_trials=24, **options), until)
    name = "_get_init_points_from_previous_configs"
    monkeypatch.setattr(LocalSearch, name, in_a_fixed_order(getattr(LocalSearch, name)))
    assert ours == through_smac(facade, m, until)


def test_smac_begins_a_bracket_with_as_many_configurations_as_hyperband_has() -> None:
    """Where SMAC by itself begins it with seven."""
    tried = through_the_adapter(SmacMultiFidelity(SPACE, ONE, SEED, FIDELITY, n_trials=24), 12)
    assert [fidelity for _, fidelity in tried] == [1] * 9 + [3] * 3


SCRIPT = """
from orchestrator.optimizers.smac import SmacHpo
from orchestrator.trial import Trial
from search_spaces import build_space
from workloads import Objective

names = {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "ab"}
optimizer = SmacHpo(build_space({"parameters": names}), (Objective("f0"),), 11, n_trials=12)
for _ in range(6):
    (suggestion,) = optimizer.ask()
    print(dict(suggestion.config))
    optimizer.tell([Trial(suggestion, (suggestion.config["a"] + suggestion.config["b"],))])
"""


def test_smac_gives_the_same_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_smac_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    through_the_adapter(SmacHpo(SPACE, ONE, SEED, n_trials=8), 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_smac_takes_pending_trials_into_account() -> None:
    def next_one(wait: bool) -> Config:
        optimizer = SmacBlackBox(SPACE, ONE, SEED, n_trials=24)
        through_the_adapter(optimizer, 7)
        first, *_ = optimizer.ask()
        if not wait:
            return optimizer.ask()[0].config
        worst = Trial(first, (max(losses({"a": 1.0, "b": 1e-3, "n": 9}, 1)),))
        optimizer.tell([worst])
        return optimizer.ask()[0].config

    model_without = SmacBlackBox(SPACE, ONE, SEED, n_trials=24)
    through_the_adapter(model_without, 7)
    encoder = model_without._running()._facade._runhistory_encoder
    rows = len(encoder.transform([None])[0])
    model_without.ask(2)
    assert len(encoder.transform([None])[0]) == rows + 2
    assert next_one(wait=False) != next_one(wait=True)


def test_sobol_is_scipys_sequence() -> None:
    points = qmc.Sobol(3, scramble=True, rng=np.random.default_rng(SEED)).random(8)
    expected = [(config, None) for config in SPACE.codec.decode(points)]
    assert through_the_adapter(SobolSearch(SPACE, TWO, SEED), 8) == expected


def test_random_draws_follow_the_priors() -> None:
    configs = [config for config, _ in through_the_adapter(RandomSearch(SPACE, ONE, SEED), 400)]
    units = SPACE.codec.encode(configs)
    np.testing.assert_allclose(units.mean(axis=0), 0.5, atol=0.06)
    np.testing.assert_allclose(units.std(axis=0), 12**-0.5, atol=0.04)


def test_botorch_maximises_the_acquisition_function_that_the_library_makes() -> None:
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from botorch.sampling import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    space = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "ab"}})
    units = np.random.default_rng(0).random((8, 2))
    values = np.column_stack([units[:, 0], 1 - units[:, 0] + (units[:, 1] - 0.4) ** 2])
    effort = {"restarts": 2, "raw_samples": 32, "mc_samples": 32, "fit_steps": 50}
    known = Observations(space, units, values, np.empty((8, 0)), np.full(8, np.nan))
    state = torch.random.get_rng_state()
    learnt = surrogate(known, SEED, effort["fit_steps"])
    ours = candidate(learnt, units[:0], "nehvi", SEED, effort, reference=np.array([1.1, 1.5]))
    assert torch.equal(torch.random.get_rng_state(), state)

    torch.manual_seed(SEED)
    model = SingleTaskGP(torch.from_numpy(units), torch.from_numpy(-values))
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": 50}})
    function = qLogNoisyExpectedHypervolumeImprovement(
        model,
        [-1.1, -1.5],
        torch.from_numpy(units),
        sampler=SobolQMCNormalSampler(torch.Size([32])),
        prune_baseline=True,
    )
    bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    options = {"batch_limit": 2, "maxiter": 200}
    theirs, _ = optimize_acqf(function, bounds, 1, num_restarts=2, raw_samples=32, options=options)
    torch.random.set_rng_state(state)
    np.testing.assert_array_equal(ours, theirs.numpy())


def test_botorch_begins_with_the_sobol_design() -> None:
    assert through_the_adapter(BotorchNehvi(SPACE, TWO, SEED), 8) == through_the_adapter(
        SobolSearch(SPACE, TWO, SEED), 8
    )


@pytest.mark.parametrize("adapter", [OptunaTpe, OptunaNsga2, BotorchNehvi])
def test_what_maximises_is_told_what_minimises(adapter: type[Optimizer]) -> None:
    """Directions do not reach the optimizer: it is told losses."""
    maximise = tuple(Objective(one.name, "max") for one in TWO)
    first, second = (adapter(SPACE, objectives, SEED) for objectives in (maximise, TWO))
    assert through_the_adapter(first, 9) == through_the_adapter(second, 9)
