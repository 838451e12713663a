"""The memory of members that train together: one row per member, so that a step is a few large operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workloads.torch.session import TorchSession


class Layout:
    """How a member's weights lie in its row, one after the other.

    Args:
        weights: of one member, by name.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.shapes = {name: weight.shape for name, weight in weights.items()}
        self.sizes = [weight.numel() for weight in weights.values()]
        self.size = sum(self.sizes)
        """P: elements of a row."""

    def split(self, rows: Tensor) -> dict[str, Tensor]:
        """Views of rows ``(..., P)`` by name, each ``(..., *shape)``."""
        parts = torch.split(rows, self.sizes, dim=-1)
        return {
            name: part.view(*rows.shape[:-1], *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Rows ``(K, P)`` with copies of stacked weights, each ``(K, *shape)``; the opposite of ``split``."""
        return torch.cat([parts[name].flatten(1) for name in self.shapes], dim=1)


class Arena:
    """Takes the tensors of K sessions in; from then on both work on the same memory.

    A session goes on as before, alone or with the others, and nothing is copied between the two engines. A
    session that is taken in by another arena leaves its row behind unused.

    Args:
        sessions: of one static key, K of them.

    Attributes:
        layout: of each row.
        resident: bytes of one row, everything in it counted.
        weights: ``(K, P)``.
        moments: what the optimizer remembers, in the order of its rule, each ``(K, P)``.
        buffers: everything else in the models (running statistics, weights that are not trained), by name,
            each ``(K, *shape)``.
    """

    def __init__(self, sessions: Sequence[TorchSession]) -> None:
        self._sessions = tuple(sessions)
        first = self._sessions[0]
        self.layout = Layout(first.weights)
        shape = (len(self._sessions), self.layout.size)
        self.weights = torch.empty(shape, device=first.device, dtype=first.dtype)
        self.moments = [torch.empty_like(self.weights) for _ in first.rule.moments]
        self.buffers = {
            name: torch.stack([_others(session)[name] for session in self._sessions])
            for name in _others(first)
        }
        stacks = (self.weights, *self.moments, *self.buffers.values())
        self.resident = sum(stack.nbytes for stack in stacks) // len(self._sessions)
        for row, session in enumerate(self._sessions):
            self._take_in(row, session)

    def copy(self, receivers: Sequence[int], donors: Sequence[int]) -> None:
        """Let rows go on as others: weights, moments, buffers and ages, all read before any is written."""
        ages = [self._sessions[donor].age for donor in donors]
        to, source = torch.tensor([receivers, donors], device=self.weights.device)
        for rows in (self.weights, *self.moments, *self.buffers.values()):
            rows.index_copy_(0, to, rows.index_select(0, source))
        for receiver, age in zip(receivers, ages, strict=True):
            self._sessions[receiver].age = age

    def _take_in(self, row: int, session: TorchSession) -> None:
        _move(session.weights, self.layout.split(self.weights[row]))
        for kind, rows in zip(session.rule.moments, self.moments, strict=True):
            _move(session.moments[kind], self.layout.split(rows[row]))
        _move(_others(session), {name: stacked[row] for name, stacked in self.buffers.items()})


def _others(session: TorchSession) -> dict[str, Tensor]:
    """A session's module without what is trained."""
    fixed = {n: p.detach() for n, p in session.module.named_parameters() if n not in session.weights}
    return fixed | dict(session.module.named_buffers())


def _move(tensors: Mapping[str, Tensor], places: Mapping[str, Tensor]) -> None:
    """Let tensors keep their values and identity, and lie in other places."""
    for name, tensor in tensors.items():
        places[name].copy_(tensor.detach())
        tensor.data = places[name]
