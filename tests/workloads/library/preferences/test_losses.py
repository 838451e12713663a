"""Each loss against numbers computed by hand, and against what is known of it."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from workloads.library.preferences.losses import LOSSES, Characters, Scores


def one_character(ratios: Tensor, divergences: Tensor) -> Characters:
    """Responses that have all of it in one character."""
    counted = torch.ones_like(ratios, dtype=torch.bool)
    return Characters(
        *(part.unsqueeze(-1) for part in (ratios, divergences, torch.ones_like(ratios), counted))
    )


PAIR = Scores(
    policy=torch.tensor([[-10.0, -12.0]], dtype=torch.float64),
    reference=torch.tensor([[-11.0, -10.0]], dtype=torch.float64),
    lengths=torch.tensor([[4.0, 8.0]], dtype=torch.float64),
    divergences=torch.tensor([[0.5, 1.5]], dtype=torch.float64),
    characters=one_character(
        torch.tensor([[1.0, -2.0]], dtype=torch.float64), torch.tensor([[0.5, 1.5]], dtype=torch.float64)
    ),
)
"""One prompt: the log-ratios are 1 of the chosen and -2 of the rejected."""


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


BY_HAND = {
    "dpo": ({"beta": 0.5}, log(1 + exp(-1.5))),
    "ipo": ({"beta": 0.25}, (3 - 2) ** 2),
    "slic": ({"margin": 3.0, "weight": 0.1}, (3 - 2) + 0.1 * 10),
    "ln_dpo": ({"beta": 2.0}, log(1 + exp(-2 * (1 / 4 + 2 / 8)))),
    "simpo": ({"beta": 2.0, "margin": 0.5}, log(1 + exp(-(2 * (-10 / 4 + 12 / 8) - 0.5)))),
    "rpo": ({"beta": 0.5, "weight": 2.0}, log(1 + exp(-1.5)) + 2 * 10 / 4),
    # The mean reward is (0.5 - 1) / 2.
    "bco": ({"beta": 0.5}, log(1 + exp(-0.75)) + log(1 + exp(-0.75))),
    # The rejected's mean is below 0 and so counts as 0, the chosen's is 1.
    "kto": ({"beta": 0.5, "undesirable": 2.0}, (1 - sigmoid(0.5)) + 2 * (1 - sigmoid(0.5 * (1 + 2)))),
    "apo_zero": ({"beta": 0.5}, (1 - sigmoid(0.5)) + sigmoid(-1)),
    "apo_down": ({"beta": 0.5}, sigmoid(0.5) + (1 - sigmoid(1.5))),
    "tdpo": ({"beta": 0.5, "alpha": 2.0}, log(1 + exp(-0.5 * (3 - 2 * (1.5 - 0.5))))),
    "sparse_po": ({"beta": 0.5, "share": 1.0}, log(1 + exp(-0.5 * ((1 + 0.5) - (-2 + 1.5))))),
    "curry_dpo": ({"beta": 0.5}, log(1 + exp(-1.5))),
    "dno": ({"beta": 0.5}, log(1 + exp(-1.5))),
    "accelerated_dpo": ({"beta": 0.5, "momentum": 0.3}, log(1 + exp(-1.5))),
    "lipo": ({"beta": 0.5}, (1 / log(2) - 1 / log(3)) * log(1 + exp(-1.5))),
}


def loss(name: str, scores: Scores, **options: float) -> Tensor:
    """With defaults for what is left out."""
    definition = LOSSES[name]
    own = {key: options.get(key, values.default) for key, values in definition.hyperparameters.items()}
    return definition.function(scores, **{key: torch.tensor(value) for key, value in own.items()})


def scores_of(ratios: Tensor) -> Scores:
    """Responses of five characters whose likelihood under the reference is the same."""
    reference = torch.full_like(ratios, -10)
    ones = torch.ones_like(ratios)
    return Scores(reference + ratios, reference, 5 * ones, ones, one_character(ratios, ones))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula(name: str) -> None:
    options, expected = BY_HAND[name]
    assert loss(name, PAIR, **options).tolist() == pytest.approx([expected])


AT_THE_REFERENCE = {
    "dpo": log(2),
    "ln_dpo": log(2),
    "tdpo": log(2),
    "sparse_po": log(2),
    "bco": 2 * log(2),
    "kto": 1.0,
    "apo_zero": 1.0,
    "apo_down": 1.0,
    "ipo": 25.0,  # (1 / (2 * 0.1))**2
}


@pytest.mark.parametrize("name", AT_THE_REFERENCE)
def test_at_the_reference_the_loss_is_known(name: str) -> None:
    found = loss(name, scores_of(torch.zeros(3, 2)))
    assert found.tolist() == pytest.approx([AT_THE_REFERENCE[name]] * 3)


@pytest.mark.parametrize("beta", [0.1, 0.5, 2.0])
def test_ipo_wants_a_margin_of_one_over_two_beta(beta: float) -> None:
    margins = torch.arange(201) / 20
    found = loss("ipo", scores_of(torch.stack([margins, torch.zeros(201)], 1)), beta=beta)
    assert margins[found.argmin()] == pytest.approx(1 / (2 * beta))


ratio = st.integers(-20, 20).map(lambda quarters: quarters / 4)
few = settings(max_examples=20)
BOTH_WAYS = sorted(set(LOSSES) - {"slic", "ipo", "apo_down"})
"""Always better the more likely the chosen and the less likely the rejected.

