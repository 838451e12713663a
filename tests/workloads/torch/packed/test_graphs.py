"""A function's kernels as one CUDA graph; on a real GPU: ``python -m tests.benchmarks.gpu``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from workloads.torch.packed.graphs import Graphed


class _Recorder:
    """Stands for CUDA: what is called while it records is kept, and called again by a replay.

    Attributes:
        recording: whether a function is being captured.
        kept: kernels of the graph.
    """

    def __init__(self) -> None:
        self.recording, self.replays = False, 0
        self.kept: list[Callable[[], object]] = []

    @contextmanager
    def graph(self, *_: Any, **__: Any) -> Iterator[None]:
        self.recording = True
        yield
        self.recording = False

    def launch(self, kernel: Callable[[], object]) -> None:
        if self.recording:
            self.kept.append(kernel)
        else:
            kernel()

    def replay(self) -> None:
        self.replays += 1
        for kernel in self.kept:
            kernel()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    made = _Recorder()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: made)
    monkeypatch.setattr(torch.cuda, "graph", made.graph)
    return made


def test_a_warm_function_is_replayed_with_what_it_is_given_then(recorder: _Recorder) -> None:
    weights, losses = torch.zeros(3), torch.empty(3)

    def step(inputs: dict[str, Tensor]) -> Tensor:
        recorder.launch(lambda: weights.add_(inputs["gradient"]))
        recorder.launch(lambda: losses.copy_(2 * weights))
        return losses

    graphed = Graphed(step, after=2, pool=None)
    found = [graphed({"gradient": torch.full((3,), float(i))}).clone() for i in range(6)]
    assert recorder.replays == 4 and graphed.obstacle is None
    assert [loss[0].item() for loss in found] == [0.0, 2.0, 6.0, 12.0, 20.0, 30.0]


def test_what_it_is_given_is_not_changed(recorder: _Recorder) -> None:
    def consume(inputs: Tensor) -> Tensor:
        recorder.launch(lambda: inputs.mul_(0))
        return inputs

    graphed, given = Graphed(consume, after=0, pool=None), torch.ones(2)
    assert graphed(given).tolist() == [0.0, 0.0]
    assert given.tolist() == [1.0, 1.0]


def test_what_cannot_be_captured_is_called_as_before() -> None:
    """Without a GPU nothing can be captured."""
    calls = []
    graphed = Graphed(lambda value: calls.append(value) or 2 * value, after=1, pool=None)
    assert [graphed(torch.tensor(float(i))).item() for i in range(4)] == [0.0, 2.0, 4.0, 6.0]
    assert len(calls) == 4 and graphed.obstacle is not None
