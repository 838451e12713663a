"""One member or trial whose training loop belongs to somebody else."""

from __future__ import annotations

import tempfile
import uuid
import weakref
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from search_spaces import Config
from workloads.contract import Device, Metrics, State
from workloads.folder import Folder, held
from workloads.generators import Purpose, derived_seed, own_generators, seed_generators
from workloads.loop.call import LoopCall, LoopFunction, scratch
from workloads.state import copied, independent

LoopTest = Callable[[Config, Any], Mapping[str, Any]]


class LoopSession:
    """Trains by a loop that is paused between two intervals.

    With the same configuration and weights the loop goes on where it is. After :meth:`load`, and where a
    hyperparameter has changed, it is stopped and called again with its checkpoint.

    Args:
        function: the loop.
        mutable: names of the hyperparameters that can change.
        config, seed, device: as of any session.
    """

    def __init__(
        self, function: LoopFunction, mutable: Collection[str], config: Config, seed: int, device: Device
    ) -> None:
        self._function, self._mutable = function, mutable
        self._config, self._seed, self._device = dict(config), seed, device
        self._age, self._checkpoint = 0, None
        self._metrics: Metrics = {}
        self._call: LoopCall | None = None
        self._stop: Callable[[], object] = _nothing

    def advance(self, amount: int) -> Metrics:
        if not amount:
            return self._metrics
        if self._call is not None and self._call.config != self._config:
            self._end(self._call.checkpoint())
        if self._call is None:
            self._begin()
        assert self._call is not None
        self._metrics = self._call.advance(self._age + amount)
        self._age += amount
        return self._metrics

    def configure(self, config: Config) -> None:
        fixed = {name: value for name, value in self._config.items() if name not in self._mutable}
        self._config = {**fixed, **{name: value for name, value in config.items() if name in self._mutable}}

    @independent
    def state(self) -> State:
        """``age`` and ``checkpoint``, as the loop reported it; None where nothing has been trained.

        Raises:
            ConfigurationError: the last report had no checkpoint.
        """
        checkpoint = self._checkpoint if self._call is None else self._call.checkpoint()
        return {"age": self._age, "checkpoint": copied(checkpoint)}

    @independent
    def load(self, state: State) -> None:
        checkpoint = copied(state["checkpoint"])
        if isinstance(checkpoint, Folder):
            checkpoint = held(checkpoint, scratch(self._device) / f"checkpoint-{uuid.uuid4().hex}")
        self._end(checkpoint)
        self._age = state["age"]

    def close(self) -> None:
        """Stop the loop; its ``finally`` blocks run."""
        self._end(None)

    def _begin(self) -> None:
        self._call = LoopCall(
            self._function, self._config, self._seed, self._device, self._age, self._checkpoint
        )
        # Also for a session that is dropped without being closed, and where the process ends.
        self._stop = weakref.finalize(self, self._call.stop)
        self._checkpoint = None

    def _end(self, checkpoint: State) -> None:
        """Stop the loop, and go on from ``checkpoint`` next time."""
        self._stop()
        self._call, self._checkpoint = None, checkpoint


class TestedLoopSession(LoopSession):
    """One whose models can be judged on held-out data.

    Args:
        test: given the configuration and a checkpoint as the loop reported it (None: nothing is trained, a
            folder as its path), returns metrics by name.
        function, mutable, config, seed, device: as above.
    """

    def __init__(
        self,
        test: LoopTest,
        function: LoopFunction,
        mutable: Collection[str],
        config: Config,
        seed: int,
        device: Device,
    ) -> None:
        super().__init__(function, mutable, config, seed, device)
        self._test = test

    def test(self) -> Metrics:
        """What the function says of the present checkpoint; training goes on as if it had not been asked."""
        checkpoint = copied(self._checkpoint if self._call is None else self._call.checkpoint())
        with tempfile.TemporaryDirectory(prefix="test-", dir=scratch(self._device)) as folder:
            if isinstance(checkpoint, Folder):
                checkpoint.copy_to(Path(folder, "checkpoint"))
                checkpoint = Path(folder, "checkpoint")
            with own_generators(self._device.name):
                seed_generators(derived_seed(self._seed, Purpose.EVALUATION, self._age), self._device.name)
                metrics = self._test(dict(self._config), checkpoint)
        if not isinstance(metrics, Mapping):
            raise TypeError(f"test: expected it to return metrics by name, got {metrics!r}")
        return {str(name): float(value) for name, value in metrics.items()}


def _nothing() -> None:
    """There is nothing to stop yet."""
