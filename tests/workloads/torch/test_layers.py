from __future__ import annotations

import pytest
import torch

from workloads.torch.layers import max_pool


@pytest.mark.parametrize("compiling", [False, True])
def test_pools_as_torch_does_with_its_gradient(compiling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: compiling)
    inputs = torch.randn(3, 2, 6, 9, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.linspace(-1, 1, 3 * 2 * 2 * 3).view(3, 2, 2, 3)
    pooled, expected = max_pool(inputs, 3), torch.nn.functional.max_pool2d(inputs, 3)
    torch.testing.assert_close(pooled, expected, rtol=0, atol=0)
    (gradient,) = torch.autograd.grad((pooled * weights).sum(), inputs)
    (reference,) = torch.autograd.grad((expected * weights).sum(), inputs)
    torch.testing.assert_close(gradient, reference, rtol=0, atol=0)
