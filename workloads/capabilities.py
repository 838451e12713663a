"""What a workload or a session can offer besides the contract, each as a small protocol.

A study asks for what it needs with ``isinstance``, so that the methods alone are enough.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from search_spaces import Config
from workloads.contract import Device, Metrics, Objective, Session, State, Workload


@runtime_checkable
class PerturbableSession(Protocol):
    """A session whose weights can be shrunk and perturbed."""

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        """Go on from ``keep * weights + noise * new weights`` (Ash and Adams 2020, arXiv 1910.08475).

        What normalisation layers have measured of the old weights is forgotten; everything else in the state
        stays. ``keep=1, noise=0`` changes nothing.

        Args:
            keep: what is left of the present weights, 0 to 1.
            noise: the share of newly initialised weights that is added, at least 0.
            seed: of the new weights, which are those that ``start`` would give a session with it.
        """
        ...


@runtime_checkable
class BlockSession(Protocol):
    """A session of a :class:`BlockWorkload`."""

    def perturb_blocks(self, blocks: Collection[str], keep: float, noise: float, seed: int) -> None:
        """As :meth:`PerturbableSession.perturb`, for these blocks alone."""
        ...


@runtime_checkable
class TestableSession(Protocol):
    """A session that can be judged on held-out data, once, when the study is over."""

    def test(self) -> Metrics:
        """Metrics on the held-out test split."""
        ...


@runtime_checkable
class ShownSession(Protocol):
    """A session whose result people can judge, such as a text that it has written."""

    def show(self) -> str:
        """The result in words; a preference study shows it to whoever compares it with another."""
        ...


@runtime_checkable
class DistributedWorkload(Protocol):
    """A workload that several processes can train together, data parallel."""

    def start_worker(self, config: Config, seed: int, device: Device, rank: int, workers: int) -> Session:
        """This process's part of one training run.

        Each of the processes calls this once ``torch.distributed`` is up; they then call ``advance``,
        ``configure``, ``load`` and ``perturb`` together, and each alone ``state`` and ``test``. Together they
        train what one session with the same ``seed`` would, up to rounding and up to randomness within a
        batch, and the state of any of them is one that such a session loads.

        Args:
            rank: this process's number, from 0.
            workers: how many processes there are.
        """
        ...


@runtime_checkable
class BlockWorkload(Protocol):
    """A workload whose models have blocks that can move from one model to another.

    Its sessions are :class:`BlockSession` s.
    """

    @property
    def blocks(self) -> Mapping[str, tuple[str, ...]]:
        """By name, with the hyperparameters that each is built by, all of them fixed at birth.

        Models that agree in all other hyperparameters fixed at birth can exchange any of their blocks.
        """
        ...

    def crossed(self, first: State, second: State, blocks: Collection[str]) -> State:
        """``first`` with these blocks of ``second``, and what its optimizer remembers of them.

        A session with the first's hyperparameters, but the second's for these blocks, can load it. It may
        share memory with both, which stay as they are.
        """
        ...


def blocks_of(workload: Workload) -> Mapping[str, tuple[str, ...]]:
    """The workload's blocks; empty where it offers none."""
    return workload.blocks if isinstance(workload, BlockWorkload) else {}


@runtime_checkable
class CheckedDistribution(Protocol):
    """A distributed workload that not any number of processes can train."""

    def check_workers(self, workers: int) -> None:
        """Called before a study starts.

        Raises:
            ConfigurationError: so many processes cannot train it.
        """
        ...


@runtime_checkable
class PreparedWorkload(Protocol):
    """A workload that needs something that may be missing, such as data to download."""

    def prepare(self) -> None:
        """Fetch it if it is missing; called on the driver before a study starts, and once on each node of a
        cluster before workers there begin. What is there already should cost little.

        Raises:
            ConfigurationError: it cannot be had.
        """
        ...


@runtime_checkable
class RehearsableWorkload(Protocol):
    """A workload whose sessions take long to start, such as one that trains a first model for all of them."""

    def rehearsal(self) -> Workload:
        """The same with as little work as it can be started with.

        The pre-flight tries it in place of the workload; what it learns means nothing.
        """
        ...


@runtime_checkable
class EnvironmentWorkload(Protocol):
    """A workload that reads variables of the environment, such as the folder of its data."""

    @property
    def environment(self) -> tuple[str, ...]:
        """Names of the variables; workers on a cluster get the driver's values of those that it has."""
        ...


@dataclass(frozen=True)
class Facts:
    """Known facts about a workload.

    Args:
        optimum: the best value that the one objective can take, in its own units; None: unknown, or there are
            several objectives.
        deterministic: whether a configuration gives the same metrics at a fidelity for every seed.
        seconds: the metric that reports the duration of the training so far, in recorded seconds, if the
            workload looks its results up or predicts them; None: no metric does.
    """

    optimum: float | None = None
    deterministic: bool = False
    seconds: str | None = None


@runtime_checkable
class KnownWorkload(Protocol):
    """A workload with known facts, such as a test function."""

    @property
    def facts(self) -> Facts: ...


@runtime_checkable
class EmbeddingWorkload(Protocol):
    """A workload that knows which of its configurations are alike, where their values do not say it."""

    def embed(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        """Coordinates ``(n, d)``, about 0 to 1, close where results should be; each a function of its
        configuration alone."""
        ...


@runtime_checkable
class ConstrainedWorkload(Protocol):
    """A workload whose configurations can be infeasible."""

    @property
    def constraints(self) -> tuple[Objective, ...]:
        """Metrics that must keep their bound and are not optimised."""
        ...
