"""What a method of population studies is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from orchestrator.population.comparison import Comparison
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import NOBODY, Floats, Mask, Parents
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class Choices:
    """How members that have just published go on; row ``i`` is about the ``i``-th of them.

    Args:
        parents: numbers of the members whose latest weights they take, shape ``(k,)``. A member's own number:
            it keeps its weights. ``NOBODY``: it starts afresh, from new weights.
        units: the hyperparameters that they go on with, in unit coordinates, shape ``(k, dim)``. What is
            fixed at birth comes with the weights. A row of NaN for a member that starts afresh: drawn from
            the search space.
        wait: intervals that each trains before it is decided on again, at least 1, shape ``(k,)``. A member
            that fails is decided on at once.
        keep: what is left of the weights that each goes on with, 1 for all, shape ``(k,)``.
        noise: the share of newly initialised weights that is added to them, shape ``(k,)``.
        seconds: second parents, whose latest weights give some blocks to a member that copies another one,
            shape ``(k,)``; ``NOBODY``: there is none. ``keep`` and ``noise`` are then about these blocks
            alone. What is fixed at birth and builds a block comes with it.
        blocks: which blocks that are, in the setting's order, shape ``(k, b)``; ``b`` is 0 for methods
            without crossover.
    """

    parents: Rows
    units: Floats
    wait: Rows
    keep: Floats
    noise: Floats
    seconds: Rows
    blocks: Mask

    @classmethod
    def of(
        cls,
        parents: Rows,
        units: Floats,
        *,
        wait: ArrayLike = 1,
        keep: ArrayLike = 1.0,
        noise: ArrayLike = 0.0,
        seconds: ArrayLike = NOBODY,
        blocks: Mask | None = None,
    ) -> Choices:
        """Choices where one number may stand for all members."""
        rows = len(parents)
        return cls(
            parents=parents,
            units=units,
            wait=np.full(rows, wait, dtype=np.intp),
            keep=np.full(rows, keep, dtype=np.float64),
            noise=np.full(rows, noise, dtype=np.float64),
            seconds=np.full(rows, seconds, dtype=np.intp),
            blocks=np.zeros((rows, 0), dtype=bool) if blocks is None else blocks,
        )

    def fill(self, rows: Rows, choices: Choices) -> None:
        """Put other choices, for some of these members, in their place.

        Args:
            rows: where those members stand, shape ``(j,)``.
            choices: theirs, row by row.
        """
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(choices, field.name)


class Method(Protocol):
    """Decides how members go on: a function of the past and the generator, without a state of its own.

    So a study that goes back, or is resumed, decides again as it did. All that a method remembers it works
    out of the past.

    One that changes whole models has a class attribute ``perturbs = True``, so that a workload whose sessions
    cannot is refused beforehand; one that lets blocks cross has ``crosses = True``.
    """

    def serves(self, setting: Setting) -> None:
        """Refuse a study that the method cannot serve.

        Raises:
            ConfigurationError: it says what the method can serve; its key is relative to the method's own,
                or names ``search_space`` or ``objectives``.
        """
        ...

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """How members go on that have just published.

        Args:
            arrived: their numbers, ascending, shape ``(k,)``; in an asynchronous study a single one. Members
                that have failed are always among them and must get a healthy parent or start afresh.
            past: what everybody has published, the newcomers' latest included.
            rng: source of randomness.
        """
        ...


def going_on(
    now: Comparison, arrived: Rows, parents: Parents, units: Floats, *, wait: ArrayLike = 1
) -> Choices:
    """What newcomers go on with, out of what was worked out for all that have published.

    Args:
        now: how those compare.
        arrived: the newcomers, shape ``(k,)``.
        parents: rows of the comparison, or ``NOBODY``, shape ``(n,)``.
        units: the hyperparameters that each would go on with, shape ``(n, dim)``; those of members that start
            afresh are drawn.
        wait: intervals until the next decision, for all or for each, shape ``(n,)``.
    """
    fresh, rows = parents == NOBODY, now.rows_of(arrived)
    members = np.where(fresh, NOBODY, now.members[parents])
    waits = np.broadcast_to(np.asarray(wait), parents.shape)
    return Choices.of(members[rows], np.where(fresh[:, None], np.nan, units)[rows], wait=waits[rows])


@runtime_checkable
class BirthMethod(Protocol):
    """A method that also chooses what members are born with, where its source does; others draw that."""

    def birth(self, setting: Setting, rng: np.random.Generator) -> Floats:
        """Everybody's first hyperparameters in unit coordinates, legal, NaN where inactive, ``(size, dim)``.

        What the user configured as initial takes the place of the first rows.
        """
        ...


def perturbs(method: Method) -> bool:
    """Whether a method ever changes weights."""
    return bool(getattr(method, "perturbs", False))


def crosses(method: Method) -> bool:
    """Whether a method ever makes one member of two."""
    return bool(getattr(method, "crosses", False))


def thinks(method: Method) -> bool:
    """Whether its decisions can take so long that they are made beside the event loop.

    A method says so by an attribute ``thinks``; it is then given a copy of the past, in a thread of its own.
    """
    return bool(getattr(method, "thinks", False))


def require_objectives(setting: Setting, most: int, name: str) -> None:
    """Refuse more objectives than a method can rank, and constraints.

    Raises:
        ConfigurationError: its key is relative to the method's, or names ``objectives``.
    """
    if len(setting.objectives) > most:
        expected = f"a method that can rank {len(setting.objectives)} objectives"
        ranks = "exactly one" if most == 1 else f"at most {most}"
        raise ConfigurationError("", expected, name, f"it ranks {ranks}; population=mo_pbt ranks several")
    refuse_constraints(setting, name)


def refuse_constraints(setting: Setting, name: str) -> None:
    """Refuse constraints, which a method does not honour.

    Raises:
        ConfigurationError: an objective has a bound.
    """
    for objective in setting.objectives:
        if objective.bound is not None:
            hint = f"{name} does not honour constraints"
            raise ConfigurationError(f"objectives.{objective.name}.bound", "null", objective.bound, hint)


def require_mutable(setting: Setting, hint: str) -> None:
    """Refuse a search space in which nothing changes while training runs.

    Raises:
        ConfigurationError: no parameter is mutable.
    """
    if not setting.space.mutable:
        expected, names = "at least one parameter with 'mutable: true'", setting.space.names
        raise ConfigurationError("search_space.parameters", expected, names, hint)