SLiC stands still once the margin is reached, IPO goes back, and APO-down pushes the chosen down.
"""


def gradient(name: str, ratios: Tensor) -> Tensor:
    ratios = ratios.clone().requires_grad_(True)
    loss(name, scores_of(ratios)).sum().backward()
    assert ratios.grad is not None
    return ratios.grad


@pytest.mark.parametrize("name", BOTH_WAYS)
@few
@given(ratios=st.tuples(ratio, ratio))
def test_gradients_push_the_chosen_up_and_the_rejected_down(name: str, ratios: tuple[float, float]) -> None:
    found = gradient(name, torch.tensor([ratios], dtype=torch.float64))
    assert found[0, 0] < 0 < found[0, 1]


@few
@given(ratios=st.tuples(ratio, ratio))
def test_slic_parts_the_pair_up_to_its_margin(ratios: tuple[float, float]) -> None:
    margin = ratios[0] - ratios[1]
    assume(margin != 1)
    found = gradient("slic", torch.tensor([ratios], dtype=torch.float64))
    assert found[0].tolist() == pytest.approx([-0.1, 0.0] if margin > 1 else [-1.1, 1.0])


PAIRWISE = ["dpo", "ipo", "ln_dpo", "tdpo", "sparse_po", "simpo"]


@pytest.mark.parametrize("name", PAIRWISE)
@few
@given(ratios=st.tuples(ratio, ratio), shift=ratio)
def test_what_compares_a_pair_knows_no_common_shift(
    name: str, ratios: tuple[float, float], shift: float
) -> None:
    given_ratios = torch.tensor([ratios], dtype=torch.float64)
    moved = loss(name, scores_of(given_ratios + shift))
    torch.testing.assert_close(moved, loss(name, scores_of(given_ratios)))


@few
@given(ratios=st.lists(ratio, min_size=4, max_size=4, unique=True))
def test_lipo_sums_over_all_pairs_of_a_list(ratios: list[float]) -> None:
    beta, best_first = 0.5, sorted(range(4), key=lambda index: -ratios[index])
    rank = {index: place + 1 for place, index in enumerate(best_first)}
    expected = 0.0
    for i in range(4):
        for j in range(i + 1, 4):
            gain = abs(2 ** (1 - i / 3) - 2 ** (1 - j / 3))
            discount = abs(1 / log(1 + rank[i]) - 1 / log(1 + rank[j]))
            expected += gain * discount * log(1 + exp(-beta * (ratios[i] - ratios[j])))
    found = loss("lipo", scores_of(torch.tensor([ratios], dtype=torch.float64)), beta=beta)
    assert found.item() == pytest.approx(expected)


def test_sparse_po_counts_the_characters_of_which_the_reference_is_least_sure() -> None:
    characters = Characters(
        ratios=torch.tensor([[[1.0, 2.0, 4.0, 8.0], [16.0, 32.0, 64.0, 128.0]]]),
        divergences=torch.zeros(1, 2, 4),
        doubts=torch.tensor([[[0.1, 0.9, 0.5, 3.0], [2.0, 1.0, 3.0, 4.0]]]),
        counted=torch.tensor([[[True, True, True, False], [True] * 4]]),
    )
    sums = torch.zeros(1, 2)
    scores = Scores(sums, sums, torch.tensor([[3.0, 4.0]]), sums, characters)
    # Half of three characters are the two that are ranked 0 and 1 of them, half of four are two.
    expected = log(1 + exp(-0.01 * ((2 + 4) - (64 + 128))))
    assert loss("sparse_po", scores, beta=0.01, share=0.5).tolist() == pytest.approx([expected])


def test_lipo_learns_from_where_all_responses_score_the_same() -> None:
    found = gradient("lipo", torch.zeros(1, 4, dtype=torch.float64))[0]
    assert found[0] < found[1] < 0 < found[3]


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_search_tries_includes_the_default(name: str) -> None:
    for values in LOSSES[name].hyperparameters.values():
        assert 0 < values.low < values.default < values.high


@pytest.mark.parametrize("name", ["bco", "kto"])
def test_the_mean_of_a_batch_matters_but_has_no_gradient(name: str) -> None:
    ratios = torch.tensor([[2.0, -1.0], [3.0, 1.0]], requires_grad=True)
    found = loss(name, scores_of(ratios))
    (slope,) = torch.autograd.grad(found[0], ratios)
    assert slope[0].abs().min() > 0
    assert slope[1].tolist() == [0, 0]
    assert found[0] != loss(name, scores_of(ratios[:1]))[0]
