"""How the programs of a :class:`.workload.Command` are started, and one of them with its reports."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from search_spaces import Config
from workloads.command.files import MLFLOW, OUTPUT, TENSORBOARD, environment_of, source_of
from workloads.command.output import Output
from workloads.command.process import Limits, Program, Supervisor
from workloads.command.reports import Lines, Reports
from workloads.command.templates import Template, filled, names_in, text_of, variables
from workloads.contract import Device

LARGEST_SEED = 2**31
"""Seeds of programs are below it; most libraries take no others."""


@dataclass(frozen=True)
class Plan:
    """How a workload's programs are started; see :class:`.workload.Command` for what the fields mean."""

    command: Template
    environment: Mapping[str, str]
    directory: str | None
    config: Literal["json", "yaml"]
    metrics: str
    step: str | None
    objectives: tuple[str, ...]
    limits: Limits
    log_limit: int

    def names(self) -> set[str]:
        """All that is filled in anywhere."""
        return self.told() | {*names_in(self.metrics)}

    def told(self) -> set[str]:
        """What the program is told, in its arguments or its variables."""
        variables = {name for text in self.environment.values() for name in names_in(text)}
        return self.command.names() | variables

    def writes(self) -> bool:
        """Whether the program is given a folder, or told to write into it, besides its checkpoints."""
        return bool({"folder", "config"} & self.names()) or self.metrics in (MLFLOW, TENSORBOARD)

    def place(self) -> Path:
        """Where programs work."""
        return Path.cwd() if self.directory is None else Path(self.directory).expanduser().absolute()


@dataclass(frozen=True)
class Inputs:
    """What one run of the program is given.

    Args:
        config: all hyperparameters.
        seed: the session's.
        units: how many units to train.
        age: how many have been trained before; 0 where the program trains anew.
        folder: the run's own folder; the program may do in it what it likes.
        load: the checkpoint to go on from; None: there is none.
        save: where to leave one; None: none is wanted.
        checkpoint: the folder that is both; None: the program has none.
    """

    config: Config
    seed: int
    units: int
    age: int
    folder: Path
    load: Path | None = None
    save: Path | None = None
    checkpoint: Path | None = None


class Run:
    """One program with its reports.

    Args:
        plan: how it is started.
        supervisor: below whom.
        inputs: what it is given.
        device: where it computes, and where what it prints is kept.
        newest: whether only its last report matters.
        answers: gets what it prints on standard output, in place of its reports; None: nobody talks to it.
    """

    def __init__(
        self,
        plan: Plan,
        supervisor: Supervisor,
        inputs: Inputs,
        device: Device,
        *,
        newest: bool,
        answers: Callable[[bytes], object] | None = None,
    ) -> None:
        values = _values(plan, inputs, device)
        self._plan, self.reports = plan, Reports(plan.objectives, plan.step, newest=newest)
        self._lines, self._source = Lines(self.reports), None
        if plan.metrics != OUTPUT:
            self._source = source_of(filled(plan.metrics, values), inputs.folder, self.reports)
        arguments = plan.command.fill(values, inputs.config)
        log = None if device.logs is None else device.logs / f"{device.unit}.log"
        printed = self._lines.feed if plan.metrics == OUTPUT else _ignore
        output = Output(log, plan.log_limit, shlex.join(arguments), answers or printed)
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",  # else Python keeps reports back that we wait for
            **environment_of(plan.metrics, inputs.folder),
            **variables(plan.environment, values),
        }
        self.program: Program = supervisor.start(
            arguments, environment, plan.place(), output, talks=answers is not None
        )

    def look(self) -> None:
        """Take what is new in files."""
        if self._source is not None:
            self._source.look()

    def finish(self) -> None:
        """The program is over: take what is left.

        Raises:
            ProgramError: it failed.
        """
        self.program.check()
        self._lines.finish()
        if self._source is not None:
            self._source.finish()

    def metrics(self, units: float | None = None) -> Mapping[str, float]:
        """What it reported first after so many units, or last.

        Raises:
            ProgramError: an objective is missing.
        """
        report = self.reports.take(units)
        if report is not None:
            return report.metrics
        missing = ", ".join(map(repr, self.reports.missing() or self._plan.objectives))
        where = "on standard output" if self._plan.metrics == OUTPUT else f"to {self._plan.metrics}"
        flaw = f" ({self.reports.flaw})" if self.reports.flaw else ""
        raise self.program.failure(f"ended without reporting {missing} {where}{flaw}")


def place_for(device: Device, kind: str) -> Path:
    """Where a new folder for files of a session may be made."""
    scratch = Path(tempfile.gettempdir()) if device.scratch is None else device.scratch
    return scratch / f"{kind}-{uuid.uuid4().hex}"


def config_text(plan: Plan, config: Config) -> str:
    """The file of hyperparameters."""
    if plan.config == "yaml":
        # JSON is YAML, but for numbers such as 1e-05, which YAML 1.1 reads as texts.
        values = {name: re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value)) for name, value in config.items()}
        return "".join(f"{json.dumps(name)}: {value}\n" for name, value in values.items())
    return json.dumps(dict(config), indent=2) + "\n"


def _values(plan: Plan, inputs: Inputs, device: Device) -> dict[str, str | None]:
    config = None
    if "config" in plan.names():
        config = inputs.folder / f"config.{plan.config}"
        config.write_text(config_text(plan, inputs.config))
    given = {"load": inputs.load, "save": inputs.save, "checkpoint": inputs.checkpoint, "config": config}
    return {
        **dict.fromkeys(plan.names()),  # hyperparameters that are inactive have no value
        **{name: text_of(value) for name, value in inputs.config.items()},
        **{name: None if path is None else str(path) for name, path in given.items()},
        "seed": str(inputs.seed % LARGEST_SEED),
        "units": str(inputs.units),
        "age": str(inputs.age),
        "folder": str(inputs.folder),
        "python": sys.executable,
        "threads": str(device.threads),
    }


def _ignore(_: bytes) -> None:
    """Takes what nobody looks at."""
