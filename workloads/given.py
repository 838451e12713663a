"""A workload that Python code has handed over, and that no configuration can name: a notebook's own.

The configuration says ``_target_: workloads.given.taken``. The object itself is kept by this process, and by
each worker of a study that it was sent to; files never hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cloudpickle

from search_spaces import ConfigurationError, SearchSpace
from search_spaces.reading import Nothing
from workloads.contract import Objective, Workload

TARGET = f"{__name__}.taken"
_HINT = "Run(path) and orchestrator.api.resume(run, workload=...) go on with it from Python"

_given: list[Any] = []
"""The last one counts. State of the process, since ``taken`` is called with what a configuration holds."""


@contextmanager
def giving(workload: Any) -> Iterator[None]:
    """Let configurations take ``workload`` meanwhile; None: nothing is given."""
    if workload is None:
        yield
        return
    _given.append(workload)
    try:
        yield
    finally:
        _given.pop()


def packed() -> bytes | None:
    """What is given now, for another process: by value where it was defined in ``__main__``.

    Raises:
        ConfigurationError: it cannot be sent.
    """
    if not _given:
        return None
    try:
        parcel: bytes = cloudpickle.dumps(_given[-1])
    except Exception as error:
        expected = "something that can be sent to workers (cloudpickle)"
        raise ConfigurationError("workload", expected, f"{type(error).__name__}: {error}") from error
    return parcel


def accept(parcel: bytes | None) -> None:
    """Keep in this process what :func:`packed` has packed."""
    _given[:] = [] if parcel is None else [cloudpickle.loads(parcel)]


def taken(space: SearchSpace, of: str, objectives: Sequence[Objective] | None = None) -> Workload:
    """The workload that was given, or what it makes of the space.

    Args:
        space: of the study.
        of: its name, for people.
        objectives: what the study optimises instead of the workload's own; None: those.

    Raises:
        ConfigurationError: nothing was given, or an object with another space.
    """
    if not _given:
        expected = f"the object {of!r}, which Python handed to orchestrator.api.run"
        raise ConfigurationError("workload", expected, Nothing(), _HINT)
    own = _given[-1]
    chosen = {} if objectives is None else {"objectives": objectives}
    if isinstance(own, type) or not hasattr(own, "start"):
        made: Workload = own(space=space, **chosen)
        return made
    if sorted(own.space.names) != sorted(space.names) or chosen:
        expected = f"the space and objectives of the given object, {sorted(own.space.names)}"
        hint = "give the class or a function of space and objectives instead"
        raise ConfigurationError("search_space", expected, sorted(space.names), hint)
    found: Workload = own
    return found


def name_of(workload: Any) -> str:
    """What messages call it."""
    inner = getattr(workload, "func", workload)  # of a functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))
