"""What is special about BoTorch's optimizers: shared models, priors, time per trial, trust regions."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from botorch import fit_gpytorch_mll
from botorch.models.map_saas import AdditiveMapSaasSingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from orchestrator.optimizers import botorch_model
from orchestrator.optimizers.botorch import BotorchOptimizer
from orchestrator.optimizers.botorch_acquisition import candidate
from orchestrator.optimizers.botorch_logei import BotorchLogEi
from orchestrator.optimizers.botorch_model import Observations, surrogate
from orchestrator.optimizers.botorch_saasbo import BotorchSaasbo, BotorchSaasNehvi
from orchestrator.optimizers.botorch_turbo import BotorchTurbo
from orchestrator.search import Optimizer
from orchestrator.trial import Suggestion, Trial
from search_spaces import ConfigurationError, SearchSpace, build_space
from workloads import Objective

ONE = (Objective("loss"),)
QUICK = {"restarts": 1, "raw_samples": 64, "mc_samples": 32, "fit_steps": 20}
SQUARE = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"}})


MIXED = build_space(
    {
        "parameters": {
            **{name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"},
            "kind": {"type": "categorical", "choices": ["a", "b", "c"]},
        }
    }
)


def told(optimizer: Optimizer, trials: int, loss: Any) -> list[Suggestion]:
    seen = []
    for _ in range(trials):
        (suggestion,) = optimizer.ask()
        optimizer.tell([Trial(suggestion, (loss(suggestion.config),))])
        seen.append(suggestion)
    return seen


def test_suggestions_between_two_results_share_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    fit = botorch_model.fit_gpytorch_mll
    monkeypatch.setattr(
        botorch_model, "fit_gpytorch_mll", lambda *given, **named: fits.append(fit(*given, **named))
    )
    optimizer = BotorchLogEi(SQUARE, ONE, 0, initial=4, **QUICK)
    told(optimizer, 4, lambda config: config["x"])
    first = optimizer.ask(2)
    copy = pickle.loads(pickle.dumps(optimizer))
    assert optimizer.ask() == copy.ask()
    assert len(fits) == 2, "one here and one for the copy, which takes no model along"
    optimizer.tell([Trial(first[0], (0.5,))])
    optimizer.ask()
    assert len(fits) == 3


def flat(space: SearchSpace, seconds: Any = None) -> Observations:
    """Results that say nothing of where to look."""
    units = np.random.default_rng(0).random((6, space.codec.dim))
    units = space.codec.encode(space.codec.decode(units))
    times = np.full(6, np.nan) if seconds is None else seconds(units)
    return Observations(space, units, np.ones((6, 1)), np.empty((6, 0)), times)


PRIORS = build_space(
    {
        "parameters": {
            "x": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}
            | {"prior": {"type": "normal", "mean": 1e-3, "std": 0.5}},
            "kind": {"type": "categorical", "choices": ["a", "b", "c"], "weights": [0.05, 0.05, 0.9]},
            "n": {"type": "int", "low": 0, "high": 9, "prior": {"type": "beta", "alpha": 1, "beta": 9}},
        }
    }
)


def test_priors_weigh_less_and_less() -> None:
    learnt = surrogate(flat(PRIORS), 0, 20)
    none = np.empty((0, 3))
    (strong,) = PRIORS.codec.decode(candidate(learnt, none, "logei", 3, QUICK, prior_exponent=10.0))
    assert 3e-4 < float(strong["x"]) < 3e-3
    assert strong["kind"] == "c"
    assert int(strong["n"]) <= 1
    weak, without = (
        candidate(learnt, none, "logei", 3, QUICK, prior_exponent=power) for power in (1e-9, 0.0)
    )
    np.testing.assert_allclose(weak, without, atol=1e-3)

    exponents = []

    class Listening(BotorchLogEi):
        pass

    optimizer = Listening(PRIORS, ONE, 0, initial=3, prior_strength=6.0, **QUICK)
    told(optimizer, 3, lambda config: float(config["x"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "orchestrator.optimizers.botorch_acquisition.candidate",
            lambda *given, prior_exponent, **named: exponents.append(prior_exponent) or np.full((1, 3), 0.5),
        )
        told(optimizer, 3, lambda config: float(config["x"]))
    assert exponents == [6.0, 3.0, 2.0]


def test_short_trainings_are_preferred_where_asked() -> None:
    def loss(config: Any) -> float:
        return (abs(config["x"] - 0.5) - 0.4) ** 2  # as good on the left as on the right

    def sides(per_second: bool) -> list[float]:
        optimizer = BotorchLogEi(SQUARE, ONE, 1, initial=6, per_second=per_second, **QUICK)
        seen = []
        for _ in range(12):
            (suggestion,) = optimizer.ask()
            x = float(suggestion.config["x"])
            optimizer.tell([Trial(suggestion, (loss(suggestion.config),), seconds=float(np.exp(9 * x)))])
            seen.append(x)
        return seen[6:]

    assert np.mean(np.array(sides(True)) < 0.5) == 1.0


def test_without_known_times_nothing_is_weighed() -> None:
    none = np.empty((0, 2))
    plain, timed = (surrogate(flat(SQUARE), 0, 20, timed=timed) for timed in (False, True))
    assert timed.log_seconds is None
    np.testing.assert_array_equal(
        candidate(plain, none, "logei", 1, QUICK), candidate(timed, none, "logei", 1, QUICK)
    )
    known = surrogate(flat(SQUARE, lambda units: np.exp(units[:, 0])), 0, 20, timed=True)
    assert known.log_seconds is not None


def test_logei_is_the_librarys() -> None:
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from botorch.sampling import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    units = np.random.default_rng(0).random((8, 2))
    losses = ((units - 0.3) ** 2).sum(axis=1, keepdims=True)
    known = Observations(SQUARE, units, losses, np.empty((8, 0)), np.full(8, np.nan))
    ours = candidate(surrogate(known, 5, 20), units[:0], "logei", 5, QUICK | {"restarts": 2})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = SingleTaskGP(torch.from_numpy(units), torch.from_numpy(-losses))
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": 20}})
        function = qLogNoisyExpectedImprovement(
            model, torch.from_numpy(units), SobolQMCNormalSampler(torch.Size([32])), prune_baseline=True
        )
        bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
        options = {"batch_limit": 2, "maxiter": 200}
        theirs, _ = optimize_acqf(function, bounds, 1, num_restarts=2, raw_samples=64, options=options)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-9)


WIDE = build_space(
    {
        "parameters": {
            **{f"x{i:02d}": {"type": "float", "low": 0.0, "high": 1.0} for i in range(12)},
            "kind": {"type": "categorical", "choices": ["a", "b", "c", "d"]},
        }
    }
)


def test_nothing_is_compiled_in_a_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from botorch.acquisition.multi_objective import logei
    from torch.utils import cpp_extension

    compiled: list[str] = []
    monkeypatch.setattr(cpp_extension, "load", lambda name, **_: compiled.append(name))
    logei._try_load_fused_kernel()
    assert compiled == [] and logei._C is None


def test_the_sparse_model_finds_the_parameters_that_matter() -> None:
    configs = WIDE.sample(24, np.random.default_rng(0))
    losses = [[(config["x03"] - 0.3) ** 2 + 0.5 * (config["kind"] == "c")] for config in configs]
    known = Observations(
        WIDE, WIDE.codec.encode(configs), np.array(losses), np.empty((24, 0)), np.full(24, np.nan)
    )
    learnt = surrogate(known, 0, 60, kind="sparse")
    best = WIDE.codec.encode([configs[int(np.argmin(losses))]]).repeat(3, axis=0)
    for row, (name, value) in enumerate((("x07", 0.99), ("x03", 0.99), ("kind", "c"))):
        (config,) = WIDE.codec.decode(best[[row]])
        best[row] = WIDE.codec.encode([{**config, name: value}])[0]
    with torch.no_grad():
        other, worse, worst = (-learnt.outcomes.posterior(learnt.box.from_units(best)).mean)[:, 0].tolist()
    assert other < 0.1 < min(worse, worst)


@pytest.mark.parametrize("ships", [BotorchLogEi, BotorchSaasbo])
def test_as_it_ships_a_model_is_fitted_until_its_likelihood_grows_no_more(ships: type[BotorchLogEi]) -> None:
    """With a category or sparse, 100 steps end far below: by .1 and .28 for each of these results."""
    units = MIXED.codec.encode(MIXED.codec.decode(np.random.default_rng(1).random((10, 3))))
    losses = np.sin(6 * units[:, :1]) + units[:, 1:2] ** 2 + (units[:, 2:] > 0.4)
    known = Observations(MIXED, units, losses, np.empty((10, 0)), np.full(10, np.nan))
    model = surrogate(known, 0, ships.efforts["fit_steps"], kind=ships.kind).outcomes
    likelihood = ExactMarginalLogLikelihood(model.likelihood, model)

    def reached() -> float:
        model.train()
        return float(likelihood(model(*model.train_inputs), model.train_targets).sum().item())

    shipped = reached()
    fit_gpytorch_mll(likelihood)
    assert reached() < shipped + 0.01


def test_a_trust_region_shrinks_around_the_best_and_the_search_begins_anew() -> None:
    optimizer = BotorchTurbo(SQUARE, ONE, 0, initial=4, candidates=64, fit_steps=5)
    told(optimizer, 4, lambda config: 1.0 + config["x"])
    near = told(optimizer, 24, lambda config: 5.0)
    assert optimizer._region is not None and optimizer._region.length == pytest.approx(0.8 / 2**6)
    best = min((float(one.config["x"]), float(one.config["y"])) for one in near)
    spread = np.ptp([[float(one.config["x"]), float(one.config["y"])] for one in near[-4:]], axis=0)
    assert (spread < 0.1).all() and best
    told(optimizer, 4, lambda config: 5.0)
    assert optimizer._region is None and not optimizer._told
    copy = pickle.loads(pickle.dumps(optimizer))
    again = [told(one, 6, lambda config: config["x"]) for one in (optimizer, copy)]
    assert again[0] == again[1]
    assert optimizer._region is not None


def test_sparse_models_serve_several_objectives_and_a_bound() -> None:
    """Both objectives fall with x, which y has no part in; the bound forbids the upper half of x."""
    objectives, bounded = (Objective("one"), Objective("two")), Objective("three", bound=0.5)
    optimizer = BotorchSaasNehvi(SQUARE, objectives, 0, constraints=[bounded], initial=8, **QUICK)
    for _ in range(8):
        (suggestion,) = optimizer.ask()
        x = float(suggestion.config["x"])
        optimizer.tell([Trial(suggestion, (1 - x, 2 - 2 * x), (x - 0.5,))])
    (suggestion,) = optimizer.ask()
    assert isinstance(optimizer._surrogate().outcomes, AdditiveMapSaasSingleTaskGP)
    assert 0.35 < suggestion.config["x"] < 0.65


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(BotorchLogEi, prior_strength=-1.0), "optimizer.prior_strength: expected a number from 0 on"),
        (partial(BotorchSaasbo, samples=3), "optimizer.samples: expected one of restarts"),
        (partial(BotorchTurbo, restarts=3), "optimizer.restarts: expected one of candidates, fit_steps"),
        (partial(BotorchTurbo, candidates=0), "optimizer.candidates: expected at least 1, got 0"),
        (partial(BotorchLogEi, restarts="many"), "optimizer.restarts: expected an integer, got 'many'"),
    ],
)
def test_bad_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make(SQUARE, ONE, 0)
    assert str(raised.value).startswith(message)
    assert issubclass(BotorchLogEi, BotorchOptimizer)
