"""What an island writes to snapshots, and which weights it holds until then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.population.coordination.messages import Orders
from orchestrator.population.island.island import Island
from orchestrator.population.island.link import Link
from orchestrator.population.island.member import MemberState
from orchestrator.population.island.serving import StateServer
from orchestrator.population.snapshots.manifests import Publication, best_file, member_file
from orchestrator.run.faults import room_for, storage_failure
from workloads.state_files import save_state


class IslandSaving:
    """Saves an island's members as ordered, from when it joins until it has to join again.

    Args:
        island: the island.
        server: keeps its members as they were last published.
        link: the way to the coordinator.
        epoch: as the coordinator has assigned it.

    Attributes:
        held: weights of the best publications since the last snapshot; None where they could not be taken.
    """

    def __init__(self, island: Island, server: StateServer, link: Link, epoch: int) -> None:
        self._island, self._server, self._link, self._epoch = island, server, link, epoch
        self.held: dict[Publication, MemberState | None] = {}
        self._answer: Callable[[], Any] = lambda: None

    def hold(self, orders: Orders) -> None:
        """Keep the weights of the best publications so far until the next snapshot."""
        for publication in orders.forget:
            self.held.pop(publication, None)
        for decision in orders.decisions:
            if decision.member not in orders.best:
                continue
            if orders.snapshot is not None and not decision.discards:
                continue  # what is saved of the member at once
            publication = decision.member, decision.generation
            kept = self._server.kept.get(decision.member)
            known = kept is not None and kept.generation == decision.generation
            state = kept.state if kept is not None and known else self._island.snapshot(decision.member)
            self.held[publication] = state

    def save(self, folder: Path, members: Sequence[int]) -> None:
        """Write members, and what is held of them, to a snapshot's folder; a failure ends the study."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            empty = {m for m in members if not self._island.save(m, member_file(folder, m))}
            for publication, state in list(self.held.items()):
                if publication[0] in members:
                    del self.held[publication]
                    if state is not None:
                        save_state(best_file(folder, publication), state)
        except TypeError as error:
            # A state that cannot be written today cannot be tomorrow: no restart of the island would help.
            self._abort(f"the workload's state cannot be saved: {error}")
            return
        except Exception as error:
            if not (full := storage_failure(error)):
                raise
            # Nor does a restart make room.
            room = "" if str(folder) in full else f" in {folder}{room_for(folder)}"
            self._abort(f"members cannot be saved: {full}{room}")
            return
        generations = {member: self._island.members[member].generation for member in members}
        # The coordinator makes the snapshot valid while this island trains on; what it raised comes up next.
        self.finish()
        self._answer = self._link.post("saved", self._epoch, folder, generations, empty)

    def finish(self) -> None:
        """Return once the coordinator knows of everything that was saved; raises what it raised."""
        self._answer()

    def _abort(self, reason: str) -> None:
        self._link.post("abort", reason)()
