from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import GPSampler
from smac import BlackBoxFacade, HyperparameterOptimizationFacade

from orchestrator.optimizers import botorch_acquisition
from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.auto import Auto
from orchestrator.optimizers.auto_rules import RULES, Choice, Phase
from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.botorch import BotorchNehvi, BotorchParego
from orchestrator.optimizers.botorch_logei import BotorchLogEi
from orchestrator.optimizers.botorch_saasbo import BotorchSaasbo, BotorchSaasNehvi
from orchestrator.optimizers.botorch_turbo import BotorchTurbo
from orchestrator.optimizers.dehb import Dehb
from orchestrator.optimizers.freeze_thaw import FreezeThaw
from orchestrator.optimizers.grid import GridSearch
from orchestrator.optimizers.hyperband import Hyperband
from orchestrator.optimizers.meta.optimizer import MetaLearned
from orchestrator.optimizers.nevergrad import Nevergrad
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
from orchestrator.optimizers.tree_search import TreeSearch
from tests.orchestrator.optimizers.contract import Make, OptimizerContract

CONF = Path(__file__).parents[3] / "conf" / "optimizer"

# As little effort per suggestion as the library allows, and a short initial design, so that models are
# fitted.
BOTORCH = {"initial": 5, "restarts": 1, "raw_samples": 8, "mc_samples": 4, "fit_steps": 3}


class InTurns(Auto):
    """Changes its optimizer in the middle of every test."""

    def _chosen(self) -> Choice:
        return Choice(RULES[-1], (Phase("optuna_tpe", until=6), Phase("optuna_tpe")))


class OverFidelities(Auto):
    """Chooses fidelities, as it may."""

    capabilities = Capabilities(fidelity=True, may_choose_fidelity=True)


OPTIMIZERS: dict[str, Make] = {
    "auto": Auto,
    "auto_in_turns": InTurns,
    "auto_over_fidelities": partial(OverFidelities, n_trials=12),
    "random": RandomSearch,
    "sobol": SobolSearch,
    "grid": GridSearch,
    "optuna_tpe": partial(OptunaTpe, n_startup_trials=4),
    "optuna_gp": partial(OptunaGp, n_startup_trials=6),
    "optuna_nsga2": partial(OptunaNsga2, population_size=4),
    "optuna_nsga3": partial(OptunaNsga3, population_size=4),
    "optuna_cmaes": OptunaCmaEs,
    "smac_blackbox": partial(SmacBlackBox, n_trials=24),
    "smac_hpo": partial(SmacHpo, n_trials=24),
    "smac_parego_gp": partial(SmacParego, n_trials=24),
    "smac_parego_forest": partial(SmacParego, n_trials=24, model="forest"),
    "smac_hyperband": SmacHyperband,
    "smac_multifidelity": partial(SmacMultiFidelity, n_trials=12),
    "nevergrad_ngopt": partial(Nevergrad, n_trials=24, num_workers=5),
    "nevergrad_cma": partial(Nevergrad, algorithm="CMA", n_trials=24),
    "nevergrad_de": partial(Nevergrad, algorithm="DE", n_trials=24),
    "asha_random": Asha,
    "asha_tpe": partial(Asha, sampler=partial(OptunaTpe, n_startup_trials=4)),
    "hyperband_random": Hyperband,
    "hyperband_tpe": partial(Hyperband, sampler=partial(OptunaTpe, n_startup_trials=4)),
    "dehb": Dehb,
    "freeze_thaw": partial(FreezeThaw, candidates=32, fit_steps=4),
    "mcts": TreeSearch,
    "meta": partial(MetaLearned, candidates=64),
    "botorch_logei": partial(BotorchLogEi, **BOTORCH),
    "botorch_saasbo": partial(BotorchSaasbo, **BOTORCH),
    "botorch_saas_nehvi": partial(BotorchSaasNehvi, **BOTORCH),
    "botorch_turbo": partial(BotorchTurbo, initial=5, candidates=64, fit_steps=4),
    "botorch_nehvi": partial(BotorchNehvi, **BOTORCH),
    "botorch_parego": partial(BotorchParego, **BOTORCH),
}


