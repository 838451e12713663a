"""The shape of each kind of study's own part of the configuration."""

from __future__ import annotations

from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from omegaconf import MISSING


class PopulationEngine(Enum):
    """How members of an island train."""

    auto = "auto"
    packed = "packed"
    loop = "loop"


class Overdue(Enum):
    """What becomes of a trial that takes longer than its time limit."""

    stop = "stop"
    fail = "fail"


class Ask(Enum):
    """Where a person answers."""

    terminal = "terminal"
    page = "page"


@dataclass
class ObjectiveConfig:
    """One metric of the workload that is optimised or constrained.

    Attributes:
        name: the metric, as the workload reports it.
        direction: ``min`` or ``max``.
        reference: the worst value of interest, in the metric's own units; null: inferred.
        bound: values worse than this are infeasible; null: no constraint.
    """

    name: str = MISSING
    direction: str = "min"
    reference: float | None = None
    bound: float | None = None


@dataclass
class PopulationConfig:
    """A population study.

    Attributes:
        size: number of members, at least 2.
        generations: intervals that each member trains.
        interval: units of the workload's fidelity (training steps, epochs) between two looks at the
            population. ``auto``, for methods that adapt how often they decide (ipbt): a member's life is
            full training, cut into ``generations`` intervals, and the method lets more and more of them pass
            between its decisions.
        synchronous: True: all members are compared at a barrier and the study is a function of its seed;
            False: no member ever waits for another.
        method: decides who copies whom and with which hyperparameters (``_target_`` and its parameters);
            empty: PBT, which composes the two rules below.
        exploit: the rule that says who copies whom (``_target_`` and its parameters).
        explore: the rule that changes the hyperparameters of those who copied.
        inherit_hyperparameters: whether a copy takes its parent's hyperparameters with the weights, as in
            the paper, or keeps its own (those that are fixed at birth always come with the weights).
        initial: configurations of the first members; the others are drawn from the search space.
        snapshot_interval: generations between two snapshots that a killed study can resume from.
        snapshot_seconds: seconds after which a synchronous study takes one at the next barrier, too; None:
            however long it takes.
        keep_snapshots: how many of the newest snapshots are kept.
        archive: how many trained models a study of several objectives keeps at most: those that no other
            dominates, without those that add the least hypervolume. Of one objective it keeps the best.
        workers: processes that train one member together, data parallel; above 1 for workloads that can, and
            then without packing.
        time_limit: seconds that a member's start or interval may take, else it has failed, and its island
            starts again (see ``cluster.max_failures``); N members that train together have N times as long;
            None: no limit.
        memory_limit: MiB that an island's process and all that it has started may take. Where it takes more,
            it starts again, and the member in whose training it grew most has failed; None: no limit.
        engine: how members of an island train. ``auto``: as one vectorised program, compiled or not, or one
            after the other, whichever a short trial finds fastest; ``packed``: as one program wherever that
            is possible; ``loop``: one after the other.
    """

    size: int = 16
    generations: int = 20
    interval: int | str = 100
    synchronous: bool = True
    method: dict[str, Any] = field(default_factory=dict)
    exploit: dict[str, Any] = field(default_factory=dict)
    explore: dict[str, Any] = field(default_factory=dict)
    inherit_hyperparameters: bool = True
    initial: list[dict[str, Any]] = field(default_factory=list)
    snapshot_interval: int = 5
    snapshot_seconds: float | None = 300.0
    keep_snapshots: int = 2
    archive: int = 32
    workers: int = 1
    time_limit: float | None = None
    memory_limit: float | None = None
    engine: PopulationEngine = PopulationEngine.auto


