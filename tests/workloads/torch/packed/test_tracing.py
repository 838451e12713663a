from __future__ import annotations

import torch
from torch import Tensor
from torch.func import grad, vmap

from workloads.torch.packed.tracing import Traced


def descend(state: dict[str, Tensor], rates: Tensor) -> Tensor:
    """One step of gradient descent on ``x ** 4``, in place, for each of K members."""
    gradients = vmap(grad(lambda x: (x**4).sum()))(state["x"])
    state["x"].sub_(rates.unsqueeze(1) * gradients)
    return state["x"].sum(1)


def start(members: int) -> dict[str, Tensor]:
    return {"x": torch.linspace(-1, 1, 3 * members).view(members, 3).clone()}


def test_a_record_does_what_the_function_does() -> None:
    calls = 0

    def counted(state: dict[str, Tensor], rates: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return descend(state, rates)

    traced = Traced(counted, after=2)
    state, expected, rates = start(4), start(4), torch.tensor([0.1, 0.2, 0.0, 0.05])
    for _ in range(6):
        torch.testing.assert_close(traced(state, rates), descend(expected, rates), rtol=0, atol=0)
    torch.testing.assert_close(state["x"], expected["x"], rtol=0, atol=0)
    assert calls == 3, "twice as it is, once to be recorded"


def test_other_shapes_have_their_own_record() -> None:
    traced = Traced(descend, after=0)
    for members in (2, 5, 2):
        state, expected, rates = start(members), start(members), torch.full((members,), 0.1)
        torch.testing.assert_close(traced(state, rates), descend(expected, rates), rtol=0, atol=0)


def test_what_cannot_be_recorded_is_called() -> None:
    def deciding(x: Tensor) -> Tensor:
        return -x if float(x.sum()) > 0 else x

    traced = Traced(deciding, after=0)
    for value in (1.0, -1.0, 2.0):
        x = torch.tensor([value])
        torch.testing.assert_close(traced(x), deciding(x))
