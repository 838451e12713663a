"""FIRE PBT's roles, and what its evaluators are doing, read off the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.past import NOTHING, Past, Rows
from orchestrator.population.rules.contract import Floats, Mask

GREEDY, PATIENT, EVALUATOR = 0, 1, 2
"""A member's role."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluator at work.

    Args:
        evaluator: its number.
        patient: the member whose weights it trains on.
        child: the greedy member whose hyperparameters it trains with; None: nobody has them any more.
        curve: what it has reached since it began, one loss for each interval, oldest first.
        child_curve: what those hyperparameters have reached in the child; empty without a child.
        taken: whether the child already trains on the evaluator's weights.
    """

    evaluator: int
    patient: int
    child: int | None
    curve: Floats
    child_curve: Floats
    taken: bool


def roles(size: int, evaluators: float) -> Rows:
    """By member, its role: greedy ones first, then as many patient ones or one fewer, then evaluators."""
    last = max(2, round(evaluators * size))
    greedy = -(-(size - last) // 2)
    return np.repeat([GREEDY, PATIENT, EVALUATOR], [greedy, size - last - greedy, last])


def evaluations(past: Past, role: Rows) -> list[Evaluation]:
    """Everything that is being evaluated on weights that their patient member still trains."""
    evaluators = np.flatnonzero((role == EVALUATOR) & (past.latest != NOTHING))
    curves, losses = _settled(past, past.latest[evaluators]), past.losses[:, 0]
    begun = past.origin[np.array([rows[0] for rows in curves], dtype=np.intp)]
    running = (begun != NOTHING) & (role[past.member[begun]] == PATIENT) & _still_trained(past, begun)
    children = _children(past, role, evaluators)
    known = np.unique(children[running & (children != NOTHING)])
    theirs_of = dict(zip(known.tolist(), _settled(past, past.latest[known]), strict=True))
    found = []
    for number in np.flatnonzero(running).tolist():
        rows, child = curves[number], int(children[number])
        curve, theirs = losses[rows], theirs_of.get(child, rows[:0])
        if np.isnan(curve).any():
            continue
        found.append(
            Evaluation(
                evaluator=int(evaluators[number]),
                patient=int(past.member[begun[number]]),
                child=child if child != NOTHING else None,
                curve=curve,
                child_curve=losses[theirs],
                taken=not set(theirs.tolist()).isdisjoint(rows.tolist()),
            )
        )
    return found


def _children(past: Past, role: Rows, evaluators: Rows) -> Rows:
    """The best healthy greedy member with each evaluator's hyperparameters, or ``NOTHING``, ``(e,)``."""
    greedy = np.flatnonzero((role == GREEDY) & (past.latest != NOTHING))
    losses = past.losses[past.latest[greedy], 0]
    greedy, losses = greedy[~np.isnan(losses)], losses[~np.isnan(losses)]
    if not len(greedy):
        return np.full(len(evaluators), NOTHING)
    alike = _alike(past, past.latest[evaluators], past.latest[greedy])
    best = np.where(alike, losses, np.inf).argmin(axis=1)
    return np.where(alike.any(axis=1), greedy[best], NOTHING)


def waiting(past: Past, role: Rows) -> Rows:
    """Patient members that have published, from the one that has waited longest for an evaluator.

    A member waits from when it was last evaluated or took another's weights.
    """
    member, origin, generation = past.member, past.origin, past.generation
    copies = (origin != NOTHING) & (member[origin] != member)
    since = np.zeros(len(role))
    evaluated = copies & (role[member] == EVALUATOR)
    for rows, whom in ((copies, member), (evaluated, member[origin])):
        np.maximum.at(since, whom[rows], generation[rows])
    patients = np.flatnonzero((role == PATIENT) & (past.latest != NOTHING))
    return patients[np.argsort(since[patients], kind="stable")]


def _settled(past: Past, rows: Rows) -> list[Rows]:
    """For each row the intervals, oldest first, that led to it with its mutable hyperparameters."""
    steps, going = [rows], np.ones(len(rows), dtype=bool)
    while going.any():
        before = past.origin[steps[-1]]
        going = going & (before != NOTHING) & _same(past, before, rows)
        steps.append(np.where(going, before, NOTHING))
    return [chain[chain != NOTHING] for chain in np.array(steps)[::-1].T]


def _same(past: Past, rows: Rows, others: Rows) -> Mask:
    """Which rows have the mutable hyperparameters of the others, where both have them active, ``(n,)``."""
    mutable = past.setting.space.codec.mutable
    same = _equal(past.units[rows][:, mutable], past.units[others][:, mutable])
    return np.asarray(same.all(axis=1))


def _alike(past: Past, rows: Rows, others: Rows) -> Mask:
    """As :func:`_same`, each of the rows ``(n,)`` with each of the others ``(k,)``; shape ``(n, k)``."""
    found = np.ones((len(rows), len(others)), dtype=bool)
    for column in np.flatnonzero(past.setting.space.codec.mutable):
        found &= _equal(past.units[rows, column][:, None], past.units[others, column])
    return found


def _equal(ours: Floats, theirs: Floats) -> Mask:
    # Decoding and encoding rounds.
    return np.asarray((np.abs(ours - theirs) < 1e-9) | np.isnan(ours) | np.isnan(theirs))


def _still_trained(past: Past, rows: Rows) -> Mask:
    """Whether the member of each row, or of none, has trained on its weights ever since; shape ``(n,)``."""
    going, found = rows != NOTHING, np.zeros(len(rows), dtype=bool)
    member, generation = past.member[rows], past.generation[rows]
    at = past.latest[member]
    while going.any():
        # Back in a member's own life generations fall, so whoever is past the row will not meet it.
        going &= (at != NOTHING) & (past.member[at] == member) & (past.generation[at] >= generation)
        found |= going & (at == rows)
        going &= ~found
        at = past.origin[at]
    return found
