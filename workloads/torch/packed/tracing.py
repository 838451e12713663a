"""Functions of tensors that are recorded once and then replayed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

Result = TypeVar("Result")
_Shapes = tuple[torch.Size, ...]


_TRACING = threading.Lock()
"""torch.fx marks in a global that it traces; two threads at once would leave the mark behind."""


class Traced(Generic[Result]):
    """Replays a function as the plain list of tensor operations that it comes down to.

    That leaves out what ``vmap`` and ``grad`` do between the operations, which takes most of the time where
    members are few or small. Recording costs about as much as a hundred calls, so it waits until a function
    has been called some times with tensors of the same shapes. Operations in place are replayed as such.

    Args:
        function: of tensors in nested containers; what it computes must follow from their shapes alone.
        after: calls with the same shapes before it is recorded.
    """

    def __init__(self, function: Callable[..., Result], after: int) -> None:
        self._function, self._after = function, after
        self._calls: Counter[_Shapes] = Counter()
        self._records: dict[_Shapes, Callable[..., Result]] = {}

    def __call__(self, *arguments: Any) -> Result:
        tensors, structure = tree_flatten(arguments)
        shapes = tuple(tensor.shape for tensor in tensors)
        if shapes in self._records:
            return self._records[shapes](*tensors)
        if self._calls[shapes] < self._after:
            self._calls[shapes] += 1
            return self._function(*arguments)

        def flat(*leaves: torch.Tensor) -> Result:
            return self._function(*tree_unflatten(leaves, structure))

        try:
            # Not with the tensors themselves, on which the operations would then be done.
            with _TRACING:
                trace = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)
                self._records[shapes] = trace(*tensors)
        except Exception:  # noqa: BLE001 - it is only for speed
            self._records[shapes] = flat
        return self._records[shapes](*tensors)
