"""A training loop of the user's own as a workload: ``def train(config, ctx)``, or a generator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.contract import Device, Fidelity, Objective
from workloads.function import objective_of
from workloads.loop.call import LoopFunction
from workloads.loop.context import Context, Rules, Step
from workloads.loop.session import LoopSession, LoopTest, TestedLoopSession

_OFFERED = ("ctx", "checkpoint", "seed", "device")
_FORMS = "a function train(config, ctx), or a generator of config and by name ctx, checkpoint, seed or device"


class Loop:
    """Trains by a function that reports, however its loop is written.

    ``def train(config, ctx)`` calls ``ctx.report(accuracy=0.9, checkpoint=...)`` after each unit of training
    (:class:`Context`), also from a callback of the framework that owns the loop. A generator function yields
    :class:`Step` instead.

    Args:
        function: the loop. Picklable: a function of a module.
        space: what may vary. Where a mutable hyperparameter changes, the loop is called again with its
            checkpoint.
        objectives: what is optimised; a name is enough for a metric that is to be small.
        largest: units of a full training.
        unit: what one is called; each report is one, unless ``progress`` is given.
        progress: the metric that counts units so far, for loops that report more seldom than that.
        test: judges models on held-out data in the end: ``test(config, checkpoint)`` returns metrics by name,
            of a checkpoint as the loop reports it. None: nobody does.

    Raises:
        ConfigurationError: the signature is another, or there is no objective.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        space: SearchSpace,
        objectives: Sequence[Objective | str | Mapping[str, Any]],
        largest: int,
        unit: str = "report",
        progress: str | None = None,
        test: LoopTest | None = None,
    ) -> None:
        self._names = _arguments(function)
        _check_test(test)
        self.function, self.space, self.test = function, space, test
        self.objectives = tuple(objective_of(given) for given in objectives)
        if not self.objectives:
            raise ConfigurationError("objectives", "at least one objective", ())
        if largest < 1:
            raise ConfigurationError("largest", f"at least 1 {unit}", largest)
        self.fidelity = Fidelity(unit, largest=largest)
        self._rules = Rules(tuple(objective.name for objective in self.objectives), unit, progress)

    def start(self, config: Config, seed: int, device: Device) -> LoopSession:
        function = LoopFunction(self._run, _name(self.function), self._rules)
        if self.test is not None:
            return TestedLoopSession(self.test, function, self.space.mutable, config, seed, device)
        return LoopSession(function, self.space.mutable, config, seed, device)

    def _run(self, config: Config, ctx: Context) -> None:
        """Run the loop to its end."""
        offered: dict[str, Callable[[], Any]] = {
            "ctx": lambda: ctx,
            "checkpoint": lambda: ctx.checkpoint,
            "seed": lambda: ctx.seed,
            "device": lambda: ctx.device,
        }
        own = () if self._names else (ctx,)
        steps = self.function(config, *own, **{name: offered[name]() for name in self._names})
        if not inspect.isgenerator(steps):
            return
        with closing(steps):
            for step in steps:
                if not isinstance(step, Step):
                    name = _name(self.function)
                    raise TypeError(f"{name}: expected it to yield Step(metrics, checkpoint), got {step!r}")
                ctx.report(step.metrics, checkpoint=step.checkpoint)


def _arguments(function: Any) -> tuple[str, ...]:
    """What the function takes by name; nothing where its second argument, of whatever name, is the context.

    Raises:
        ConfigurationError: it cannot be called.
    """
    if not callable(function):
        hint = "write {_target_: my_module.train, _partial_: true}"
        raise ConfigurationError("function", _FORMS, function, hint)
    signature = inspect.signature(function)
    own = tuple(one for one in list(signature.parameters)[1:] if one in _OFFERED)
    try:
        signature.bind({}, *(() if own else (None,)), **dict.fromkeys(own))
    except TypeError:
        raise ConfigurationError("function", _FORMS, f"{_name(function)}{signature}") from None
    return own


def _check_test(test: Any) -> None:
    """Refuse what is no function."""
    if test is not None and not callable(test):
        hint = "write {_target_: my_module.test, _partial_: true}"
        raise ConfigurationError("test", "a function test(config, checkpoint)", test, hint)


def _name(function: Any) -> str:
    inner = getattr(function, "func", function)  # of a functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))
