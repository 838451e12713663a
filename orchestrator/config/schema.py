"""The shape of every study's configuration. Hydra checks names and types against it, ``validate`` the rest.

Plain data and no heavy import: ``--help`` and tab completion read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from omegaconf import MISSING


class StudyKind(Enum):
    """What a study does."""

    population = "population"
    search = "search"
    benchmark = "benchmark"


class PopulationEngine(Enum):
    """How members of an island train."""

    auto = "auto"
    packed = "packed"
    loop = "loop"


@dataclass
class StudyConfig:
    """What the study is.

    Attributes:
        name: its name, which is also that of the MLflow experiment.
        kind: which of the three kinds of study it is.
        description: one line for people, listed by ``--help``.
    """

    name: str = MISSING
    kind: StudyKind = MISSING
    description: str = ""


@dataclass
class RunConfig:
    """Where the run is kept.

    Attributes:
        dir: the run directory, on storage that every node of the cluster sees under this path;
            None: ``runs/<study.name>/<date and time>`` below the working directory.
        restarts: how often within an hour the study begins again from its journal, by itself, after it has
            lost its coordinator or Ray; 0: never.
        config_dir: what ``--config-dir`` says, which always sets it; kept so that a message can repeat it.
    """

    dir: str | None = None
    restarts: int = 3
    config_dir: str | None = None


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
        keep_snapshots: how many of the newest snapshots are kept.
        archive: how many trained models a study of several objectives keeps at most: those that no other
            dominates, without those that add the least hypervolume. Of one objective it keeps the best.
        workers: processes that train one member together, data parallel; above 1 for workloads that can, and
            then without packing.
        time_limit: seconds that a member's start or interval may take, else it has failed, and its island
            starts again (see ``cluster.max_failures``); N members that train together have N times as long;
            None: no limit.
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
    keep_snapshots: int = 2
    archive: int = 32
    workers: int = 1
    time_limit: float | None = None
    engine: PopulationEngine = PopulationEngine.auto


class Overdue(Enum):
    """What becomes of a trial that takes longer than its time limit."""

    stop = "stop"
    fail = "fail"


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
        concurrency: trials that run at the same time; None: as many as the resources allow.
        workers: processes that train one trial together, data parallel; above 1 for workloads that can.
        time_limit: seconds of training after which a trial is ended; None: no limit.
        overdue: what such a trial counts as. ``stop``: stopped, with what it reported last, or failed if it
            has reported nothing; ``fail``: always failed.
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
        export_optuna: whether the results include an Optuna storage, which optuna-dashboard opens.
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
    concurrency: int | None = None
    workers: int = 1
    time_limit: float | None = None
    overdue: Overdue = Overdue.stop
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
class ClusterConfig:
    """Where the study runs and what each island or trial gets.

    Attributes:
        address: address of a running Ray cluster (``auto``, ``host:port`` or ``ray://host:port``); None: a
            local Ray that the study starts and stops itself.
        islands: workers that host members; None: as many as the resources allow, at most one per member.
        cpus_per_island: CPUs of an island, or of each of its workers; training uses as many threads (or 1).
        gpus_per_island: GPUs of an island, or of each of its workers, at most 1; a fraction shares one GPU
            among islands.
        cpus_per_trial: CPUs of a trial, or of each of its workers; it trains with as many threads (or 1).
        gpus_per_trial: GPUs of a trial, or of each of its workers, at most 1; a fraction shares one GPU among
            trials.
        cpus: CPUs that a local Ray may use; None: all of the machine.
        gpus: GPUs that a local Ray may use; None: all of the machine.
        dashboard: whether a local Ray starts its dashboard; on a running cluster its address is printed.
        dashboard_host: address that the dashboard binds to.
        heartbeat: seconds without a sign of life after which a process of the study counts as hung, unless it
            computes; it is then ended, and another one started. None: nobody is watched.
        grace: seconds that islands which have not come, or died, may take; then their members move to the
            others. Islands that come later take part from the next snapshot on.
        max_failures: how often within an hour an island that died is started again, and how often a lost
            trial is tried again.
        working_dir: a folder of this machine that every node of a running cluster gets a copy of, as working
            directory and for imports; None: none. A local Ray has this machine's files as they are.
        env: environment variables of workers by name; null: this process's own value.
        pip: requirements that every node of a running cluster installs for the study, besides its packages.
    """

    address: str | None = MISSING
    islands: int | None = None
    cpus_per_island: float = 1.0
    gpus_per_island: float = 0.0
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    cpus: int | None = None
    gpus: int | None = None
    dashboard: bool = False
    dashboard_host: str = "127.0.0.1"
    heartbeat: float | None = 30.0
    grace: float = 60.0
    max_failures: int = 3
    working_dir: str | None = None
    env: dict[str, Any] = field(default_factory=dict)
    pip: list[str] = field(default_factory=list)


@dataclass
class TrackingConfig:
    """Where MLflow records.

    Attributes:
        uri: MLflow tracking URI; None records nothing in MLflow.
        experiment: MLflow experiment; None: the study's name.
        required: whether a study that MLflow does not answer at its start is refused; else it trains, and is
            recorded once MLflow is there.
        terminal: whether progress is shown on the terminal.
    """

    uri: str | None = "sqlite:///mlflow.db"
    experiment: str | None = None
    required: bool = True
    terminal: bool = True


@dataclass
class Root:
    """A whole configuration.

    Attributes:
        seed: every random draw of the study comes from it.
        deterministic: whether torch computes the same numbers every time on the same hardware, also on a GPU:
            deterministic algorithms alone (an operation that has none raises), no TF32, and no engine that is
            chosen by the clock.
        workload: what is trained (``_target_`` and its parameters).
        search_space: what may vary; empty: the workload's own space.
        objectives: what is optimised; empty: the workload's own objectives.
        optimizer: the algorithm of a search study (``_target_`` and its parameters).
        schedule: hyperparameters over training, which every member or trial follows: a YAML file such as the
            ``results/schedule.yaml`` of a population's run, or what would stand in it.
        preflight: whether a new study begins by trying its workload for a moment, on the driver.
        allow: packages, modules and single objects that ``_target_`` may name besides what this program
            offers and what lies below the working directory or ``--config-dir``.
        resume: the run directory of a study to go on with.
        repair: whether it goes on without lines of its journal that are damaged or lost, where it can.
    """

    study: StudyConfig = field(default_factory=StudyConfig)
    seed: int = 0
    deterministic: bool = False
    run: RunConfig = field(default_factory=RunConfig)
    workload: dict[str, Any] = field(default_factory=dict)
    search_space: dict[str, Any] = field(default_factory=dict)
    objectives: list[ObjectiveConfig] = field(default_factory=list)
    schedule: Any = None
    population: PopulationConfig = field(default_factory=PopulationConfig)
    optimizer: dict[str, Any] = field(default_factory=dict)
    search: SearchConfig = field(default_factory=SearchConfig)
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    preflight: bool = True
    allow: list[str] = field(default_factory=list)
    resume: str | None = None
    repair: bool = False


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A resolved configuration as dotted keys and text."""
    entries: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            entries |= flat(value, f"{prefix}{key}.")
        else:
            entries[f"{prefix}{key}"] = str(value)
    return entries
