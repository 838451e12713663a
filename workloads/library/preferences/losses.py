"""Losses that learn from preferences, as functions of likelihoods; a new one is a function and a line below.

Each is the paper's formula for one prompt; the caller takes the mean over a batch. ``r(y)`` is the log-ratio
``log policy(y) - log reference(y)`` of a whole response, ``w`` the chosen response, ``l`` the rejected one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


class Characters(NamedTuple):
    """What losses know of each character of responses, ``(n, k, response)``.

    Args:
        ratios: log-ratios, nats.
        divergences: KL(reference || policy) of what might have stood there, nats.
        doubts: the reference's entropy there, nats.
        counted: whether it belongs to the response.
    """

    ratios: Tensor
    divergences: Tensor
    doubts: Tensor
    counted: Tensor


class Scores(NamedTuple):
    """What losses know of ``n`` prompts with ``k`` responses each, the best first; each ``(n, k)``.

    Args:
        policy: log-likelihood of each response under the model in training, nats.
        reference: the same under the model that training, or the round of training, started from.
        lengths: characters of each response.
        divergences: the sum over a response's positions of KL(reference || policy), nats.
        characters: the same for each character.
    """

    policy: Tensor
    reference: Tensor
    lengths: Tensor
    divergences: Tensor
    characters: Characters

    @property
    def ratios(self) -> Tensor:
        """Of each response, ``(n, k)``."""
        return self.policy - self.reference

    @property
    def chosen(self) -> Tensor:
        """The chosen's log-ratio, ``(n,)``."""
        return self.ratios[:, 0]

    @property
    def rejected(self) -> Tensor:
        """The rejected's log-ratio, ``(n,)``."""
        return self.ratios[:, -1]

    @property
    def margin(self) -> Tensor:
        """How much further the chosen's log-ratio is up, ``(n,)``."""
        return self.chosen - self.rejected


def dpo(scores: Scores, beta: Tensor) -> Tensor:
    """Direct preference optimization: ``-log sigmoid(beta (r(w) - r(l)))`` (Rafailov et al. 2023, eq. 7,
    arXiv 2305.18290).
    """
    return -logsigmoid(beta * scores.margin)


def ipo(scores: Scores, beta: Tensor) -> Tensor:
    """Identity preference optimization: ``(r(w) - r(l) - 1 / (2 beta))**2`` (Azar et al. 2023, eq. 17, arXiv
    2310.12036, where beta is called tau). Of whole responses, as in the paper; TRL takes means per token.
    """
    return (scores.margin - 1 / (2 * beta)).square()


def slic(scores: Scores, margin: Tensor, weight: Tensor) -> Tensor:
    """Sequence likelihood calibration: ``max(0, margin - log p(w) + log p(l)) - weight log p(w)`` (Zhao et
    al. 2023, arXiv 2305.10425), which knows no reference. The target that keeps the model near where
    it started is the chosen response, as SimPO's authors have it.
    """
    chosen, rejected = scores.policy[:, 0], scores.policy[:, -1]
    return torch.relu(margin - chosen + rejected) - weight * chosen


def ln_dpo(scores: Scores, beta: Tensor) -> Tensor:
    """Length-normalised DPO: ``-log sigmoid(beta (r(w) / |w| - r(l) / |l|))`` (Ahrabian et al. 2024, arXiv
    2407.15229).
    """
    normalised = scores.ratios / scores.lengths
    return -logsigmoid(beta * (normalised[:, 0] - normalised[:, -1]))


def simpo(scores: Scores, beta: Tensor, margin: Tensor) -> Tensor:
    """Simple preference optimization: ``-log sigmoid(beta (log p(w) / |w| - log p(l) / |l|) - margin)`` (Meng
    et al. 2024, arXiv 2405.14734), which knows no reference.
    """
    normalised = scores.policy / scores.lengths
    return -logsigmoid(beta * (normalised[:, 0] - normalised[:, -1]) - margin)


def rpo(scores: Scores, beta: Tensor, weight: Tensor) -> Tensor:
    """DPO and the chosen response's likelihood: ``dpo - weight log p(w) / |w|`` (Pang et al. 2024,
    arXiv 2404.19733; TRL calls it RPO).
    """
    return dpo(scores, beta) - weight * scores.policy[:, 0] / scores.lengths[:, 0]


def bco(scores: Scores, beta: Tensor) -> Tensor:
    """Binary classifier optimization: ``-log sigmoid(beta r(w) - d) - log sigmoid(d - beta r(l))``, where
    ``d`` is the mean of ``beta r`` over chosen and rejected (Jung et al. 2024, arXiv 2404.04656).

    The mean is this batch's, without gradient; the authors keep a moving one over training.
    """
    rewards = beta * torch.stack([scores.chosen, scores.rejected])
    shift = rewards.mean().detach()
    return -logsigmoid(rewards[0] - shift) - logsigmoid(shift - rewards[1])


