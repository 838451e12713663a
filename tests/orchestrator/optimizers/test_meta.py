"""Meta-learned search: the network that ships, what it predicts, and what the optimizer makes of it."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import trapezoid

from orchestrator.optimizers.meta import buckets, train, weights
from orchestrator.optimizers.meta.candidates import anywhere, near
from orchestrator.optimizers.meta.network import NeuralProcess, Shape, differences
from orchestrator.optimizers.meta.optimizer import MetaLearned
from orchestrator.optimizers.meta.prior import drawn
from orchestrator.optimizers.meta.scale import LossScale
from orchestrator.optimizers.meta.surrogate import MOST, Evidence, shown
from orchestrator.trial import Suggestion, evaluated
from search_spaces import ConfigurationError, build_space
from search_spaces.values import config_key
from workloads.contract import Objective

LOSS = Objective("loss")
FLOAT = {"type": "float", "low": 0.0, "high": 1.0}
TREE = build_space(
    {
        "parameters": {
            "kind": {"type": "categorical", "choices": ["a", "b", "c"]},
            "x": FLOAT,
            "n": {"type": "int", "low": 1, "high": 6},
        },
        "conditions": [{"child": "x", "parent": "kind", "equals": "a"}],
        "forbidden": [{"kind": "b", "n": [1, 2]}],
    }
)


def evidence(count: int, dim: int = 3, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    units = rng.random((count, dim))
    return Evidence.of(units, ((units - 0.3) ** 2).sum(1), np.zeros(dim, dtype=bool))


def test_the_scale_is_that_of_its_formula_and_goes_back() -> None:
    scale = LossScale.of(np.array([[3.0, 1.0, 2.0, 11.0, 5.0]]))
    expected = [0.0, np.log(11), -np.log(11), np.log(51)]  # the median is 3, so that one unit is 2
    assert scale.scaled(np.array([[1.0, 3.0, -1.0, 11.0]]))[0] == pytest.approx(expected)
    losses = np.array([[-7.0, 1.0, 2.0, 400.0]])
    assert scale.losses(scale.scaled(losses)) == pytest.approx(losses)


def test_the_scale_knows_no_units_and_ties() -> None:
    losses = np.random.default_rng(0).normal(size=(1, 9))
    assert LossScale.of(1e6 * losses - 5).scaled(1e6 * losses - 5) == pytest.approx(
        LossScale.of(losses).scaled(losses)
    )
    tied = np.array([[1.0, 1.0, 1.0, 5.0]])
    assert np.isfinite(LossScale.of(tied).scaled(tied)).all()
    assert LossScale.of(tied[:, :3]).scaled(tied[:, :3]).tolist() == [[0.0, 0.0, 0.0]]


def test_a_distribution_integrates_to_one_and_its_moments_are_its_density_s() -> None:
    logits = torch.randn(buckets.COUNT + 2, generator=torch.Generator().manual_seed(0))
    grid = torch.linspace(-8.0, 9.0, 17_001)
    many = logits.expand(len(grid), -1)
    density = buckets.log_density(many, grid).exp().numpy()
    assert trapezoid(density, grid.numpy()) == pytest.approx(1.0, abs=1e-3)
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * 1e-3)])
    assert buckets.cumulative(many, grid).numpy() == pytest.approx(cumulative, abs=2e-3)
    assert cumulative[np.searchsorted(grid, buckets.median(logits))] == pytest.approx(0.5, abs=0.03)
    better = (grid < 0) & (grid > buckets.LOW)
    gain = trapezoid(np.where(better, density * 0.1 * np.expm1(-grid.numpy()), 0.0), grid.numpy())
    tail = float(torch.softmax(logits, -1)[0]) * 0.1 * np.expm1(3.6 + 0.5 * stats.norm.ppf(0.75))
    assert float(buckets.expected_improvement(logits)) == pytest.approx(gain + tail, rel=1e-3)


def test_differences_of_categories_and_inactive_parameters() -> None:
    left = torch.tensor([[0.1, 0.2, float("nan")], [0.7, 0.2, 0.4]])
    found = differences(left, left, torch.tensor([False, True, False]))
    assert found[0, 1].tolist() == pytest.approx([0.6, 0.0, 1.0])
    assert not found[0, 0].any()
    assert differences(left, left, torch.tensor([True] * 3))[0, 1].tolist() == [1.0, 0.0, 1.0]


def test_neither_the_order_of_results_nor_of_parameters_matters() -> None:
    known, queries = evidence(12), np.random.default_rng(1).random((6, 3))
    categorical = np.array([False, True, False])
    rows, columns = np.random.default_rng(2).permutation(12), np.array([2, 0, 1])
    first = Evidence(known.units, known.scaled, categorical).logits(weights.shipped(), queries)
    other = Evidence(known.units[rows][:, columns], known.scaled[rows], categorical[columns])
    assert torch.allclose(first, other.logits(weights.shipped(), queries[:, columns]), atol=1e-3)
    alone = Evidence(known.units, known.scaled, categorical).logits(weights.shipped(), queries[:1])
    assert torch.allclose(first[:1], alone, atol=1e-3), "queries do not see one another"
    assert not torch.allclose(first[0], first[1], atol=1e-2)


def test_more_results_than_it_is_shown_are_chosen_by_their_rank() -> None:
    losses = np.random.default_rng(0).normal(size=300)
    rows, order = shown(losses), np.random.default_rng(1).permutation(300)
    assert len({*rows.tolist()}) == MOST
    assert {*np.argsort(losses)[:50].tolist()} <= {*rows.tolist()}
    assert {*order[shown(losses[order])].tolist()} == {*rows.tolist()}


def test_pending_configurations_are_believed_to_be_no_better_than_the_best() -> None:
    known = evidence(12)
    promising = np.full((1, 3), 0.3)
    believed = known.believing(weights.shipped(), promising)
    assert len(believed.scaled) == 13 and believed.scaled[-1] >= 0
    before, after = (one.improvement(weights.shipped(), promising)[0] for one in (known, believed))
    assert after < before
    assert known.believing(weights.shipped(), promising[:0]) is known


def test_candidates_are_allowed_configurations_in_the_middle_of_their_bins() -> None:
    rng = np.random.default_rng(0)
    for units in (anywhere(TREE, 50, rng), near(TREE, anywhere(TREE, 5, rng), 200, rng)):
        assert len(units) >= 50
        configs = TREE.codec.decode(units)
        assert [TREE.check(config) for config in configs] == configs
        assert np.array_equal(TREE.codec.encode(configs), units, equal_nan=True)


def test_the_weights_are_those_of_their_command_and_small() -> None:
    about = weights.about()
    network = weights.shipped()
    assert network.shape == Shape(**about["shape"]) == Shape()
    assert {"prior"} <= {*about["families"]} <= {"prior", "bbob", "lcbench"}
    assert about["steps"] > 0
    assert weights.FILE.stat().st_size < 500_000


def test_training_repeats_from_its_seed_and_learns(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, again = (train.trained({"prior": drawn}, 3, 1, 2, 1e-3) for _ in range(2))
    pairs = zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    file = tmp_path_factory.mktemp("meta") / "weights.npz"
    weights.save(first, ["prior"], 3, 1, file)
    one, other = first.state_dict(), weights.load(file).state_dict()
    assert all(torch.allclose(one[name], other[name], rtol=1e-3, atol=1e-6) for name in one)
    tasks = drawn(8, 50, np.random.default_rng(5))
    with torch.no_grad():
        untrained, shipped = (train.loss(network, tasks, 20) for network in (first, weights.shipped()))
    assert shipped < untrained - 0.5


def test_a_small_space_is_tried_once_each_and_then_again() -> None:
    space = build_space({"parameters": {"n": {"type": "int", "low": 1, "high": 7}}})
    optimizer = MetaLearned(space, (LOSS,), 0, initial=2, candidates=16)
    seen = []
    for _ in range(9):
        (suggestion,) = optimizer.ask()
        seen.append(config_key(suggestion.config))
        value = float(suggestion.config["n"])
        optimizer.tell([evaluated(suggestion, {"loss": value}, (LOSS,))])
    assert len({*seen}) == 7


def test_a_suggestion_after_200_results_is_quick() -> None:
    space = build_space({"parameters": {f"x{i}": FLOAT for i in range(8)}})
    optimizer = MetaLearned(space, (LOSS,), 0)
    for config in space.sample(200, np.random.default_rng(0)):
        value = sum((float(one) - 0.4) ** 2 for one in config.values())
        optimizer.observe([evaluated(Suggestion(config), {"loss": value}, (LOSS,))])
    optimizer.ask()  # reads the weights
    began = time.process_time()
    optimizer.ask()
    assert time.process_time() - began < 1.0  # 0.1 s where nothing else runs


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"objectives": (LOSS, Objective("other"))}, "1 objective for MetaLearned"),
        ({"constraints": (Objective("size", bound=1.0),)}, "can handle constraints"),
        ({"initial": 1}, "at least 2"),
    ],
)
def test_what_it_cannot_serve_is_refused(options: dict[str, object], expected: str) -> None:
    given = {"space": TREE, "objectives": (LOSS,), "seed": 0, **options}
    with pytest.raises(ConfigurationError, match=expected):
        MetaLearned(**given)  # type: ignore[arg-type]


def test_predictions_are_close_to_the_posterior_of_the_process_that_made_the_function() -> None:
    """Which is told its kernel; the network is not. Wasserstein distances, over 40 functions of a number."""
    rng, grid = np.random.default_rng(0), np.linspace(-4.0, 4.0, 401)
    close, marginal = [], []
    for _ in range(40):
        units = rng.random(24)
        apart = np.sqrt(5) * np.abs(units[:, None] - units) / 0.2
        covariance = (1 + apart + apart**2 / 3) * np.exp(-apart) + 1e-8 * np.eye(24)
        values = np.linalg.cholesky(covariance) @ rng.normal(size=24)
        weight = np.linalg.solve(covariance[:8, :8], covariance[:8, 8:]).T
        deviation = np.sqrt(np.diag(covariance[8:, 8:] - weight @ covariance[:8, 8:]))
        posterior = stats.norm.cdf(grid, (weight @ values[:8])[:, None], deviation[:, None])
        known = Evidence.of(units[:8, None], values[:8], np.array([False]))
        logits = known.logits(weights.shipped(), units[8:, None])
        scaled = torch.from_numpy(LossScale.of(values[None, :8]).scaled(grid[None])).float()
        predicted = buckets.cumulative(logits[:, None].expand(-1, 401, -1), scaled.expand(16, -1)).numpy()
        close.append(trapezoid(np.abs(predicted - posterior), grid).mean())
        marginal.append(trapezoid(np.abs(stats.norm.cdf(grid) - posterior), grid).mean())
    assert np.mean(close) < 0.4
    assert np.mean(marginal) > 0.7


def test_an_untrained_network_has_the_shapes_that_it_says() -> None:
    network = NeuralProcess(Shape(width=8, layers=1, heads=2, relevance=4))
    known, queries = torch.rand(5, 2), torch.rand(3, 2)
    assert network(known, torch.rand(4, 5), queries, torch.tensor([False, True])).shape == (4, 3, 62)
