"""Bayesian optimisation of one objective with BoTorch's log expected improvement."""

from __future__ import annotations

from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.botorch import BotorchOptimizer


class BotorchLogEi(BotorchOptimizer):
    """qLogEI: log expected improvement (Ament et al. 2023), over numbers and categories.

    It is BoTorch's noisy form, qLogNEI, which improves on what the model thinks of the best trials rather
    than on a best loss that may be luck; for exact losses the two agree. With constraints, an improvement
    counts as far as it is likely to be feasible.
    """

    capabilities = Capabilities(constraints=True, conditions=False)
    acquisition = "logei"
