"""An island's members as they were last published, which other islands may copy while the island trains."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.population.coordination.messages import Offer
from orchestrator.population.island.member import MemberState


@dataclass(frozen=True)
class Kept:
    """One publication of one member, apart from its later training.

    Args:
        generation: intervals that the member had trained in its own life.
        state: None where it could not be taken.
    """

    generation: int
    state: MemberState | None


class StateServer:
    """Sends states when somebody wants them, in a thread of its own: training has no gaps that short.

    Args:
        call: calls a method of the coordinator and waits for its answer.
        pack: makes a state ready to be sent.
        island: the island's number.

    Attributes:
        kept: by member, its latest publication: one copy for each.
    """

    def __init__(
        self, call: Callable[..., Any], pack: Callable[[MemberState | None], Any], island: int
    ) -> None:
        self._call, self._pack, self._island = call, pack, island
        self.kept: Mapping[int, Kept] = {}

    def start(self, epoch: int) -> None:
        """Serve until the study is over or went back to a snapshot."""
        name = f"states-of-island-{self._island}"
        threading.Thread(target=self._serve, args=(epoch,), name=name, daemon=True).start()

    def offer(self, member: int) -> Offer:
        """A member's latest publication, ready to be sent."""
        kept = self.kept.get(member, Kept(0, None))
        try:
            return Offer(kept.generation, self._pack(kept.state))
        except TypeError:
            raise
        except Exception:  # noqa: BLE001 - no room in the object store or in memory, or a broken device
            # Whoever wants it learns at once that it cannot be had, and this thread serves on.
            return Offer(kept.generation, None)

    def _serve(self, epoch: int) -> None:
        try:
            while (wanted := self._call("wanted", self._island, epoch)) is not None:
                self._call("supply", epoch, {member: self.offer(member) for member in wanted})
        except TypeError as error:
            # A state that cannot be sent today cannot be tomorrow.
            self._call("abort", f"the workload's state cannot be sent: {error}")
        except Exception:  # noqa: BLE001 - the coordinator or this process is at its end
            return
