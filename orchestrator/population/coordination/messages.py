"""What islands, the driver and the coordinator say to one another; all of it can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.population.decision import Decision
from orchestrator.population.island.device_faults import Faults
from orchestrator.population.snapshots.manifests import Publication, Snapshot
from search_spaces import Config
from workloads.packing import EngineChoice

LOOP = EngineChoice("loop", "nothing else was asked for")

PackedState = Any
"""Whatever the islands use to hand a member's state over; the coordinator only passes it on."""


@dataclass(frozen=True)
class Offer:
    """One publication's state on its way to another island.

    Args:
        generation: intervals that the member had trained in its own life.
        state: None where it could not be taken.
    """

    generation: int
    state: PackedState


@dataclass(frozen=True)
class Plan:
    """The fixed course of a population study.

    Args:
        generations: intervals in each member's life.
        synchronous: whether all members wait for one another after each interval.
        snapshot_interval: generations between two snapshots.
        snapshot_seconds: seconds after which a synchronous study takes one at the next barrier, too; None:
            however long it takes.
        keep_snapshots: how many valid snapshots are kept.
        header: what the journal's first line says about the study.
        engine: how members train; None: the first island finds out.
        may_loop: whether it may find that they train one after the other although they need not.
        archive: publications of several objectives whose weights are kept at most.
    """

    generations: int
    synchronous: bool
    snapshot_interval: int
    keep_snapshots: int
    header: Mapping[str, Any]
    engine: EngineChoice | None = LOOP
    may_loop: bool = True
    archive: int = 32
    snapshot_seconds: float | None = None


@dataclass(frozen=True)
class Assignment:
    """What an island that joins has to host.

    Args:
        epoch: to be given with everything that the island publishes.
        configs: the hyperparameters of its members.
        generations: intervals that each has trained.
        total_generations: intervals in each member's life.
        files: where their states are; empty for members that start with fresh weights.
        engine: how they train; None: this island is to find out, and tells by ``choose_engine``.
        may_loop: as in the plan.
        alone: whether there is no other island.
        faults: what is known of its members in whose training a device has broken.
    """

    epoch: int
    configs: Mapping[int, Config]
    generations: Mapping[int, int]
    total_generations: int
    files: Mapping[int, Path]
    engine: EngineChoice | None
    may_loop: bool
    alone: bool
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True)
class Orders:
    """The answer to a publication.

    Args:
        decisions: how the island's members go on.
        send: members of this island whose published state another island waits for.
        states: published states of parents that live elsewhere (asynchronous).
        snapshot: folder to save the members to, after the decisions have been applied.
        best: members whose publication is among the best so far and must not be lost.
        forget: publications that were, and no longer are.
        done: whether these members' training is over.
        failed: whether the study has failed, and with it all members' training is over.
        rejoin: the population went back to a snapshot; join again and forget the decisions.
    """

    decisions: tuple[Decision, ...] = ()
    send: frozenset[int] = frozenset()
    states: Mapping[int, PackedState] = field(default_factory=dict)
    snapshot: Path | None = None
    best: frozenset[int] = frozenset()
    forget: frozenset[Publication] = frozenset()
    done: bool = False
    failed: bool = False
    rejoin: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a study stands.

    Args:
        failure: why it failed; None where it did not.
        finished: whether every member has trained all its intervals.
        concluded: whether the journal has its last line, with the held-out test.
        best: the member whose publication is the best so far.
        config: the hyperparameters that it trained that with.
        weights: the file that has them; None while there is none.
        snapshot: the newest valid snapshot.
        models: the hyperparameters and the file of each model that the study keeps, the best one first.
    """

    failure: str | None
    finished: bool
    concluded: bool
    best: int | None
    config: Config | None
    weights: Path | None
    snapshot: Snapshot | None
    models: tuple[tuple[Config, Path], ...] = ()
