"""Training algorithms: the rules against torch, pytorch_optimizer and hand-computed steps, many as one."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.knobs import Knobs
from workloads.library.digits import Digits
from workloads.torch import TorchSession
from workloads.torch.algorithms import ALGORITHM_KNOBS, ALGORITHMS, OWN_KNOBS, Looped, Step, UpdateRule
from workloads.torch.algorithms.library import hidden_matrices

MEMBERS, WEIGHTS, STEPS = 3, 7, 20
RULES = {name: rule for name, rule in ALGORITHMS.items() if isinstance(rule, UpdateRule)}
OPTIONS = {
    "lr": [1e-3, 3e-2, 0.0],
    "weight_decay": [0.0, 0.1, 0.5],
    "momentum": [0.9, 0.0, 0.5],
    "beta2": [0.999, 0.9, 0.99],
    "threshold": [0.3, 2.0, 5000.0],
    "smoothing": [1e-3, 0.5, 3.0],
    "interval": [6.0, 11.0, 500.0],
}


def gradients(step: int, weights: Tensor) -> Tensor:
    """Of something convex, with noise."""
    noise = torch.randn(weights.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
    return weights + noise


def trained(name: str, steps: int, start: Tensor, **options: float) -> Tensor:
    """A weight after some steps of one member."""
    algorithm, weight = ALGORITHMS[name], nn.Parameter(start.clone())
    optimizer = algorithm.make({"weight": weight})
    optimizer.state[weight].update({kind: torch.zeros_like(weight) for kind in algorithm.moments})
    algorithm.configure(optimizer, {**algorithm.defaults, **options})
    algorithm.begin(optimizer, 0)
    for step in range(steps):
        weight.grad = gradients(step, weight.detach())
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("name", RULES)
def test_many_members_are_updated_as_each_alone(name: str) -> None:
    rule = RULES[name]
    start = torch.linspace(-1, 1, MEMBERS * WEIGHTS, dtype=torch.float64).view(MEMBERS, WEIGHTS)
    options = {option: OPTIONS[option] for option in rule.defaults}

    together = start.clone()
    moments = [torch.zeros_like(start) for _ in rule.moments]
    steps = torch.arange(1.0, STEPS + 1).unsqueeze(1).expand(-1, MEMBERS).double()
    columns = rule.coefficients(
        {name: torch.tensor(values, dtype=torch.float64) for name, values in options.items()}, steps
    )
    parts = [column.expand(STEPS, MEMBERS) for column in columns]
    for step in range(STEPS):
        # Each member has the noise that it has alone.
        own = torch.stack([gradients(step, row) for row in together])
        rule.update(together, moments, own, [part[step].unsqueeze(1) for part in parts])
    alone = [
        trained(name, STEPS, row, **{option: values[member] for option, values in options.items()})
        for member, row in enumerate(start)
    ]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-12, atol=1e-14)


LIBRARY: dict[str, tuple[str, dict[str, Any], dict[str, float]]] = {
    "lion": ("Lion", {"betas": (0.9, 0.99), "weight_decay": 0.1}, {"weight_decay": 0.1}),
    "adabelief": (
        "AdaBelief",
        {"betas": (0.8, 0.99), "weight_decay": 0.1, "rectify": False, "eps": 1e-16},
        {"momentum": 0.8, "beta2": 0.99, "weight_decay": 0.1},
    ),
    "exadam": (
        "EXAdam",
        {"betas": (0.8, 0.99), "weight_decay": 0.1},
        {"momentum": 0.8, "beta2": 0.99, "weight_decay": 0.1},
    ),
    "spam": (
        "SPAM",
        {"betas": (0.9, 0.99), "weight_decay": 0.1, "threshold": 3, "update_proj_gap": 30},
        {"beta2": 0.99, "weight_decay": 0.1, "threshold": 3.0, "interval": 30.0},
    ),
}
"""Rules that pytorch_optimizer has too: its class, its arguments, and our options."""


@pytest.mark.parametrize("name", LIBRARY)
def test_rules_are_those_of_pytorch_optimizer(name: str) -> None:
    library = pytest.importorskip("pytorch_optimizer")
    kind, arguments, options = LIBRARY[name]
    start = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    weight = nn.Parameter(start.clone())
    optimizer = getattr(library, kind)([weight], lr=0.02, **arguments)
    for step in range(100):
        weight.grad = gradients(step, weight.detach())
        optimizer.step()
    torch.testing.assert_close(trained(name, 100, start, lr=0.02, **options), weight.detach())


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_rules_are_those_of_torch(name: str) -> None:
    kind = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[name]
    start = torch.linspace(-1, 1, 6, dtype=torch.float64)
    weight = nn.Parameter(start.clone())
    optimizer = kind([weight], lr=0.02, weight_decay=0.1, **({"momentum": 0.9} if name == "sgd" else {}))
    for step in range(STEPS):
        weight.grad = gradients(step, weight.detach())
        optimizer.step()
    assert torch.equal(trained(name, STEPS, start, lr=0.02, weight_decay=0.1, momentum=0.9), weight.detach())


def by_hand(name: str, steps: list[list[float]], **options: float) -> list[float]:
    """Two weights, 1 and -2, after steps with these gradients."""
    rule = RULES[name]
    weight = torch.tensor([1.0, -2.0], dtype=torch.float64)
    moments = [torch.zeros_like(weight) for _ in rule.moments]
    values = {
        option: torch.tensor(value, dtype=torch.float64)
        for option, value in {**rule.defaults, **options}.items()
    }
    for number, gradient in enumerate(steps, start=1):
        own = rule.coefficients(values, torch.tensor(float(number), dtype=torch.float64))
        rule.update(weight, moments, torch.tensor(gradient, dtype=torch.float64), own)
    return weight.tolist()


@pytest.mark.parametrize(
    ("name", "options", "steps", "expected"),
    [
        # The sign of 0.1 g, and decay by 0.1 * 0.5 before.
        ("lion", {"lr": 0.1, "weight_decay": 0.5}, [[1.0, -1.0]], [0.85, -1.8]),
        # Then of 0.9 m + 0.1 g with m = 0.01 of the first: 0.009 - 0.005 and -0.009 + 0.1.
        ("lion", {"lr": 0.1}, [[1.0, -1.0], [-0.05, 1.0]], [0.8, -2.0]),
        # 0.1 g / 0.2 is 0.05 and, clipped, -1.
        ("lion_k", {"lr": 0.1, "smoothing": 0.2}, [[0.1, -5.0]], [0.995, -1.9]),
        # The mean is 0.5 g; the second coordinate is clipped to 0.3.
        ("clipped_sgd", {"lr": 0.1, "momentum": 0.5, "threshold": 0.3}, [[0.4, -4.0]], [0.98, -1.97]),
        # Sizes are 0.25 |g| = 0.1 and 1, which clip the means 0.2 and -2.
        ("acclip", {"lr": 0.1, "momentum": 0.5, "beta2": 0.75}, [[0.4, -4.0]], [0.99, -1.9]),
        # m = 0.5 g, s = 0.5 (g - m)^2 = g^2 / 8; corrected, m = g and s = g^2 / 4: steps of 2 lr.
        (
            "adabelief",
            {"lr": 0.1, "weight_decay": 0, "momentum": 0.5, "beta2": 0.5},
            [[4.0, -1]],
            [0.8, -1.8],
        ),
        # m = g / 2, v = g^2 / 2: (g + 2 g) * 1.5 over sqrt(1.5 g^2).
        (
            "exadam",
            {"lr": 0.1, "momentum": 0.5, "beta2": 0.5},
            [[4.0, -1.0]],
            [1 - 0.45 / math.sqrt(1.5), -2 + 0.45 / math.sqrt(1.5)],
        ),
        # Nothing was forgotten, nothing clipped yet: Adam's first step is the sign.
        ("spam", {"lr": 0.1, "threshold": 1.0}, [[4.0, -1.0]], [0.9, -1.9]),
    ],
)
def test_steps_are_as_computed_by_hand(
    name: str, options: Mapping[str, float], steps: list[list[float]], expected: list[float]
) -> None:
    assert by_hand(name, steps, **options) == pytest.approx(expected, rel=1e-5)


def test_spam_clips_a_spike_to_the_threshold() -> None:
    calm = [[1.0, 1.0]] * 25
    spiked = by_hand("spam", [*calm, [1.0, 100.0]], lr=0.1, threshold=2.0)
    alike = by_hand("spam", [*calm, [1.0, math.sqrt(2 * (1 - 0.999**25))]], lr=0.1, threshold=2.0)
    assert spiked == pytest.approx(alike)


def looped_step(
    name: str, weights: dict[str, nn.Parameter], loss: Callable[[], Tensor], **options: float
) -> None:
    algorithm = ALGORITHMS[name]
    optimizer = algorithm.make(weights)
    algorithm.configure(optimizer, {**algorithm.defaults, **options})
    algorithm.step(optimizer, Step(weights, loss, torch.tensor(5)))


def test_sam_takes_the_gradient_uphill() -> None:
    weights = {"first": nn.Parameter(torch.tensor([3.0])), "second": nn.Parameter(torch.tensor([4.0]))}

    def loss() -> Tensor:
        return (weights["first"] ** 2 + weights["second"] ** 2).sum() / 2

    # The gradient (3, 4) has length 5; uphill it is (3 + 0.3, 4 + 0.4).
    looped_step("sam", weights, loss, lr=0.1, momentum=0.0, rho=0.5)
    found = [float(weight.detach()) for weight in weights.values()]
    assert found == pytest.approx([3 - 0.33, 4 - 0.44])


def test_second_order_algorithms_get_the_hessians_diagonal() -> None:
    pytest.importorskip("pytorch_optimizer")
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    scale = torch.tensor([4.0, 0.5])

    def loss() -> Tensor:
        return (scale * weight**2).sum() / 2

    # Of a diagonal Hessian the estimate is exact: each coordinate's first step is lr * g / |h| = lr * w.
    looped_step("adahessian", {"weight": weight}, loss, lr=0.5)
    assert weight.tolist() == pytest.approx([0.5, -1.0])


def test_hidden_matrices_leave_out_ends_embeddings_and_vectors() -> None:
    shapes = {"stem.weight": (4, 3), "stem.bias": (4,), "block.weight": (4, 4), "positions": (5, 4)}
    shapes |= {"embedding.weight": (9, 4), "conv.weight": (4, 4, 3, 3), "head.weight": (2, 4)}
    weights = {name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
    assert hidden_matrices(weights) == ["block.weight", "conv.weight"]


def test_every_option_is_a_hyperparameter_of_its_own() -> None:
    assert len(OWN_KNOBS) == sum(len(algorithm.defaults) for algorithm in ALGORITHMS.values())
    for algorithm in ALGORITHMS.values():
        for name, option in algorithm.own_options.items():
            assert OWN_KNOBS[name].allows(algorithm.defaults[option])


def spaces() -> dict[str, dict[str, Any]]:
    folder = Path(__file__).parents[3] / "conf" / "search_space"
    return {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*training_algorithms.yaml")}


def test_the_search_spaces_that_ship_forget_no_algorithm() -> None:
    found = {name: set(space["parameters"]["optimizer"]["choices"]) for name, space in spaces().items()}
    need = {name for name, one in ALGORITHMS.items() if isinstance(one, Looped) and one.library}
    assert found["all_training_algorithms"] == set(ALGORITHMS)
    assert found["training_algorithms"] == set(ALGORITHMS) - need


@pytest.mark.parametrize("name", spaces())
def test_an_algorithm_has_its_own_hyperparameters_and_no_others(name: str) -> None:
    space = build_space(spaces()[name])
    for config in space.sample(60, np.random.default_rng(0)):
        names = ALGORITHMS[str(config["optimizer"])].own_options
        assert config.keys() - {"optimizer"} <= names.keys()
        assert any(option == "lr" for option in (names[each] for each in config.keys() - {"optimizer"}))
    knobs = Knobs(**ALGORITHM_KNOBS)
    knobs.check_space(space)
    assert space.default()["optimizer"] == "adamw"


def session(**config: Any) -> TorchSession:
    return TorchSession(Digits(batch_size=8), {"width": 4, **config}, 0, Device())


def test_own_hyperparameters_come_before_shared_ones() -> None:
    shared = {"learning_rate": 0.02, "momentum": 0.5}
    own = session(optimizer="lion", lion_learning_rate=0.003, lion_beta2=0.9, sgd_momentum=0.1, **shared)
    assert own.options == {"lr": 0.003, "weight_decay": 0.01, "momentum": 0.5, "beta2": 0.9}
    own.configure({"learning_rate": 0.5, "lion_momentum": 0.7})
    assert own.options == {"lr": 0.5, "weight_decay": 0.01, "momentum": 0.7, "beta2": 0.99}


def test_an_algorithm_without_its_library_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    space = build_space({"parameters": {"optimizer": {"type": "categorical", "choices": ["adamw", "soap"]}}})
    with pytest.raises(
        ConfigurationError, match=r"parameters\.optimizer: .*'algorithms', which optimizer=soap"
    ):
        Digits(space)


def test_messages_do_not_list_what_belongs_to_single_algorithms() -> None:
    space = build_space({"parameters": {"lionlearning_rate": {"type": "constant", "value": 1.0}}})
    with pytest.raises(ConfigurationError, match=r"'learning_rate', .*'optimizer'\)") as refused:
        Digits(space)
    assert "sgd_momentum" not in str(refused.value) and "lion_learning_rate" in refused.value.hint
