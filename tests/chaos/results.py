"""What a study has committed and what it came to, in a form that two runs can be compared by."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal

Result = tuple[Hashable, Any]

Kill = tuple[int, int]
"""How many results there were before a kill and when all that it ended had stopped: results in between may
have been lost with it."""

_IDENTITY = {
    "interval": ("member", "generation"),
    "ended": ("trial",),
    "cell": ("task", "method", "seed"),
}
"""Events that commit a result, and the keys that say whose it is."""

_TIMES = {
    "time",
    "seconds",
    "method_seconds",
    "thinking",
    "start",
    "end",
    "process",
    "node",
    "commit",
    "versions",
}


def results_of(run: RunDirectory) -> list[Result]:
    """The results that a run of any kind has committed: a benchmark's cells are in a store of their own."""
    rows = Store(run.cells).cells().to_pylist() if run.cells.is_dir() else []
    cells = [{"event": "cell", **row} for row in rows]
    return committed([*read_journal(run.journal), *cells])


def committed(events: Iterable[Mapping[str, Any]]) -> list[Result]:
    """The results among events in their order: whose each is, and all of it but times and places."""
    found = []
    for event in events:
        kind = event["event"]
        keys = _IDENTITY.get(kind)
        if keys and all(key in event for key in keys):
            owner = (kind, *(event[key] for key in keys))
            found.append((owner, _timeless(event)))
    return found


def final(results: Sequence[Result]) -> dict[Hashable, Any]:
    """What holds in the end: of repeated results the last."""
    return dict(results)


def repeated(results: Sequence[Result]) -> Counter[Hashable]:
    """How often each result was computed again."""
    times = Counter(owner for owner, _ in results)
    return Counter({owner: count - 1 for owner, count in times.items() if count > 1})


def doubled(results: Sequence[Result]) -> list[Hashable]:
    """Trials and cells that ended twice; a member may train an interval again that no snapshot had kept."""
    return [owner for owner in repeated(results) if isinstance(owner, tuple) and owner[0] != "interval"]


def repeated_most(results: Sequence[Result], kills: Sequence[Kill]) -> int:
    """How many intervals one member repeated at most for one kill.

    A result is lost with one of the kills between it and its repetition, which may also come after a later
    kill that lost nothing of it. Repetitions are shared among kills so that the most for one are fewest.
    """
    last, spans = dict[Hashable, int](), dict[Hashable, list[tuple[int, int]]]()
    for place, (owner, _) in enumerate(results):
        if owner in last and isinstance(owner, tuple):
            first = bisect_right([after for _, after in kills], last[owner])
            latest = max(bisect_right([before for before, _ in kills], place) - 1, 0)
            spans.setdefault(owner[1], []).append((min(first, latest), latest))
        last[owner] = place
    return max((_fewest(several) for several in spans.values()), default=0)


def _fewest(spans: Sequence[tuple[int, int]]) -> int:
    """The least load of the most loaded of some numbered places, where each item has a span of them.

    By Hall's theorem some range of places is the reason: so many items have no place outside it.
    """
    firsts, lasts = ({span[end] for span in spans} for end in (0, 1))
    return max(
        math.ceil(sum(low <= first and last <= high for first, last in spans) / (high - low + 1))
        for low in firsts
        for high in lasts
        if low <= high
    )


def lost(before: Iterable[Result], after: Sequence[Result]) -> list[Hashable]:
    """Results that a journal held and holds no more."""
    there = {owner for owner, _ in after}
    return [owner for owner, _ in before if owner not in there]


def different(
    ours: Mapping[Hashable, Any], theirs: Mapping[Hashable, Any], rounding: float = 0.0
) -> list[Hashable]:
    """Results of which two runs disagree, or which one of them lacks.

    Args:
        rounding: relative difference of two floats that makes them no different.
    """
    owners = {**ours, **theirs}
    return [owner for owner in owners if not _agree(ours.get(owner), theirs.get(owner), rounding)]


def _agree(one: Any, other: Any, rounding: float) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_agree(one[key], other[key], rounding) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            _agree(*both, rounding) for both in zip(one, other, strict=True)
        )
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=rounding)
    return bool(one == other)


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(item) for key, item in value.items() if key not in _TIMES}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_timeless(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value
