"""What answers tell of the utilities of options: BoTorch's Gaussian process over comparisons."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from botorch import fit_gpytorch_mll
from botorch.models.pairwise_gp import PairwiseGP, PairwiseLaplaceMarginalLogLikelihood
from botorch.posteriors.gpytorch import GPyTorchPosterior

from orchestrator.optimizers.botorch_model import own_randomness
from orchestrator.preference.questions import Comparison
from search_spaces.columns import Floats

FIT_STEPS = 100
"""The most steps of L-BFGS-B that the hyperparameters are fitted with."""


@dataclass(frozen=True)
class Belief:
    """A normal belief in utilities, of which only differences mean anything.

    Args:
        mean: ``(n,)``.
        covariance: ``(n, n)``.
    """

    mean: Floats
    covariance: Floats


class Utilities:
    """A Gaussian process over the utilities of options, of which comparisons are all that is known.

    With a probit likelihood and Laplace's approximation (Chu and Ghahramani 2005), as BoTorch has it and with
    its priors. Two options that were called equal count as one answer in each order.

    Args:
        features: ``(n, d)`` of the options that comparisons number, about 0 to 1.
        comparisons: at least one.
        seed: of the fit, which is a function of these arguments.
    """

    def __init__(self, features: Floats, comparisons: Sequence[Comparison], seed: int) -> None:
        orders = [order for one in comparisons for order in one.orders]
        used = sorted({option for order in orders for option in order})
        place = {option: row for row, option in enumerate(used)}
        pairs = torch.tensor([[place[better], place[worse]] for better, worse in orders])
        with own_randomness(seed):
            self._model = PairwiseGP(torch.from_numpy(features[used]), pairs)
            fit_gpytorch_mll(
                PairwiseLaplaceMarginalLogLikelihood(self._model.likelihood, self._model),
                optimizer_kwargs={"options": {"maxiter": FIT_STEPS}},
            )

    def at(self, features: Floats) -> Belief:
        """What is believed of the utilities of options with these features, ``(m, d)``."""
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # features somewhat outside of the cube
            posterior = self._model.posterior(torch.from_numpy(features))
        assert isinstance(posterior, GPyTorchPosterior)
        found = posterior.distribution
        return Belief(found.mean.reshape(-1).numpy(), found.covariance_matrix.numpy())
