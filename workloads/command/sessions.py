"""Sessions of programs that are started anew for an interval, or once and followed by their reports."""

from __future__ import annotations

import shutil
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.command.plan import Inputs, Plan, Run, place_for
from workloads.command.process import Supervisor
from workloads.contract import Device, Metrics, State
from workloads.folder import Folder, adopted, held, moved


class ProgramSession:
    """What all sessions of programs have in common.

    Args:
        plan: how programs are started.
        space: what may vary.
        config: the session's own hyperparameters.
        seed: the session's.
        device: where it computes.
    """

    def __init__(self, plan: Plan, space: SearchSpace, config: Config, seed: int, device: Device) -> None:
        self._plan, self._space, self._seed, self._device = plan, space, seed, device
        self._config = dict(config)
        self._age = 0
        self._supervisor = Supervisor(plan.limits)
        self._own = place_for(device, "session")
        self._own.mkdir(parents=True, mode=0o700)
        weakref.finalize(self, _end, self._supervisor.close, self._own)

    def configure(self, config: Config) -> None:
        mutable = self._space.mutable
        fixed = self._space.immutable_part(self._config)
        self._config = {**fixed, **{name: value for name, value in config.items() if name in mutable}}

    def _inputs(self, folder: Path, units: int, **more: Any) -> Inputs:
        return Inputs(self._config, self._seed, units, self._age, folder, **more)


class IntervalSession(ProgramSession):
    """Starts the program for each interval, with the checkpoint that the one before left.

    A program without checkpoints trains each time from the start, for all units so far.
    """

    def __init__(self, plan: Plan, space: SearchSpace, config: Config, seed: int, device: Device) -> None:
        super().__init__(plan, space, config, seed, device)
        names = plan.told()
        self._separate, self._shared = "save" in names, "checkpoint" in names
        self._checkpoint: Folder | None = None

    def advance(self, amount: int) -> Metrics:
        try:
            inputs = self._given(amount)
            run = self._ended(self._plan, inputs)
            metrics = run.metrics()
            self._keep(run, inputs)
        finally:
            self._clear()
        self._age += amount
        return metrics

    def state(self) -> State:
        return {"age": self._age, "checkpoint": self._checkpoint}

    def load(self, state: State) -> None:
        self._age, self._checkpoint = state["age"], state["checkpoint"]
        if self._checkpoint is not None:
            self._checkpoint = held(self._checkpoint, place_for(self._device, "checkpoint"))

    def _ended(self, plan: Plan, inputs: Inputs) -> Run:
        """A program's run, from its start to its good end."""
        run = Run(plan, self._supervisor, inputs, self._device, newest=True)
        try:
            run.program.end(run.look)
        finally:
            if not run.program.over:
                run.program.stop()
        run.finish()
        return run

    def _clear(self) -> None:
        """Delete what a run left in the session's own folder."""
        # File systems may take milliseconds for each folder, so that none is made in vain.
        for left in self._own.iterdir():
            shutil.rmtree(left, ignore_errors=True)

    def _given(self, amount: int) -> Inputs:
        work, load, save = (self._own / name for name in ("work", "load", "save"))
        if self._plan.writes():
            work.mkdir()
        if not (self._separate or self._shared):
            return replace(self._inputs(work, self._age + amount), age=0)  # it trains anew
        given = save if self._shared else load
        if self._checkpoint is not None:
            self._checkpoint.copy_to(given)
        save.mkdir(exist_ok=True)
        if self._shared:
            return self._inputs(work, amount, checkpoint=save)
        return self._inputs(work, amount, load=load if self._checkpoint is not None else None, save=save)

    def _keep(self, run: Run, inputs: Inputs) -> None:
        """Take over what the program saved; it has ended, so that nobody writes to it any more."""
        saved = inputs.save or inputs.checkpoint
        if saved is None:
            return
        name = "save" if inputs.save else "checkpoint"
        if not saved.is_dir() or not any(saved.iterdir()):
            raise run.program.failure(f"left no checkpoint in {{{name}}}")
        self._checkpoint = taken(saved, self._device)


class TestedProgramSession(IntervalSession):
    """One whose checkpoints another program judges on held-out data.

    Args:
        test: how that is started; it is told ``{load}``.
        plan, space, config, seed, device: as of any program.
    """

    def __init__(
        self, test: Plan, plan: Plan, space: SearchSpace, config: Config, seed: int, device: Device
    ) -> None:
        super().__init__(plan, space, config, seed, device)
        self._test = test

    def test(self) -> Metrics:
        """What it reports last, of a copy of the present checkpoint.

        Raises:
            ProgramError: it failed, or reported nothing.
        """
        work, load = self._own / "work", self._own / "load"
        try:
            work.mkdir()
            assert self._checkpoint is not None  # nothing is judged before it is trained
            self._checkpoint.copy_to(load)
            return self._ended(self._test, self._inputs(work, 0, load=load)).metrics()
        finally:
            self._clear()


def _end(close: Callable[[], object], folder: Path) -> None:
    """First the program, which may write to the folder until it has ended."""
    close()
    shutil.rmtree(folder, ignore_errors=True)


def taken(folder: Path, device: Device) -> Folder:
    """A folder that its program is done with, as a checkpoint."""
    return adopted(moved(folder, place_for(device, "checkpoint")))


class FollowedSession(ProgramSession):
    """Starts the program once and follows its reports; while nobody follows, it waits when its pipe is full.

    Args:
        units: full training, which the program is told as ``{units}``.
    """

    def __init__(
        self, plan: Plan, space: SearchSpace, config: Config, seed: int, device: Device, units: int
    ) -> None:
        super().__init__(plan, space, config, seed, device)
        self._units = units
        self._run: Run | None = None
        self._last: Metrics = {}

    def advance(self, amount: int) -> Metrics:
        if self._run is None:
            given = {name: self._own / name for name in ("save", "checkpoint") if name in self._plan.names()}
            for place in given.values():
                place.mkdir()
            inputs = self._inputs(self._own, self._units, **given)
            self._run = Run(self._plan, self._supervisor, inputs, self._device, newest=False)
        run, self._age = self._run, self._age + amount
        if not run.program.follow(lambda: run.reports.reached >= self._age, run.look):
            run.finish()
            # A program that ends early by itself has said its last.
            if run.reports.reached == 0 and self._last:
                return self._last
        self._last = run.metrics(self._age)
        if self._age >= self._units:
            self._let_end(run)
        return self._last

    def configure(self, config: Config) -> None:
        if self._run is not None and dict(config) != self._config:
            raise no_checkpoints("hyperparameters that change while the program runs")
        self._config = dict(config)

    def state(self) -> State:
        raise no_checkpoints("a population, or copies of what is trained")

    def load(self, state: State) -> None:
        del state
        raise no_checkpoints("a population, or copies of what is trained")

    def _let_end(self, run: Run) -> None:
        """After full training, let the program conclude for as long as it would get to stop."""
        until = time.monotonic() + self._plan.limits.grace
        if run.program.follow(lambda: time.monotonic() >= until):
            run.program.stop()
        else:
            run.finish()


def no_checkpoints(what: str) -> ConfigurationError:
    """Why a program that is started once and followed does not do."""
    expected = f"{{load}} and {{save}}, {{checkpoint}} or {{units}} in it, for {what}"
    hint = "a program that keeps running can be talked to instead: serve=true"
    return ConfigurationError("workload.command", expected, "a program that is followed", hint)