LEARNS = {
    "auto": 10,
    "auto_in_turns": 20,
    "optuna_tpe": 20,
    "optuna_gp": 10,
    "optuna_nsga2": 30,
    "optuna_nsga3": 30,
    "optuna_cmaes": 40,
    "smac_blackbox": 10,
    "smac_hpo": 12,
    "smac_parego_gp": 10,
    "smac_parego_forest": 12,
    "nevergrad_ngopt": 40,
    "nevergrad_cma": 60,
    "nevergrad_de": 60,
    "asha_tpe": 30,
    "hyperband_tpe": 30,
    "dehb": 60,
    "freeze_thaw": 20,
    "mcts": 60,
    "meta": 10,
    "botorch_logei": 7,
    "botorch_saasbo": 7,
    "botorch_saas_nehvi": 7,
    "botorch_turbo": 7,
    "botorch_nehvi": 7,
    "botorch_parego": 7,
}
"""After how many trials those that learn suggest clearly better ones, in two dimensions."""

DRAWS = (
    "auto_over_fidelities",
    "random",
    "sobol",
    "grid",
    "asha_random",
    "hyperband_random",
    "smac_hyperband",
    "smac_multifidelity",
)
"""Those whose suggestions are not tested for what was learnt: they draw, or model whole brackets only."""

MIXED = {"init": 2, "alternating": 1, "discrete": 1, "continuous": 2}
"""Rounds of BoTorch's search over discrete and continuous parameters."""

SLOW = ("gp", "parego", "botorch", "blackbox")
"""Parts of the names of those that need a second or so per suggestion."""

LONG = ("botorch_saasbo", "botorch_saas_nehvi", "botorch_parego", "smac_parego_gp")
"""Those that run by hand: each differs from another one here by its model, or by the acquisition function."""


def little_gp(make: Callable[..., None]) -> Callable[..., None]:
    def made(sampler: Any, **options: Any) -> None:
        make(sampler, **options)
        sampler._n_preliminary_samples, sampler._n_local_search = 128, 2

    return made


def in_few_steps(search: Callable[..., Any]) -> Callable[..., Any]:
    def searched(*given: Any, options: dict[str, Any], **named: Any) -> Any:
        return search(*given, options={**options, "maxiter": 4}, **named)

    return searched


def marks(name: str) -> list[pytest.MarkDecorator]:
    if name in LONG:
        return [pytest.mark.long]
    return [pytest.mark.slow] if any(part in name for part in SLOW) else []


class TestContract(OptimizerContract):
    # Nevergrad's algorithms of these families take no results that they did not ask for, or hardly heed them.
    observes_in_vain = ("nevergrad_ngopt", "nevergrad_cma")

    @pytest.fixture(autouse=True)
    def little_effort(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the libraries have no options for: SMAC fits its model once and searches from one point,
        BoTorch takes one round over discrete and continuous parameters, Optuna's Gaussian process looks at
        128 points and improves two."""
        rounds = {f"maxiter_{step}": count for step, count in MIXED.items()}
        options = {"initialization_strategy": "random", **rounds}
        mixed = partial(botorch_acquisition.optimize_acqf_mixed_alternating, options=options)
        monkeypatch.setattr(botorch_acquisition, "optimize_acqf_mixed_alternating", mixed)
        monkeypatch.setattr(
            botorch_acquisition, "optimize_acqf", in_few_steps(botorch_acquisition.optimize_acqf)
        )
        monkeypatch.setattr(GPSampler, "__init__", little_gp(GPSampler.__init__))
        model = BlackBoxFacade.get_model

        def fitted_once(*arguments: Any, **options: Any) -> Any:
            made = model(*arguments, **options)
            made._n_restarts = 0
            return made

        monkeypatch.setattr(BlackBoxFacade, "get_model", staticmethod(fitted_once))
        for facade in (BlackBoxFacade, HyperparameterOptimizationFacade):
            thorough = facade.get_acquisition_maximizer
            quick = partial(thorough, challengers=100, local_search_iterations=1)
            monkeypatch.setattr(facade, "get_acquisition_maximizer", staticmethod(quick))

    @pytest.fixture(params=[pytest.param(name, marks=marks(name)) for name in OPTIMIZERS])
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def make(self, name: str) -> Make:
        return OPTIMIZERS[name]

    @pytest.fixture
    def learns(self, name: str) -> int:
        return LEARNS.get(name, 0)


def test_whether_an_optimizer_learns_is_said() -> None:
    assert sorted((*LEARNS, *DRAWS)) == sorted(OPTIMIZERS)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_optimizer_is_forgotten(path: Path) -> None:
    lines = [name for name in OPTIMIZERS if f"{name}_".startswith(f"{path.stem}_")]
    assert lines, f"{path.stem} of conf/optimizer has no line in {__file__}"
    assert path.read_text().startswith("# "), "the first line says in a comment what it is"
