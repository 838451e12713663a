"""States that other islands ask for."""

from __future__ import annotations

from typing import Any

from orchestrator.population.coordination.messages import Offer
from orchestrator.population.island.serving import Kept, StateServer


def test_a_state_that_finds_no_room_is_declined_and_others_are_still_served() -> None:
    wanted, supplied = iter([{0}, {1}, None]), []

    def call(method: str, *arguments: Any) -> Any:
        if method == "supply":
            supplied.append(arguments[1])
            return None
        assert method == "wanted"
        return next(wanted)

    def pack(state: Any) -> Any:
        if state == "large":
            raise MemoryError
        return state

    server = StateServer(call, pack, 0)
    server.kept = {0: Kept(4, "large"), 1: Kept(5, "small")}
    server._serve(0)
    assert supplied == [{0: Offer(4, None)}, {1: Offer(5, "small")}]
