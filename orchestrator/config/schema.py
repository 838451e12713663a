"""The shape of every study's configuration. Hydra checks names and types against it, ``validate`` the rest.

Plain data and no heavy import: ``--help`` and tab completion read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from orchestrator.config.kinds import (
    BenchmarkConfig,
    ObjectiveConfig,
    PopulationConfig,
    PreferenceConfig,
    SearchConfig,
)


class StudyKind(Enum):
    """What a study does."""

    population = "population"
    search = "search"
    benchmark = "benchmark"
    preference = "preference"


@dataclass
class StudyConfig:
    """What the study is.

    Attributes:
        name: its name, which is also that of the MLflow experiment.
        kind: which kind of study it is.
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
class ClusterConfig:
    """Where the study runs and what each island or trial gets.

    Attributes:
        address: address of a running Ray cluster (``auto``, ``host:port`` or ``ray://host:port``); None: a
            local Ray that the study starts and stops itself.
        workers: islands, trials or cells at a time, as ``min..max``: the study begins with those that have
            room, at least ``min``, and takes more as room appears, without waiting for them; None: as
            cluster.islands or search.concurrency say, else as many as have room at the start.
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
    workers: str | None = None
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
        tensorboard: whether event files for TensorBoard are written, too: below ``tensorboard`` in the run
            directory, beside whatever MLflow records.
        terminal: whether progress is shown on the terminal.
    """

    uri: str | None = "sqlite:///mlflow.db"
    experiment: str | None = None
    required: bool = True
    tensorboard: bool = False
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
        optimizer: the algorithm of a search study (``_target_`` and its parameters); ``auto`` where the study
            names none.
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
    preference: PreferenceConfig = field(default_factory=PreferenceConfig)
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
