"""One call of a user's training function, which is paused inside its reports."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search_spaces import Config, ConfigurationError
from search_spaces.reading import Nothing
from workloads.contract import Device, Metrics, State
from workloads.folder import Folder, copied_from
from workloads.generators import Purpose, derived_seed, own_generators, seed_generators
from workloads.loop.context import Context, Rules
from workloads.loop.thread import TurnTaker

CHECKPOINT_KEY = "workload.function"
"""Where errors about checkpoints point: the loop that has to report them."""


@dataclass(frozen=True)
class LoopFunction:
    """A loop that can be called.

    Args:
        run: calls it, with a configuration and a context.
        name: for messages.
        rules: of its reports.
    """

    run: Callable[[Config, Context], None]
    name: str
    rules: Rules


class LoopCall:
    """A call of a loop.

    Args:
        function: the loop.
        config: the hyperparameters.
        seed: of the session.
        device: where it trains.
        age: units of training in ``checkpoint``.
        checkpoint: a state of the loop's own or a folder; None: training begins.
    """

    def __init__(
        self, function: LoopFunction, config: Config, seed: int, device: Device, age: int, checkpoint: State
    ) -> None:
        self.config = dict(config)
        self._function, self._device = function, device
        self._folder: Path | None = None
        if isinstance(checkpoint, Folder):
            self._folder = Path(tempfile.mkdtemp(prefix="checkpoint-", dir=scratch(device)))
            try:
                checkpoint.copy_to(self._folder / "checkpoint")
            except BaseException:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise
            checkpoint = self._folder / "checkpoint"
        self._start_seed = derived_seed(seed, Purpose.START)
        given = dict(config)
        self._turns = turns = TurnTaker(lambda: function.run(given, context), f"loop-{function.name}")
        self._context = context = Context(function.rules, seed, device, age, checkpoint, turns)

    @property
    def stop(self) -> Callable[[], None]:
        """Ends the call where it is; refers to nothing that refers to it."""
        turns, folder = self._turns, self._folder

        def stop() -> None:
            turns.stop()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

        return stop

    def advance(self, target: int) -> Metrics:
        """Train up to ``target`` units; what the report there said.

        Raises:
            Exception: what the loop raised.
            RuntimeError: it returned or exited before, or has ended already.
        """
        context = self._context
        context.target = target
        with own_generators(self._device.name):
            if not self._turns.started:
                seed_generators(self._start_seed, self._device.name)
            try:
                paused = self._turns.resume()
            except SystemExit as error:  # which would end a process that trains others
                raise RuntimeError(f"{self._function.name} called sys.exit({error})") from error
        if not paused:
            raise RuntimeError(self._too_short(target))
        return dict(context.latest.metrics)

    def checkpoint(self) -> State:
        """What training can go on from; may refer to what the loop trains.

        Raises:
            ConfigurationError: the last report had none.
            FileNotFoundError: it is the path of no folder.
            RuntimeError: it is a function, and the loop has ended.
        """
        saving = self._context.latest.checkpoint
        if callable(saving):
            with own_generators(self._device.name):
                saving = self._turns.within(saving)
        if saving is None:
            name = self._function.name
            expected = f"{name} to report(..., checkpoint=...), since this study copies what it has trained"
            hint = "pass a state, such as state_dict()s, or the path of a folder"
            raise ConfigurationError(CHECKPOINT_KEY, expected, Nothing(), hint)
        if isinstance(saving, str | Path):
            return copied_from(Path(saving), scratch(self._device))
        return saving

    def _too_short(self, target: int) -> str:
        name, unit, age = self._function.name, self._function.rules.unit, self._context.age
        if not self._context.latest.metrics:
            return f"{name} returned without a report: call ctx.report(name=value) after each {unit}"
        return (
            f"{name} returned after {age} {unit}s, and was to report {target}: "
            "let it train longer, or lower 'largest'"
        )


def scratch(device: Device) -> Path:
    """The folder for temporary files, which exists."""
    folder = device.scratch or Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    return folder
