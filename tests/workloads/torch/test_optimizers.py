"""The update rules: for one member as torch has them, for many as for one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from workloads.torch.optimizers import UPDATE_RULES, Lion, UpdateRule

MEMBERS, WEIGHTS, STEPS = 3, 7, 20
OPTIONS = {
    "lr": [1e-3, 3e-2, 0.0],
    "weight_decay": [0.0, 0.1, 0.5],
    "momentum": [0.9, 0.0, 0.5],
    "beta2": [0.999, 0.9, 0.99],
}


def gradients(step: int, weights: Tensor) -> Tensor:
    """Of something convex, with noise."""
    noise = torch.randn(weights.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
    return weights + noise


@pytest.mark.parametrize("rule", UPDATE_RULES.values(), ids=UPDATE_RULES)
def test_many_members_are_updated_as_each_alone(rule: UpdateRule) -> None:
    start = torch.linspace(-1, 1, MEMBERS * WEIGHTS, dtype=torch.float64).view(MEMBERS, WEIGHTS)
    options = {name: OPTIONS[name] for name in rule.defaults}

    alone = [nn.Parameter(row.clone()) for row in start]
    for member, weight in enumerate(alone):
        optimizer = rule.make([weight])
        optimizer.state[weight].update({kind: torch.zeros_like(weight) for kind in rule.moments})
        for group in optimizer.param_groups:
            group.update(rule.settings({name: values[member] for name, values in options.items()}))
        for step in range(STEPS):
            weight.grad = gradients(step, weight.detach().expand(MEMBERS, -1))[member]
            optimizer.step()

    together = start.clone()
    moments = [torch.zeros_like(start) for _ in rule.moments]
    steps = torch.arange(1.0, STEPS + 1).unsqueeze(1).expand(-1, MEMBERS).double()
    columns = rule.coefficients(
        {name: torch.tensor(values, dtype=torch.float64) for name, values in options.items()}, steps
    )
    parts = [column.expand(STEPS, MEMBERS) for column in columns]
    for step in range(STEPS):
        rule.update(together, moments, gradients(step, together), [part[step].unsqueeze(1) for part in parts])
    torch.testing.assert_close(together, torch.stack([w.detach() for w in alone]), rtol=1e-12, atol=1e-14)


def test_lion_is_the_papers() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    optimizer = Lion().make([weight])
    optimizer.param_groups[0].update(lr=0.1, betas=(0.9, 0.99), weight_decay=0.5)
    expected, momentum = weight.detach().clone(), torch.zeros(3)
    for gradient in (torch.tensor([1.0, -1.0, 0.0]), torch.tensor([-0.05, 1.0, 2.0])):
        weight.grad = gradient
        optimizer.step()
        update = torch.sign(0.9 * momentum + 0.1 * gradient)
        expected -= 0.1 * (update + 0.5 * expected)
        momentum = 0.99 * momentum + 0.01 * gradient
    torch.testing.assert_close(weight.detach(), expected)
    torch.testing.assert_close(optimizer.state[weight]["exp_avg"], momentum)


def test_lion_takes_a_closure_and_skips_what_has_no_gradient() -> None:
    weight, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = Lion().make([weight, unused])

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return float(loss.detach())

    assert optimizer.step(closure) == 2.0
    assert (weight < 1).all() and (unused == 1).all()
