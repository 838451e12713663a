import pytest

from search_spaces import ConfigurationError, build_space
from workloads import Device, Objective
from workloads.library.pbt_toy import PbtToy

H = {"type": "float", "low": 0.0, "high": 1.0, "mutable": True}


@pytest.mark.parametrize("config", [{"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0}])
def test_one_coordinate_alone_ends_at_the_published_value(config: dict[str, float]) -> None:
    metrics = PbtToy().start(config, 0, Device()).advance(200)
    assert metrics["Q"] == pytest.approx(0.39, abs=1e-6)


def test_follows_the_closed_form() -> None:
    metrics = PbtToy(learning_rate=0.1).start({"h0": 0.5, "h1": 0.25}, 0, Device()).advance(7)
    assert metrics["theta0"] == pytest.approx(0.9 * 0.9**7, rel=1e-14)
    assert metrics["theta1"] == pytest.approx(0.9 * 0.95**7, rel=1e-14)
    assert metrics["Q"] == pytest.approx(1.2 - metrics["theta0"] ** 2 - metrics["theta1"] ** 2)


def test_two_workers_that_exchange_theta_reach_the_optimum() -> None:
    first = PbtToy().start({"h0": 1.0, "h1": 0.0}, 0, Device())
    second = PbtToy().start({"h0": 0.0, "h1": 1.0}, 0, Device())
    first.advance(100)
    second.load(first.state())
    assert second.advance(100)["Q"] == pytest.approx(1.2, abs=1e-4)


def test_is_maximised() -> None:
    assert PbtToy().objectives == (Objective("Q", "max"),)


def test_needs_both_weights_in_the_space() -> None:
    with pytest.raises(ConfigurationError, match=r"search_space\.parameters: expected 'h1' among them"):
        PbtToy(build_space({"parameters": {"h0": H}}))


def test_needs_both_weights_in_a_configuration() -> None:
    with pytest.raises(ConfigurationError, match="h1: expected a number from 0, got nothing"):
        PbtToy().start({"h0": 1.0}, 0, Device())


def test_refuses_a_weight_below_zero() -> None:
    with pytest.raises(ConfigurationError, match=r"h1\.low: expected a number from 0, got -1\.0"):
        PbtToy(build_space({"parameters": {"h0": H, "h1": {**H, "low": -1.0}}}))
