import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SearchSpace, build_space
from search_spaces.conversions import suggest, to_distributions, to_params
from tests.search_spaces.strategies import spaces

SPACE = build_space(
    {
        "parameters": {
            "rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
            "width": {"type": "int", "low": 8, "high": 512, "log": True},
            "depth": {"type": "ordinal", "values": [4, 1, 2]},
            "optimizer": {"type": "categorical", "choices": ["sgd", False, 3]},
            "momentum": {"type": "float", "low": 0.0, "high": 0.9},
            "patience": {"type": "constant", "value": 3},
        },
        "conditions": [{"child": "momentum", "parent": "optimizer", "equals": "sgd"}],
    }
)


def random_study(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


@settings(deadline=None, max_examples=50)
@given(spaces(), st.integers(0, 1000))
def test_suggestions_respect_ranges_and_conditions(space: SearchSpace, seed: int) -> None:
    trial = random_study(seed).ask()
    config = suggest(trial, space)
    if space.codec.legal(space.codec.encode([config]))[0]:
        checked = space.check(config)
        assert {name: checked[name] for name in config} == config
    assert to_params(config, space) == trial.params
    distributions = to_distributions(space)
    assert all(distributions[name] == one for name, one in trial.distributions.items())


def test_only_active_parameters_are_suggested() -> None:
    seen = set()
    study = random_study(0)
    for _ in range(20):
        trial = study.ask()
        config = suggest(trial, SPACE)
        assert ("momentum" in config) == (config["optimizer"] == "sgd") == ("momentum" in trial.params)
        seen.add(config["optimizer"])
    assert len(seen) == 3


def test_an_ordinal_parameter_is_its_index() -> None:
    assert to_distributions(SPACE)["depth"] == optuna.distributions.IntDistribution(0, 2)
    assert to_params({"depth": 1, "optimizer": 3, "patience": 3}, SPACE) == {"depth": 1, "optimizer": 3}


def test_scales_and_ranges_are_kept() -> None:
    distributions = to_distributions(SPACE)
    assert set(distributions) == {"rate", "width", "depth", "optimizer", "momentum"}
    assert distributions["rate"] == optuna.distributions.FloatDistribution(1e-5, 1.0, log=True)
    assert distributions["width"] == optuna.distributions.IntDistribution(8, 512, log=True)


def test_configurations_become_trials_of_a_study() -> None:
    study = random_study(0)
    config = SPACE.default()
    params = to_params(config, SPACE)
    distributions = {name: one for name, one in to_distributions(SPACE).items() if name in params}
    study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=1.0))
    assert study.best_params == pytest.approx(params)
