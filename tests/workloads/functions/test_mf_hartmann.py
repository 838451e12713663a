import pickle
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from search_spaces import ConfigurationError
from workloads import Device, Metrics
from workloads.functions.mf_hartmann import BIAS_AND_NOISE, MfHartmann

PUBLISHED = {
    3: ((0.114614, 0.555649, 0.852547), -3.86278),
    6: ((0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573), -3.32237),
}


def at(workload: MfHartmann, x: Any, z: int, seed: int = 0) -> Metrics:
    config = {f"x{i + 1}": float(one) for i, one in enumerate(x)}
    return workload.start(config, seed, Device()).advance(z)


@pytest.mark.parametrize("dimension", PUBLISHED)
@pytest.mark.parametrize("quality", BIAS_AND_NOISE)
def test_full_fidelity_is_hartmanns_function(dimension: Any, quality: Any) -> None:
    workload = MfHartmann(dimension=dimension, quality=quality)
    x, value = PUBLISHED[dimension]
    assert at(workload, x, 100)["f"] == pytest.approx(value, abs=5e-6)
    assert at(workload, x, 100, seed=1) == at(workload, x, 100, seed=2)


@pytest.mark.parametrize("dimension", PUBLISHED)
def test_the_known_optimum_is_a_minimum_and_the_smallest_value(dimension: Any) -> None:
    workload = MfHartmann(dimension=dimension)
    found = minimize(
        lambda x: at(workload, np.clip(x, 0, 1), 100)["f"], PUBLISHED[dimension][0], options={"gtol": 1e-9}
    )
    assert found.fun == pytest.approx(workload.facts.optimum, abs=1e-9)
    points = np.random.default_rng(0).random((300, dimension))
    assert min(at(workload, x, 100)["f"] for x in points) > workload.facts.optimum


@pytest.mark.parametrize("quality", BIAS_AND_NOISE)
def test_the_noise_has_the_promised_deviation_and_the_bias_flattens(quality: Any) -> None:
    workload = MfHartmann(dimension=3, quality=quality)
    bias, noise = BIAS_AND_NOISE[quality]
    x, value = PUBLISHED[3]
    missing = 1 - np.log(10) / np.log(100)
    values = [at(workload, x, 10, seed)["f"] for seed in range(4000)]
    assert np.std(values) == pytest.approx(noise * missing, rel=0.05)
    # The four exponentials at the optimum, by hand: the bias adds its multiple of their sum.
    widths = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
    centres = np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]) / 1e4
    flattened = bias * missing**2 * np.exp(-(widths * (np.array(x) - centres) ** 2).sum(axis=1)).sum()
    standard_error = noise * missing / np.sqrt(4000)
    assert abs(np.mean(values) - (value + flattened)) < 4 * standard_error


def test_noise_belongs_to_seed_point_and_fidelity_alone() -> None:
    workload = MfHartmann(dimension=6, quality="bad")
    x, other = [0.5] * 6, [0.5] * 5 + [0.6]
    copy = pickle.loads(pickle.dumps(workload))
    assert at(workload, x, 9, seed=4) == at(copy, x, 9, seed=4)
    quiet = at(workload, x, 100)["f"], at(workload, other, 100)["f"]
    assert at(workload, x, 9, seed=4) != at(workload, x, 9, seed=5)
    assert at(workload, x, 9)["f"] - quiet[0] != pytest.approx(at(workload, other, 9)["f"] - quiet[1])
    assert not workload.facts.deterministic


def test_costs_are_those_of_the_paper() -> None:
    workload = MfHartmann()
    assert workload.facts.seconds == "cost"
    assert at(workload, [0.5] * 3, 100)["cost"] == pytest.approx(1.0)
    assert at(workload, [0.5] * 3, 50)["cost"] == pytest.approx(0.05 + 0.95 / 4)
    assert (workload.fidelity.smallest, workload.fidelity.largest) == (3, 100)


def test_going_on_is_evaluating_at_the_larger_fidelity() -> None:
    workload = MfHartmann()
    session = workload.start(workload.space.default(), 3, Device())
    session.advance(3)
    assert session.advance(6) == workload.start(workload.space.default(), 3, Device()).advance(9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimension": 4}, "^dimension: expected 3 or 6, got 4"),
        (
            {"quality": "great"},
            "^quality: expected one of 'good', 'moderate', 'bad', 'terrible', got 'great'",
        ),
    ],
)
def test_what_does_not_exist_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        MfHartmann(**arguments)