def kto(scores: Scores, beta: Tensor, undesirable: Tensor) -> Tensor:
    """Kahneman-Tversky optimization: ``1 - sigmoid(beta (r(w) - z)) + undesirable (1 - sigmoid(beta (z' -
    r(l))))`` (Ethayarajh et al. 2024, arXiv 2402.01306, the desirable's weight being 1).

    The points of reference are this batch's mean log-ratios, without gradient and at least 0: ``z`` that of
    the rejected, ``z'`` that of the chosen, as the authors' first version for pairs has it. Their later one
    takes responses to other prompts, which costs a forward pass more.
    """
    chosen, rejected = scores.chosen, scores.rejected
    of_rejected, of_chosen = (each.mean().detach().clamp(min=0) for each in (rejected, chosen))
    desirable = torch.sigmoid(-beta * (chosen - of_rejected))
    return desirable + undesirable * torch.sigmoid(-beta * (of_chosen - rejected))


def apo_zero(scores: Scores, beta: Tensor) -> Tensor:
    """Anchored preference optimization: the chosen up and the rejected down, ``1 - sigmoid(beta r(w)) +
    sigmoid(beta r(l))`` (D'Oosterlinck et al. 2024, eq. 7, arXiv 2408.06266).
    """
    return torch.sigmoid(-beta * scores.chosen) + torch.sigmoid(beta * scores.rejected)


def apo_down(scores: Scores, beta: Tensor) -> Tensor:
    """Anchored preference optimization where the chosen too is worse than the model: both down, the rejected
    more, ``sigmoid(beta r(w)) + 1 - sigmoid(beta (r(w) - r(l)))`` (as :func:`apo_zero`, eq. 8).
    """
    return torch.sigmoid(beta * scores.chosen) + torch.sigmoid(-beta * scores.margin)


def tdpo(scores: Scores, beta: Tensor, alpha: Tensor) -> Tensor:
    """Token-level DPO (TDPO2): ``-log sigmoid(beta (r(w) - r(l) - alpha (D(l) - D(w))))``, where ``D`` is the
    divergence along a response, the chosen's without gradient (Zeng et al. 2024, eq. 17, arXiv 2404.11999).
    """
    excess = scores.divergences[:, -1] - scores.divergences[:, 0].detach()
    return -logsigmoid(beta * (scores.margin - alpha * excess))


def sparse_po(scores: Scores, beta: Tensor, share: Tensor) -> Tensor:
    """SparsePO with a simple mask: ``-log sigmoid(beta (r'(w) - r'(l) - D'(l) + D'(w)))``, where ``r'`` and
    ``D'`` sum log-ratios and divergences of the characters that a mask lets through (Christopoulou et al.
    2024, arXiv 2410.05102).

    The authors learn the mask or take it from the reference's activations. Ours lets through the share of a
    response's characters at which the reference has the largest entropy.
    """
    own = scores.characters
    doubts = own.doubts.masked_fill(~own.counted, -torch.inf)
    ranks = (doubts.unsqueeze(-2) > doubts.unsqueeze(-1)).sum(-1)
    mask = own.counted & (ranks < share * scores.lengths.unsqueeze(-1))
    masked = ((own.ratios + own.divergences) * mask).sum(-1)
    return -logsigmoid(beta * (masked[:, 0] - masked[:, -1]))


def curry_dpo(scores: Scores, beta: Tensor) -> Tensor:
    """Curriculum DPO (Pattnaik et al. 2024, arXiv 2403.07230): :func:`dpo` in rounds, each with a rejected
    response that is closer to the chosen in rank and with the model of the round before as the reference.
    """
    return dpo(scores, beta)


def dno(scores: Scores, beta: Tensor) -> Tensor:
    """Direct Nash optimization, the practical version (Rosset et al. 2024, algorithm 2, arXiv 2404.03715):
    :func:`dpo` in rounds, on responses of the model of the round before, which is also the reference.

    The best and the worst of a list make the pair. The authors' lists have a response of a teacher too.
    """
    return dpo(scores, beta)


def accelerated_dpo(scores: Scores, beta: Tensor, momentum: Tensor) -> Tensor:
    """Accelerated preference optimization (He et al. 2024, arXiv 2410.06293): :func:`dpo` in rounds, whose
    reference is ``now + momentum (now - then)``, of the weights now and a round ago (Nesterov's momentum).

    Training goes on from the weights now; only the reference is extrapolated.
    """
    del momentum  # it has moved the reference
    return dpo(scores, beta)


