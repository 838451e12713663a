"""Gaussian processes that forget, against the formulas written out and against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from orchestrator.population.methods.gaussian import (
    MOST_ROWS,
    NOISE_BOUNDS,
    GaussianProcess,
    maximise,
    negative_log_likelihood,
)
from orchestrator.population.methods.kernels import Inputs, Kernel, TimeVarying, TimeVaryingMixed
from orchestrator.population.rules.contract import Floats

N, DIM, CHOICES = 7, 3, 2
Row = tuple[float, Floats, Floats]


def rows(seed: int, n: int = N) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [(float(i // 2), rng.random(DIM), rng.integers(0, 3, CHOICES).astype(float)) for i in range(n)]


def doubles(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def inputs(of: list[Row]) -> Inputs:
    return Inputs.of(*(np.array(column) for column in zip(*of, strict=True)))


def by_hand(values: list[float], a: Row, b: Row) -> float:
    """PB2's kernel for 3 hyperparameters, PB2-Mix's for 6."""
    gap = sum((x - y) ** 2 for x, y in zip(a[1], b[1], strict=True))
    numbers = values[0] * math.exp(-gap / values[1]) * (1 - values[2]) ** (abs(a[0] - b[0]) / 2)
    if len(values) == 3:
        return numbers
    share = sum(float(x == y) for x, y in zip(a[2], b[2], strict=True)) / CHOICES
    categories = values[3] * share * (1 - values[4]) ** (abs(a[0] - b[0]) / 2)
    return (1 - values[5]) * 0.5 * (numbers + categories) + values[5] * numbers * categories


KERNELS: list[tuple[Kernel, list[float]]] = [
    (TimeVarying(), [1.3, 0.6, 0.2]),
    (TimeVaryingMixed(), [1.3, 0.6, 0.2, 0.7, 0.05, 0.4]),
]
both = pytest.mark.parametrize(("kernel", "values"), KERNELS, ids=["numbers", "mixed"])


def matrix(values: list[float], a: list[Row], b: list[Row]) -> Floats:
    return np.array([[by_hand(values, x, y) for y in b] for x in a])


@both
def test_a_kernel_is_its_formula(kernel: Kernel, values: list[float]) -> None:
    a, b = rows(0), rows(1, 4)
    np.testing.assert_allclose(kernel(doubles(values), inputs(a), inputs(b)), matrix(values, a, b))
    diagonal = kernel.diagonal(doubles(values), inputs(a))
    np.testing.assert_allclose(diagonal, np.diag(matrix(values, a, a)))
    assert len(kernel.start) == len(kernel.bounds) == len(values)


def test_the_published_starting_values() -> None:
    assert TimeVarying.start == (1.0, 1.0, 0.1)
    assert TimeVarying.bounds[2] == (0.0, 0.5)


@both
def test_means_and_variances_are_those_of_the_textbook(kernel: Kernel, values: list[float]) -> None:
    seen, asked, targets, noise = rows(0), rows(1, 4), np.sin(np.arange(N)), 0.03
    process = GaussianProcess(kernel, doubles(values), noise, inputs(seen), torch.tensor(targets))
    mean, variance = process(inputs(asked))
    inverse = np.linalg.inv(matrix(values, seen, seen) + noise * np.eye(N))
    across = matrix(values, seen, asked)
    np.testing.assert_allclose(mean, across.T @ inverse @ targets)
    np.testing.assert_allclose(variance, np.diag(matrix(values, asked, asked) - across.T @ inverse @ across))


@both
def test_the_likelihood_is_the_density_of_a_normal_distribution(kernel: Kernel, values: list[float]) -> None:
    seen, targets = rows(0), np.cos(np.arange(N))
    covariance = matrix(values, seen, seen) + 0.05 * np.eye(N)
    cost = negative_log_likelihood(doubles([*values, 0.05]), kernel, inputs(seen), torch.tensor(targets))
    expected = -multivariate_normal(np.zeros(N), covariance).logpdf(targets)
    assert cost.item() == pytest.approx(expected)


def gradient(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Floats], Floats]:
    def at(values: Floats) -> Floats:
        variable = torch.tensor(values, requires_grad=True)
        return torch.autograd.grad(function(variable), variable)[0].numpy()

    return at


@both
def test_the_gradient_of_the_likelihood_agrees_with_finite_differences(
    kernel: Kernel, values: list[float]
) -> None:
    # What the published implementations get wrong.
    seen, targets = inputs(rows(0)), torch.tensor(np.cos(np.arange(N)))

    def cost(at: torch.Tensor) -> torch.Tensor:
        return negative_log_likelihood(at, kernel, seen, targets)

    error = check_grad(lambda at: cost(torch.tensor(at)).item(), gradient(cost), np.array([*values, 0.05]))
    assert error < 1e-4


@both
def test_the_gradients_of_mean_and_variance_agree_with_finite_differences(
    kernel: Kernel, values: list[float]
) -> None:
    targets = torch.tensor(np.cos(np.arange(N)))
    process = GaussianProcess(kernel, doubles(values), 0.05, inputs(rows(0)), targets)

    def sum_of_both(point: torch.Tensor) -> torch.Tensor:
        mean, variance = process(Inputs(doubles([4.0]), point[None], torch.zeros(1, CHOICES).double()))
        return (mean + 0.7 * variance).sum()

    def value(at: Floats) -> float:
        return sum_of_both(torch.tensor(at)).item()

    assert check_grad(value, gradient(sum_of_both), np.array([0.2, 0.5, 0.7])) < 1e-6


@both
@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_a_fit_is_finite_and_within_its_bounds(kernel: Kernel, values: list[float], n: int) -> None:
    seen = inputs(rows(0, n))
    process = GaussianProcess.fit(kernel, seen, np.sin(np.arange(n)))
    bounds = np.array([*kernel.bounds, NOISE_BOUNDS])
    found = np.append(process.values.numpy(), process.noise)
    assert ((bounds[:, 0] <= found) & (found <= bounds[:, 1])).all()
    mean, variance = process(inputs(rows(1)))
    assert torch.isfinite(mean).all() and (variance >= 0).all()


def test_a_fit_is_at_least_as_likely_as_its_start_and_repeats() -> None:
    kernel, seen, targets = TimeVarying(), inputs(rows(0, 30)), np.sin(np.arange(30))
    first, second = (GaussianProcess.fit(kernel, seen, targets) for _ in range(2))
    assert torch.equal(first.values, second.values) and first.noise == second.noise

    def cost(values: list[float]) -> float:
        at = doubles(values)
        return negative_log_likelihood(at, kernel, seen, torch.tensor(targets)).item()

    assert cost([*first.values.tolist(), first.noise]) < cost([*kernel.start, 0.1])


@pytest.mark.parametrize("sign", [0.0, 1.0], ids=["settled", "moving"])
def test_what_changes_is_forgotten_and_what_stays_is_not(sign: float) -> None:
    rng = np.random.default_rng(0)
    times, x = np.arange(60) // 6, rng.random((60, 1))
    targets = np.sin(6 * x[:, 0] + sign * times)
    process = GaussianProcess.fit(TimeVarying(), Inputs.of(times, x), targets)
    assert process.values[2] > 0.1 if sign else process.values[2] < 0.01


def test_equal_rows_are_no_trouble() -> None:
    row = rows(0, 1)[0]
    process = GaussianProcess.fit(TimeVarying(), inputs([row] * 20), np.ones(20))
    assert torch.isfinite(process(inputs([row]))[0]).all()


def test_fantasies_lower_the_variance_around_them_and_keep_the_hyperparameters() -> None:
    process = GaussianProcess.fit(TimeVarying(), inputs(rows(0)), np.sin(np.arange(N)))
    running = inputs(rows(1, 1))
    crowded = process.with_fantasies(running)
    assert crowded(running)[1].item() < process(running)[1].item()
    assert torch.equal(crowded.values, process.values) and crowded.noise == process.noise


@both
def test_fantasies_leave_means_and_give_the_variances_of_a_process_that_has_seen_them(
    kernel: Kernel, values: list[float]
) -> None:
    seen, targets = inputs(rows(0)), torch.tensor(np.sin(np.arange(N)))
    process = GaussianProcess(kernel, doubles(values), 0.03, seen, targets)
    coming, asked = [inputs(rows(seed, 3)) for seed in (1, 2)], inputs(rows(3, 5))
    crowded = process.with_fantasies(coming[0]).with_fantasies(coming[1])
    whole = seen.joined(coming[0]).joined(coming[1])
    direct = GaussianProcess(kernel, doubles(values), 0.03, whole, torch.ones(len(whole)).double())
    torch.testing.assert_close(crowded(asked)[1], direct(asked)[1])
    torch.testing.assert_close(crowded(asked)[0], process(asked)[0])


def test_the_oldest_rows_are_left_out() -> None:
    n = MOST_ROWS + 50
    times, x = np.arange(n), np.linspace(0, 1, n)[:, None]
    process = GaussianProcess.fit(TimeVarying(), Inputs.of(times, x), np.sin(9 * x[:, 0]))
    assert len(process.inputs) == len(process.targets) == MOST_ROWS
    assert process.inputs.times[0] == 50


def test_the_highest_of_several_hills_is_climbed_within_bounds() -> None:
    def hills(points: torch.Tensor) -> torch.Tensor:
        peaks = torch.tensor([[0.2, 0.2], [0.7, 1.4]], dtype=torch.float64)
        distances = (points[:, None] - peaks).square().sum(dim=2)
        return (doubles([1.0, 3.0]) * torch.exp(-5 * distances)).sum(dim=1)

    starts = np.random.default_rng(0).random((10, 2))
    np.testing.assert_allclose(maximise(hills, starts), [0.7, 1.0], atol=2e-2)
    np.testing.assert_allclose(maximise(hills, starts, high=np.array([0.4, 0.4])), [0.2, 0.2], atol=5e-2)
