"""Functions of tensors whose kernels a GPU replays as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

Result = TypeVar("Result")


class Graphed(Generic[Result]):
    """Calls a function until it is warm, then replays its kernels with one launch.

    Launching a kernel takes the CPU some microseconds, and small members' kernels finish sooner than that, so
    that most of a step on a GPU is waiting for the next launch. A graph launches all of them at once.

    What the function takes is copied into the graph's own tensors at every call. Tensors that it closes over
    are used where they lie and must stay there. Results are overwritten by the next replay of any graph of
    the same pool: whoever wants to keep them copies them at once.

    A function that cannot be captured (it waits for the GPU, or makes decisions on the CPU) is called as
    before.

    Args:
        function: of tensors in nested containers, always of the same shapes.
        after: calls before it is captured, which loads libraries and finds the fastest kernels.
        pool: memory that graphs which never run at the same time share (``torch.cuda.graph_pool_handle``).

    Attributes:
        obstacle: why the function was not captured, in one line; None: it was, or was not tried yet.
    """

    def __init__(self, function: Callable[..., Result], after: int, pool: Any) -> None:
        self._function, self._left, self._pool = function, after, pool
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._result: Result | None = None
        self.obstacle: str | None = None

    def __call__(self, *arguments: Any) -> Result:
        if self._graph is None:
            if self._left > 0 or self.obstacle is not None:
                self._left -= 1
                return self._function(*arguments)
            self._capture(arguments)
            if self._graph is None:
                return self._function(*arguments)
        leaves, _ = tree_flatten(arguments)
        for own, given in zip(self._inputs, leaves, strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._result  # type: ignore[return-value]  # set with the graph

    def _capture(self, arguments: tuple[Any, ...]) -> None:
        """Record the function's kernels; nothing is computed meanwhile."""
        leaves, structure = tree_flatten(arguments)
        inputs = [leaf.clone() for leaf in leaves]
        try:
            graph = torch.cuda.CUDAGraph()
            # Other threads of this process (snapshots) may go on using the GPU.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                result = self._function(*tree_unflatten(inputs, structure))
        except Exception as error:  # noqa: BLE001 - it is only for speed; what is wrong shows in the next call
            self.obstacle = (str(error).strip().splitlines() or [type(error).__name__])[0]
            return
        self._graph, self._inputs, self._result = graph, inputs, result
