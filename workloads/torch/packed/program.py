"""One training step, and one evaluation, of many members at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from workloads.torch.algorithms import UpdateRule
from workloads.torch.packed.arena import Arena, Layout
from workloads.torch.packed.graphs import Graphed
from workloads.torch.packed.tracing import Traced
from workloads.torch.pieces import Batch, ModelFunction, Pieces, Splits
from workloads.torch.session import TorchSession

TRACE_AFTER = 30
"""Calls after which recording pays; a group that dissolves before has cost nothing."""


class Rows(NamedTuple):
    """Some members' part of an arena; views, K of each."""

    weights: Tensor
    moments: list[Tensor]
    buffers: dict[str, Tensor]

    @classmethod
    def of(cls, arena: Arena, members: slice) -> Rows:
        """The part of these members."""
        buffers = {name: stacked[members] for name, stacked in arena.buffers.items()}
        return cls(arena.weights[members], [rows[members] for rows in arena.moments], buffers)


class StepInputs(NamedTuple):
    """What one step of K members takes besides their rows.

    Args:
        hyperparameters: what the loss takes, each ``(K,)``.
        chosen: rows of the split, int64 ``(K, batch)``.
        keys: of the member and the step, int64 ``(K,)``.
        coefficients: what the rule's update takes, ``(number of them, K, 1)``.
    """

    hyperparameters: Mapping[str, Tensor]
    chosen: Tensor
    keys: Tensor
    coefficients: Tensor


class Bound(NamedTuple):
    """A program with the rows that it works on. Results hold until the next call of either function.

    Args:
        step: trains every member one step, in place; the losses, ``(K,)``.
        evaluate: the workload's evaluation of every member on the validation split, each ``(K,)``.
    """

    step: Callable[[StepInputs], Tensor]
    evaluate: Callable[[], dict[str, Tensor]]


class Program:
    """What members of one static key compute, as functions of tensors that ``torch.compile`` takes whole.

    Args:
        session: any of them.
        trace_after: calls with the same number of members before they are recorded (see :class:`Traced`).
        pool: memory of graphs (see :class:`Graphed`); None: the program's own, on a GPU.
    """

    def __init__(self, session: TorchSession, trace_after: int = TRACE_AFTER, pool: Any = None) -> None:
        self._warm, self._pool = trace_after + 1, pool
        if pool is None and session.device.type == "cuda":
            self._pool = torch.cuda.graph_pool_handle()
        self._definition: Pieces = session.definition
        self._rule, self._device = rule_of(session), session.device
        self._layout = Layout(session.weights)
        # Two, since a compiled function would be compiled anew whenever one changed between the modes.
        self._training, self._evaluating = (_hollow(session.module).train(mode) for mode in (True, False))
        self._traced_step = Traced(self._step, trace_after)
        self._traced_evaluation = Traced(self._evaluate, trace_after)
        self._compiled: Callable[[Rows, Batch, StepInputs], Tensor] | None = None
        self._sizes: frozenset[int] = frozenset()

    def compile(self, sizes: Iterable[int]) -> None:
        """Let ``torch.compile`` make one program of a step for each of these numbers of members.

        It does so when such a step is first taken, in tens of seconds; other numbers are never compiled.
        """
        self._sizes = frozenset(sizes)
        self._compiled = torch.compile(self._step, fullgraph=True, dynamic=False)

    def bound(self, rows: Rows, splits: Splits, *, graphed: bool) -> Bound:
        """What these members compute, again and again; ``graphed``: as CUDA graphs if they are on a GPU."""

        def step(inputs: StepInputs) -> Tensor:
            return self.step(rows, splits.train, inputs)

        def evaluate() -> dict[str, Tensor]:
            return self.evaluate(rows, splits.validation)

        if self._pool is None or not graphed:
            return Bound(step, evaluate)
        return Bound(Graphed(step, self._warm, self._pool), Graphed(evaluate, self._warm, self._pool))

    def step(self, rows: Rows, train: Batch, inputs: StepInputs) -> Tensor:
        """Train every member one step on rows of the split ``train``, in place; the losses, ``(K,)``."""
        if self._compiled is not None and len(rows.weights) in self._sizes:
            return self._compiled(rows, train, inputs)
        return self._traced_step(rows, train, inputs)

    def evaluate(self, rows: Rows, split: Batch) -> dict[str, Tensor]:
        """The workload's evaluation of every member on a whole split, each ``(K,)``."""
        return self._traced_evaluation(rows, split)

    def _evaluate(self, rows: Rows, split: Batch) -> dict[str, Tensor]:
        def one(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> dict[str, Tensor]:
            return dict(self._definition.evaluate(_call(self._evaluating, weights, buffers), split))

        with torch.no_grad(), self._definition.autocast(self._device):
            values: dict[str, Tensor] = vmap(one)(self._layout.split(rows.weights), rows.buffers)
        return values

    def _step(self, rows: Rows, train: Batch, inputs: StepInputs) -> Tensor:
        batch = Batch(*(_gather(part, inputs.chosen) for part in train))
        weights = self._layout.split(rows.weights)
        # The model changes buffers in place; should the step fail, the members' own are as they were.
        buffers = {name: buffer.clone() for name, buffer in rows.buffers.items()}
        with torch.no_grad():
            gradients, (losses, buffers) = vmap(grad_and_value(self._loss, has_aux=True))(
                weights, buffers, batch, inputs.hyperparameters, inputs.keys
            )
            coefficients = inputs.coefficients.unbind()
            self._rule.update(rows.weights, rows.moments, self._layout.join(gradients), coefficients)
            for name, buffer in buffers.items():
                rows.buffers[name].copy_(buffer)
        return losses  # type: ignore[no-any-return]

    def _loss(
        self,
        weights: dict[str, Tensor],
        buffers: dict[str, Tensor],
        batch: Batch,
        hyperparameters: Mapping[str, Tensor],
        key: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """One member's loss, and its buffers, which the model may have changed in place."""
        model = _call(self._training, weights, buffers)
        with self._definition.autocast(self._device):
            return self._definition.loss(model, batch, hyperparameters, key), buffers


def rule_of(session: TorchSession) -> UpdateRule:
    """The session's training algorithm, which updates many members at once.

    Raises:
        TypeError: it cannot.
    """
    if not isinstance(session.rule, UpdateRule):
        raise TypeError(f"{session.rule.name} {session.rule.alone}")
    return session.rule


def _hollow(module: nn.Module) -> nn.Module:
    """A copy without values, which are given with each call; what shares a weight goes on sharing it."""
    tensors = {id(p): nn.Parameter(p.detach().to("meta"), p.requires_grad) for p in module.parameters()}
    buffers = {id(buffer): buffer.to("meta") for buffer in module.buffers()}
    return copy.deepcopy(module, {**tensors, **buffers})


def _call(module: nn.Module, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> ModelFunction:
    def model(*inputs: Any) -> Tensor:
        return functional_call(module, (weights, buffers), inputs)  # type: ignore[no-any-return]

    return model


def _gather(part: Tensor, chosen: Tensor) -> Tensor:
    """Rows of a split, ``(K, batch, ...)``."""
    return part.index_select(0, chosen.flatten()).view(*chosen.shape, *part.shape[1:])