def lipo(scores: Scores, beta: Tensor) -> Tensor:
    """Listwise preference optimization (LiPO-lambda): the sum over pairs of ``log(1 + exp(beta r(worse) -
    beta r(better)))``, weighted by the difference in gain ``2**label - 1`` times the difference in
    ``1 / log(1 + rank)`` by the model's own ranking (Liu et al. 2024, arXiv 2402.01878).

    Labels fall evenly from 1 for the best to 0 for the worst, since ranks are all that the lists tell. Equal
    scores, as at the start of training, rank in the list's order.
    """
    own = beta * scores.ratios
    places = torch.arange(own.shape[-1], device=own.device, dtype=own.dtype)
    gains = 2 ** (1 - places / (len(places) - 1))
    above = own.unsqueeze(-2) > own.unsqueeze(-1)
    earlier = (own.unsqueeze(-2) == own.unsqueeze(-1)) & (places < places.unsqueeze(-1))
    discounts = 1 / torch.log(2.0 + (above | earlier).sum(-1).to(own.dtype))
    weights = _differences(gains).abs() * _differences(discounts).abs()
    return (weights.triu(1) * softplus(-_differences(own))).sum((-2, -1))


def _differences(values: Tensor) -> Tensor:
    """``values[i] - values[j]`` at ``[i, j]``, ``(..., k, k)`` of ``(..., k)``."""
    return values.unsqueeze(-1) - values.unsqueeze(-2)


class Range(NamedTuple):
    """Values of a loss's own hyperparameter, all of them positive.

    Args:
        low, high: what a search tries, on a log scale.
        default: where nothing is said.
    """

    low: float
    high: float
    default: float


@dataclass(frozen=True)
class PreferenceLoss:
    """A loss that a study can choose.

    Args:
        function: of the scores and the hyperparameters by name, ``(n,)``.
        hyperparameters: its own, each ``()``.
        learns: from the ``ends`` of a list (its best and worst), from the whole ``list``, from ``harder``
            pairs (the best, and in each round a better one than the worst), or from the ends of lists that
            are ``drawn`` from the reference at each step.
        rounds: of a full training; each has the model at its beginning as the reference. 1: the reference
            stays.
    """

    function: Callable[..., Tensor]
    hyperparameters: Mapping[str, Range]
    learns: Literal["ends", "list", "harder", "drawn"] = "ends"
    rounds: int = 1


_BETA = Range(0.01, 1.0, 0.1)

LOSSES: dict[str, PreferenceLoss] = {
    "dpo": PreferenceLoss(dpo, {"beta": _BETA}),
    "ipo": PreferenceLoss(ipo, {"beta": _BETA}),
    "slic": PreferenceLoss(slic, {"margin": Range(0.1, 10.0, 1.0), "weight": Range(0.01, 1.0, 0.1)}),
    "ln_dpo": PreferenceLoss(ln_dpo, {"beta": Range(0.1, 10.0, 1.0)}),
    "simpo": PreferenceLoss(simpo, {"beta": Range(0.1, 10.0, 2.0), "margin": Range(0.1, 5.0, 1.0)}),
    "rpo": PreferenceLoss(rpo, {"beta": _BETA, "weight": Range(0.01, 10.0, 1.0)}),
    "bco": PreferenceLoss(bco, {"beta": _BETA}),
    "kto": PreferenceLoss(kto, {"beta": _BETA, "undesirable": Range(0.25, 4.0, 1.0)}),
    "apo_zero": PreferenceLoss(apo_zero, {"beta": _BETA}),
    "apo_down": PreferenceLoss(apo_down, {"beta": _BETA}),
    "tdpo": PreferenceLoss(tdpo, {"beta": _BETA, "alpha": Range(0.1, 2.0, 0.5)}),
    "sparse_po": PreferenceLoss(sparse_po, {"beta": _BETA, "share": Range(0.1, 1.0, 0.5)}),
    "lipo": PreferenceLoss(lipo, {"beta": _BETA}, learns="list"),
    "curry_dpo": PreferenceLoss(curry_dpo, {"beta": _BETA}, learns="harder", rounds=3),
    "dno": PreferenceLoss(dno, {"beta": _BETA}, learns="drawn", rounds=3),
    "accelerated_dpo": PreferenceLoss(
        accelerated_dpo, {"beta": _BETA, "momentum": Range(0.05, 1.0, 0.3)}, rounds=3
    ),
}
"""By name; a study writes their hyperparameters as ``<loss>_<name>``."""
