"""The pieces of every torch workload run for many members at once and give what each gives alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from search_spaces import Config
from tests.workloads.torch.regression import Regression
from workloads.library.digits import Digits
from workloads.torch import Batch, TorchWorkload
from workloads.torch.randomness import Purpose, member_keys
from workloads.torch.stream import BatchStream

SEEDS = (3, 4, 5)
STEP = 11


def digits_config(member: int) -> Config:
    return {"dropout": 0.2 * member, "label_smoothing": 0.1 * member, "activation": "gelu", "width": 8}


CASES = {
    "mlp": (Digits(batch_size=8), digits_config),
    "cnn": (Digits(model="cnn", batch_size=8), digits_config),
    "batch_norm": (Regression(), lambda member: {"dropout": 0.2 * member, "width": 4}),
}


@pytest.fixture(params=CASES)
def definition(request: pytest.FixtureRequest) -> TorchWorkload:
    return CASES[request.param][0]


@pytest.fixture
def configs(request: pytest.FixtureRequest) -> list[Config]:
    make = CASES[request.node.callspec.params["definition"]][1]
    return [make(member) for member in range(len(SEEDS))]


def hyperparameters(definition: TorchWorkload, config: Config) -> dict[str, Tensor]:
    full = definition.knobs.complete(config)
    return {name: torch.tensor(full[name]).double() for name in definition.loss_names}


def batches(definition: TorchWorkload) -> list[Batch]:
    train = definition.data(torch.device("cpu")).train
    indices = [
        BatchStream(len(train.targets), definition.batch_size, seed).batches(STEP, 1)[0] for seed in SEEDS
    ]
    targets = train.targets.double() if train.targets.is_floating_point() else train.targets
    return [Batch(train.inputs[rows].double(), targets[rows]) for rows in indices]


def members(definition: TorchWorkload, configs: list[Config]) -> list[nn.Module]:
    return [definition.build(config, seed).double() for config, seed in zip(configs, SEEDS, strict=True)]


def test_members_that_differ_in_mutable_hyperparameters_alone_share_a_key(
    definition: TorchWorkload, configs: list[Config]
) -> None:
    assert len({definition.static_key(config) for config in configs}) == 1
    assert definition.static_key({**configs[0], "width": 6}) != definition.static_key(configs[0])


def test_losses_and_gradients(definition: TorchWorkload, configs: list[Config]) -> None:
    modules = members(definition, configs)
    keys = torch.stack([member_keys(seed, Purpose.NOISE, STEP, 1)[0] for seed in SEEDS])
    settings = [hyperparameters(definition, config) for config in configs]
    data = batches(definition)

    looped = []
    for module, batch, setting, key in zip(modules, data, settings, keys, strict=True):
        loss = definition.loss(module, batch, setting, key)
        looped.append((loss.detach(), torch.autograd.grad(loss, tuple(module.parameters()))))

    modules = members(definition, configs)
    parameters, buffers = stack_module_state(modules)
    base = modules[0].to("meta")

    def loss_of(weights: dict[str, Tensor], extra: dict[str, Tensor], *rest: object) -> Tensor:
        batch, setting, key = rest

        def model(*inputs: Tensor) -> Tensor:
            return functional_call(base, (weights, extra), inputs)  # type: ignore[no-any-return]

        return definition.loss(model, batch, setting, key)  # type: ignore[arg-type]

    stacked_batch = Batch(*(torch.stack(part) for part in zip(*data, strict=True)))
    stacked_settings = {name: torch.stack([setting[name] for setting in settings]) for name in settings[0]}
    gradients, losses = vmap(grad_and_value(loss_of))(
        parameters, buffers, stacked_batch, stacked_settings, keys
    )
    for member, (loss, gradient) in enumerate(looped):
        torch.testing.assert_close(losses[member], loss, rtol=1e-12, atol=1e-14)
        for name, expected in zip(gradients, gradient, strict=True):
            torch.testing.assert_close(gradients[name][member], expected, rtol=1e-10, atol=1e-12)


def test_evaluation(definition: TorchWorkload, configs: list[Config]) -> None:
    modules = [module.eval() for module in members(definition, configs)]
    validation = definition.data(torch.device("cpu")).validation
    split = Batch(validation.inputs.double(), validation.targets)
    with torch.no_grad():
        looped = [definition.evaluate(module, split) for module in modules]
    parameters, buffers = stack_module_state(modules)
    base = modules[0].to("meta")

    def evaluate(weights: dict[str, Tensor], extra: dict[str, Tensor]) -> Mapping[str, Tensor]:
        return definition.evaluate(lambda *inputs: functional_call(base, (weights, extra), inputs), split)

    packed = vmap(evaluate)(parameters, buffers)
    assert tuple(packed) == definition.evaluation
    for member, expected in enumerate(looped):
        for name in definition.evaluation:
            torch.testing.assert_close(packed[name][member], expected[name], rtol=1e-12, atol=1e-14)
