"""Bayesian optimisation over many parameters with BoTorch: SAASBO, for one objective and for several."""

from __future__ import annotations

from typing import ClassVar

from orchestrator.optimizers.botorch import BotorchNehvi
from orchestrator.optimizers.botorch_logei import BotorchLogEi

_EFFORTS = {"restarts": 10, "raw_samples": 512, "mc_samples": 128, "fit_steps": 15_000}
"""Those of BoTorch's tutorials and SciPy's own limit of steps: the fit takes most of the time in any case."""


class BotorchSaasbo(BotorchLogEi):
    """SAASBO (Eriksson and Jankowiak 2021), for many parameters, few of which matter, and some 100 trials.

    Its model's prior keeps the length scale of a parameter long unless the data demand otherwise. The paper
    samples the model's hyperparameters by NUTS, which takes minutes per suggestion. This is BoTorch's
    ``AdditiveMapSaasSingleTaskGP``: a sum of four kernels with sparsity levels drawn from the paper's prior,
    fitted to their most likely hyperparameters, in seconds. Each category of more than two is a coordinate
    of its own. The acquisition function is that of :class:`BotorchLogEi`, with 10 ``restarts`` from 512
    ``raw_samples``; a fit ends where it converges.
    """

    kind = "sparse"
    efforts: ClassVar[dict[str, int]] = _EFFORTS


class BotorchSaasNehvi(BotorchNehvi):
    """qLogNEHVI over the models of :class:`BotorchSaasbo`, one for each objective and bound.

    AutoPEFT (Zhou et al. 2024, arXiv 2301.12132) searches so, with models that are sampled by NUTS.
    """

    kind = "sparse"
    efforts: ClassVar[dict[str, int]] = _EFFORTS
