"""A Ray cluster of several nodes on this machine, of which some die and others come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from orchestrator.engine.processes import kill
from tests.chaos import processes

STARTS = 4
"""Attempts at a node."""


class Nodes:
    """Nodes with a CPU each; all of their processes have a study's mark.

    Args:
        count: how many, the head among them.
        mark: the study's.
    """

    def __init__(self, count: int, mark: str) -> None:
        self._count, self._mark, self._port = count, mark, 0
        self._build()

    @property
    def address(self) -> str:
        """Where the head answers."""
        return str(self._cluster.address)

    def mend(self, nodes: bool = True) -> None:
        """Put a new cluster in the place of one whose head died, and a new node in that of each that died.

        Args:
            nodes: False: those that died are gone for now.
        """
        head = self._cluster.head_node
        if head is None or not self._complete(head):
            self.close()
            self._build()
            return
        for node in list(self._cluster.worker_nodes):
            if nodes and not self._complete(node):
                self._cluster.remove_node(node, allow_graceful=False)
                self._add()

    def close(self) -> None:
        """End it."""
        with suppress(Exception):
            self._cluster.shutdown()
        kill(self._rays())

    def _build(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        # The address stays, as that of a head that is restarted.
        self._add(**({"gcs_server_port": self._port} if self._port else {}))
        self._port = int(self.address.rpartition(":")[2])
        for _ in range(self._count - 1):
            self._add()

    def _add(self, **arguments: Any) -> None:
        """Start a node; on a busy machine Ray gives up on one that comes up slowly."""
        for left in reversed(range(STARTS)):
            there = self._rays()
            try:
                with _marked(self._mark):
                    self._cluster.add_node(num_cpus=1, include_dashboard=False, **arguments)
                return
            except Exception:
                kill(self._rays() - there)
                if not left:
                    raise

    def _complete(self, node: Any) -> bool:
        """Whether those of a node's processes live without which it is none.

        Not by ``poll``: a process that was killed cannot be waited for until its last thread has ended.
        """
        started, there = node.all_processes, self._rays()
        return all(
            one.process.pid in there for kind in ("gcs_server", "raylet") for one in started.get(kind, ())
        )

    def _rays(self) -> set[int]:
        """The main processes of its nodes."""
        return {pid for role in ("raylet", "gcs") for pid in processes.alive(self._mark, role)}


@contextmanager
def _marked(mark: str) -> Iterator[None]:
    """Give what is started in the block a study's mark."""
    os.environ[processes.MARK] = mark
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        yield
    finally:
        del os.environ[processes.MARK]
