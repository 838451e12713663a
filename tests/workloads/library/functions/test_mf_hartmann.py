import pickle
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from search_spaces import ConfigurationError
from workloads import Device, Metrics
from workloads.library.functions.mf_hartmann import BIAS_AND_NOISE, MfHartmann

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


@pytest.mark.parametrize(
    ("quality", "z", "x", "quiet"),
    [
        ("good", 1, (0.2, 0.6, 0.8), 0.318148307727114),
        ("moderate", 3, (0.2, 0.6, 0.8), -0.015979019830069108),
        ("bad", 10, (0.2, 0.6, 0.8), -0.8437271973073135),
        ("terrible", 50, (0.2, 0.6, 0.8), -2.622078367074044),
        ("good", 1, (0.2, 0.2, 0.5, 0.3, 0.3, 0.6), 0.17991495761131482),
        ("moderate", 3, (0.2, 0.2, 0.5, 0.3, 0.3, 0.6), -0.10984782831317061),
        ("bad", 10, (0.2, 0.2, 0.5, 0.3, 0.3, 0.6), -0.8276897950366896),
        ("terrible", 50, (0.2, 0.2, 0.5, 0.3, 0.3, 0.6), -2.369916206360338),
    ],
)
def test_low_fidelities_are_those_of_mf_prior_bench(
    quality: Any, z: int, x: tuple[float, ...], quiet: float
) -> None:
    """``quiet`` is what mf-prior-bench 1.10.0 gives with this quality's bias and no noise."""
    workload = MfHartmann(dimension=len(x), quality=quality)  # type: ignore[arg-type]  # 3 or 6
    deviation = {"good": 2.0, "moderate": 3.0, "bad": 4.0, "terrible": 5.0}[quality] * (
        1 - np.log(z) / np.log(100)
    )
    noise = np.array([at(workload, x, z, seed)["f"] for seed in range(4000)]) - quiet
    # Half of a normal distribution: never negative, but as near to zero as one likes.
    assert 0 <= noise.min() < 0.005 * deviation
    assert noise.mean() == pytest.approx(deviation * np.sqrt(2 / np.pi), rel=0.05)
    assert noise.std() == pytest.approx(deviation * np.sqrt(1 - 2 / np.pi), rel=0.05)


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
    assert at(workload, [0.5] * 3, 50)["cost"] == pytest.approx(0.2875)
    assert at(workload, [0.5] * 3, 1)["cost"] == pytest.approx(0.050095)
    assert (workload.fidelity.smallest, workload.fidelity.largest) == (1, 100)


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
