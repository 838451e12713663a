from functools import partial

import pytest

from orchestrator.search.optimizers.asha import Asha
from orchestrator.search.optimizers.botorch import BotorchNehvi, BotorchParego
from orchestrator.search.optimizers.hyperband import Hyperband
from orchestrator.search.optimizers.nevergrad import Nevergrad
from orchestrator.search.optimizers.optuna import OptunaCmaEs, OptunaGp, OptunaNsga2, OptunaNsga3, OptunaTpe
from orchestrator.search.optimizers.random import RandomSearch
from orchestrator.search.optimizers.smac import (
    SmacBlackBox,
    SmacHpo,
    SmacHyperband,
    SmacMultiFidelity,
    SmacParego,
)
from orchestrator.search.optimizers.sobol import SobolSearch
from tests.orchestrator.search.contract import Make, OptimizerContract

# As little effort per suggestion as the library allows, and a short initial design, so that models are
# fitted.
BOTORCH = {"initial": 4, "restarts": 1, "raw_samples": 16, "mc_samples": 16, "fit_steps": 10}
OPTIMIZERS: dict[str, Make] = {
    "random": RandomSearch,
    "sobol": SobolSearch,
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
    "botorch_nehvi": partial(BotorchNehvi, **BOTORCH),
    "botorch_parego": partial(BotorchParego, **BOTORCH),
}


SLOW = ("gp", "parego", "botorch", "blackbox")
"""Parts of the names of those that need a second or so per suggestion."""


class TestContract(OptimizerContract):
    @pytest.fixture(
        params=[
            pytest.param(name, marks=[pytest.mark.slow] if any(part in name for part in SLOW) else [])
            for name in OPTIMIZERS
        ]
    )
    def make(self, request: pytest.FixtureRequest) -> Make:
        return OPTIMIZERS[request.param]
