"""The workload that is somebody else's program, as a configuration describes it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.reading import listing
from workloads.command.files import MLFLOW, OUTPUT, TENSORBOARD, check_metrics
from workloads.command.plan import Plan
from workloads.command.serving import ServedSession
from workloads.command.sessions import (
    FollowedSession,
    IntervalSession,
    ProgramSession,
    TestedProgramSession,
)
from workloads.command.settings import (
    environment_of,
    fidelity_of,
    limits_of,
    log_limit_of,
    objectives_of,
    template_of,
)
from workloads.command.templates import (
    ARGUMENTS,
    OVERRIDES,
    OWN,
    check_names,
    filled,
    names_in,
)
from workloads.contract import Device, Fidelity, Objective

_ONE_RUN = Fidelity("run")


class Command:
    """A program that trains something and says how good it is.

    How it is trained follows from its command and its ``environment``:

    - with ``{save}`` (and ``{load}``) or ``{checkpoint}`` it is started for each interval, trains ``{units}``
      units from the checkpoint of the interval before, and leaves one;
    - with ``{units}`` alone it trains that many units from the start, each time anew;
    - else it is started once, followed by its reports, and stopped when they are no longer wanted. A workload
      of one unit runs to its end, and the last report counts.

    Other names in braces: every hyperparameter; ``{seed}`` (below 2^31); ``{age}``, the units trained before;
    ``{config}``, a file with all hyperparameters; ``{folder}``, a folder for whatever else it writes;
    ``{threads}``; ``{python}``, this program's own interpreter. An argument ``{hyperparameters}`` stands for
    ``--name=value`` of all of them, ``{overrides}`` for ``name=value`` as Hydra reads it. A list among the
    arguments is left out while something in it has no value: an inactive hyperparameter, or ``{load}`` at
    first. Doubled braces are braces. No shell is involved.

    Args:
        space: what may vary.
        command: the program and its arguments.
        objectives: metrics that are optimised, as :func:`workloads.function.from_function` takes them.
        fidelity: the unit of training and its bounds.
        metrics: where reports come from: ``output`` (lines of standard output that are JSON objects, or hold
            ``name=value``), a file that grows (``{folder}/metrics.csv``, ``.jsonl`` or ``.json``), ``mlflow``
            (the run that the program records), ``tensorboard`` (event files in ``{folder}``).
        step: the metric that counts the units since the program was started; None: each report is one.
        config: how the file ``{config}`` is written.
        environment: variables, with names in braces, in addition to those of this program; null: the
            driver's own value, also on a cluster.
        directory: where the program works; None: where this program was started.
        serve: whether it stays alive and answers requests (:mod:`.serving`).
        follow: whether it is followed although it could be started for an interval; ``{units}`` is then full
            training. Its checkpoints are not kept.
        time_limit: seconds that an interval may take; None: for ever.
        memory_limit: MiB that all processes of the program may take; None: whatever there is.
        grace: seconds between SIGTERM and SIGKILL.
        test: the command line of a program that judges a model on held-out data in the end: it is told
            ``{load}``, the folder of a checkpoint, and prints metrics as above. None: nobody does.
        log_limit: bytes that are kept of what each member or trial prints, the newest.

    Raises:
        ConfigurationError: a value cannot be meant so.
    """

    def __init__(  # noqa: PLR0913 - the keys of the configuration
        self,
        space: SearchSpace,
        command: list[Any],
        objectives: Sequence[Objective | str | Mapping[str, Any]],
        *,
        fidelity: Any = _ONE_RUN,
        metrics: str = OUTPUT,
        step: str | None = None,
        config: Literal["json", "yaml"] = "json",
        environment: Mapping[str, Any] | None = None,
        directory: str | None = None,
        serve: bool = False,
        follow: bool = False,
        time_limit: float | None = None,
        memory_limit: float | None = None,
        grace: float = 5.0,
        test: list[Any] | None = None,
        log_limit: int = 1_000_000,
    ) -> None:
        self.space, self.fidelity = space, fidelity_of(fidelity)
        self.objectives = objectives_of(objectives)
        self._plan = Plan(
            template_of(command, "command"),
            environment_of(environment or {}),
            directory,
            config,
            metrics,
            step,
            tuple(objective.name for objective in self.objectives),
            limits_of(time_limit, memory_limit, grace),
            log_limit_of(log_limit),
        )
        self.environment = tuple(name for name, value in (environment or {}).items() if value is None)
        self._serve, self._follow = serve, follow
        check_metrics(metrics)
        self._check_names()
        self._check_training()
        self._test = None if test is None else self._tested(test)

    def prepare(self) -> None:
        """Look for the program and for the folder that it works in.

        Raises:
            ConfigurationError: one of them is not there.
        """
        place = self._plan.place()
        if not place.is_dir():
            raise ConfigurationError("directory", "a folder that exists", str(place))
        program = self._plan.command.texts[0]
        own = self._plan.environment.get("PATH")
        if "{" in program or (os.sep not in program and {*names_in(own or "")}):
            return  # it is known once a member or trial starts
        path = os.environ.get("PATH", os.defpath) if own is None else filled(own, {})
        # Relative places on PATH begin where the program works.
        places = os.pathsep.join(str(place / one) for one in path.split(os.pathsep))
        found = place / program if os.sep in program else shutil.which(program, path=places)
        if found is None:
            raise ConfigurationError("command[0]", "a program on PATH, or its path", program)
        if not (Path(found).is_file() and os.access(found, os.X_OK)):
            hint = "chmod +x makes a script one; a Python script is called as [python, script.py]"
            raise ConfigurationError("command[0]", "a file that can be executed", str(found), hint)

    def start(self, config: Config, seed: int, device: Device) -> ProgramSession:
        """A session; its program is started when it is to train."""
        own = (self._plan, self.space, config, seed, device)
        if self._serve:
            return ServedSession(*own)
        if self._followed:
            return FollowedSession(*own, self.fidelity.largest)
        return IntervalSession(*own) if self._test is None else TestedProgramSession(self._test, *own)

    @property
    def _followed(self) -> bool:
        names = self._plan.told()
        anew = {"save", "checkpoint", "units"} & names or self.fidelity.largest == 1
        return self._follow or not anew

    def _tested(self, test: Any) -> Plan:
        """How the program is started that judges models."""
        saves = not (self._serve or self._followed) and {"save", "checkpoint"} & self._plan.told()
        if not saves:
            expected = "none for a program without {load} and {save}, or {checkpoint}"
            raise ConfigurationError("test", expected, test)
        command = template_of(test, "test")
        check_names({f"test[{n}]": text for n, text in enumerate(command.texts)}, [*OWN, *self.space.names])
        if "load" not in command.names():
            raise ConfigurationError("test", "{load} in it, the folder of the checkpoint", test)
        return replace(self._plan, command=command, metrics=OUTPUT, step=None, objectives=())

    def _check_names(self) -> None:
        plan, own = self._plan, [name for name in OWN if name in self.space.names]
        if own:
            expected = f"a name but {listing(OWN)}, which have a meaning of their own in a command"
            raise ConfigurationError("space.parameters", expected, own[0])
        known = [*OWN, *self.space.names]
        texts = {f"command[{index}]": text for index, text in enumerate(plan.command.texts)}
        check_names(texts, known)
        check_names({f"environment.{name}": text for name, text in plan.environment.items()}, known)
        self._check_metrics()
        self._check_hyperparameters()
        self._check_always()

    def _check_metrics(self) -> None:
        """Refuse places for metrics where the program does not write, or where older ones lie."""
        metrics, told = self._plan.metrics, self._plan.told()
        if metrics in (OUTPUT, MLFLOW):
            return
        needed = {"folder"}
        if metrics != TENSORBOARD:
            check_names({"metrics": metrics}, ("folder", "save", "checkpoint"))
            needed = {*names_in(metrics)}
            if not needed:
                hint = "trials run side by side, and would write to one file"
                raise ConfigurationError("metrics", "a file in {folder}", metrics, hint)
            if "checkpoint" in needed and not self._follow:
                hint = "a copied {checkpoint} holds the metrics of the training before"
                raise ConfigurationError("metrics", "a file in {folder}", metrics, hint)
        # The file {config} lies in {folder}, so a program may find the one by the other.
        if missing := needed - told - ({"folder"} if "config" in told else set()):
            expected = f"{{{min(missing)}}} among the arguments or variables"
            hint = "the program would never learn where to write its metrics"
            raise ConfigurationError("command", expected, self._plan.command.texts, hint)

    def _check_hyperparameters(self) -> None:
        """Refuse hyperparameters that never reach the program."""
        plan, names = self._plan, self._plan.names()
        if self._serve or "config" in names or {ARGUMENTS, OVERRIDES} & {*plan.command.texts}:
            return
        for name in self.space.names:
            if name not in names:
                expected = f"{{{name}}}, {{config}} or {ARGUMENTS} among the arguments or variables"
                hint = "the program would never learn of this hyperparameter"
                raise ConfigurationError("command", expected, plan.command.texts, hint)

    def _check_always(self) -> None:
        """Refuse names outside of groups that do not always have a value."""
        plan, always = self._plan, self._plan.command.always()
        parents = self.space.configuration_space.parent_conditions_of
        given = {name: "is not always active" for name in self.space.names if parents[name]}
        for name, why in {"load": "there is no checkpoint at first", **given}.items():
            if name in always:
                hint = f"such as [--{name}, '{{{name}}}']: {why}, and the list is left out then"
                raise ConfigurationError(
                    "command", f"{{{name}}} in a list of its own", plan.command.texts, hint
                )

    def _check_training(self) -> None:
        names, largest = self._plan.told(), self.fidelity.largest
        if "checkpoint" in names and {"load", "save"} & names:
            found = listing(sorted({"load", "save"} & names))
            raise ConfigurationError("command", "either {checkpoint}, or {load} and {save}", found)
        if ("load" in names) != ("save" in names) and not self._follow:
            missing = "save" if "load" in names else "load"
            raise ConfigurationError("command", f"{{{missing}}} as well", self._plan.command.texts)
        if self._serve and (self._follow or {"load", "save", "checkpoint", "units"} & names):
            hint = "requests say what to load, to save and to train"
            raise ConfigurationError("serve", "false with follow, {load}, {save}, {units}", True, hint)
        if self._serve and self._plan.metrics != OUTPUT:
            hint = "answers hold them"
            raise ConfigurationError("metrics", "'output' with serve", self._plan.metrics, hint)
        if self._follow and largest == 1:
            hint = "set fidelity.largest"
            raise ConfigurationError("follow", "false for a workload of one unit", True, hint)
        saves = {"save", "checkpoint"} & names and not self._follow
        if saves and "units" not in names and largest > 1:
            hint = "the program has to know how far to train until it saves"
            raise ConfigurationError("command", "{units} as well", self._plan.command.texts, hint)