@dataclass(init=False, repr=False, eq=False)
class SearchConfig:
    """A search study. It ends with whichever of its budgets is spent first; all can be raised later.

    Attributes:
        trials: configurations that are tried; one that was stopped early, failed or stayed lost counts.
        seconds: how long the study runs, pauses before a resume left out; None: no limit.
        fidelity_units: training of all trials together, in the workload's unit; None: no limit.
        target: a value of the objective, in its own units, at which the study ends. With several objectives a
            mapping from objectives to values, which one trial has to reach together. None: there is none.
        patience: trials in a row without a better result after which the study ends; None: any number.
        initial: configurations that are tried first, each a mapping or ``default``.
        from: earlier results that the optimizer learns from: run directories of searches, Optuna storages
            (a URL, or the file of a journal storage), tables (CSV or Parquet).
        retries: how often a trial that was lost with its process or node is tried again; None:
            cluster.max_failures.
        repeats: with how many seeds each trial is trained, side by side in one process; it reports the means.
        finalists: how many of the best trials are evaluated again with new seeds once the search is over; the
            means of that decide which is the best. They are trained beside all budgets. 0: none.
        finalist_seeds: with how many new seeds each of them is evaluated.
        concurrency: trials that run at the same time; None: as many as the resources allow.
        workers: processes that train one trial together, data parallel; above 1 for workloads that can.
        time_limit: seconds of training after which a trial is ended; None: no limit.
        overdue: what such a trial counts as. ``stop``: stopped, with what it reported last, or failed if it
            has reported nothing; ``fail``: always failed.
        memory_limit: MiB that a trial's process and all that it has started may take, else the trial has
            failed; None: no limit.
        checkpoint_seconds: seconds of training after which a trial is saved, at a rung or before it; one that
            was lost or interrupted goes on from there. A trial that an optimizer may want to train further is
            saved at its end, too. None: every trial begins from nothing.
        first_rung: fidelity of a trial's first report, and the smallest that an optimizer may choose; None:
            the workload's smallest.
        eta: ratio between two rungs: a trial reports at first_rung, first_rung * eta, ... and at its end.
        stopping: the rule that stops trials early (``_target_`` and its parameters).
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        reference: the reference point of the hypervolume, as a list of one value per objective or as a
            mapping by objective; replaces the objectives' own reference values.
        archive: how many trained models are kept: the best trials', or with several objectives the Pareto
            set's without those that add the least hypervolume; only of trials that were trained fully, and
            where the workload's state holds anything. 0: none.
        export_optuna: whether results/optuna.journal holds the study as an Optuna storage, which
            optuna-dashboard opens; it grows while the search runs.
    """

    trials: int = 50
    seconds: float | None = None
    fidelity_units: int | None = None
    target: Any = None
    patience: int | None = None
    initial: list[Any] = field(default_factory=list)
    # A field cannot be called by a word of Python's. So it is declared by hand, and dataclass, whose methods
    # would name it, makes none.
    __annotations__["from"] = "list[str]"
    vars()["from"] = field(default_factory=list)
    retries: int | None = None
    repeats: int = 1
    finalists: int = 0
    finalist_seeds: int = 3
    concurrency: int | None = None
    workers: int = 1
    time_limit: float | None = None
    overdue: Overdue = Overdue.stop
    memory_limit: float | None = None
    checkpoint_seconds: float | None = 300.0
    first_rung: int | None = None
    eta: int = 3
    stopping: dict[str, Any] = field(default_factory=dict)
    constraints: list[ObjectiveConfig] = field(default_factory=list)
    reference: Any = None
    archive: int = 5
    export_optuna: bool = False

    def __init__(self) -> None:
        for one in fields(self):
            made = one.default if one.default_factory is NO_DEFAULT else one.default_factory()
            setattr(self, one.name, made)


@dataclass
class SuiteConfig:
    """A family of tasks.

    Attributes:
        workload: what is evaluated (``_target_`` and what all instances share).
        instances: values of the workload's further parameters, as lists; every combination is a task.
        multi_fidelity: whether methods may evaluate at less than full fidelity.
        evaluations: budget of each task in full evaluations; None: carps' ``ceil(20 + 40 * sqrt(d))``.
        anytime: whether an evaluation at less than full fidelity counts as a result, as it should where
            fidelity is training: there is a model then, and its metrics are those that count.
        variants: parameters of ``instances`` whose values make variants of one problem, such as sizes of one
            network: these tasks count as one in ranks and tests.
        objectives: what is optimised; empty: the workload's own objectives.
        search_space: what may vary; empty: the workload's own space.
    """

    workload: dict[str, Any] = field(default_factory=dict)
    instances: dict[str, Any] = field(default_factory=dict)
    multi_fidelity: bool = False
    evaluations: int | None = None
    anytime: bool = False
    variants: list[str] = field(default_factory=list)
    objectives: list[ObjectiveConfig] = field(default_factory=list)
    search_space: dict[str, Any] = field(default_factory=dict)


@dataclass
class BenchmarkConfig:
    """A benchmark study.

    Attributes:
        methods: the optimizers and population methods that are compared, by the report's names for them.
        suites: what they are compared on, by name.
        tasks: names of those of the suites' tasks that are used; None: all.
        seeds: cells of each method on each task, with the seeds ``seed``, ``seed + 1``, ...
        task_seeds: whether a cell draws from a stream named by its seed and its task, since tests take tasks
            for independent. False: the same draws on every task, as in carps and in runs from before this
            key, which is why it holds here; new runs have true (``conf/benchmark/default.yaml``).
        workers: simulated workers that evaluate at the same time, in recorded time.
        synchronous: whether simulated workers wait for one another, so that evaluations come in batches.
        time_limit: simulated seconds after which a cell whose task has recorded times ends; None: no limit.
        block_seconds: about how long cells are computed before their worker asks for more.
        mixed_versions: whether a resumed study keeps cells that were computed with other versions of this
            program, of libraries that compute, or of the code; false computes those anew.
    """

    methods: dict[str, Any] = field(default_factory=dict)
    suites: dict[str, SuiteConfig] = field(default_factory=dict)
    tasks: list[str] | None = None
    seeds: int = 5
    task_seeds: bool = False
    workers: int = 1
    synchronous: bool = False
    time_limit: float | None = None
    block_seconds: float = 10.0
    mixed_versions: bool = True


@dataclass
class PreferenceConfig:
    """A preference study: somebody says which of two results is better, where no metric can.

    Attributes:
        questions: how many pairs of results are compared; a run can be resumed with more.
        initial: questions about configurations at random, before a model of the answers chooses the pairs.
        ask: where a person answers: on the ``terminal``, or on a ``page`` in a browser of this machine.
        port: of that page; None: any free one.
        judge: a program that answers in place of a person (``_target_`` and its parameters); empty: a person.
    """

    questions: int = 20
    initial: int = 5
    ask: Ask = Ask.terminal
    port: int | None = None
    judge: dict[str, Any] = field(default_factory=dict)
