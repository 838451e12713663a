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
    found, failed = [], past.failed
    greedy = np.flatnonzero((role == GREEDY) & (past.latest != NOTHING))
    theirs_of = dict(zip(greedy.tolist(), _settled(past, past.latest[greedy]), strict=True))
    evaluators = np.flatnonzero((role == EVALUATOR) & (past.latest != NOTHING))
    for evaluator, rows in zip(evaluators, _settled(past, past.latest[evaluators]), strict=True):
        begun = past.origin[rows[0]]
        if begun == NOTHING or failed[rows].any():
            continue
        patient = int(past.member[begun])
        if role[patient] != PATIENT or not _still_trains(past, patient, int(begun)):
            continue
        alike = greedy[_same(past, past.latest[greedy], rows[-1]) & ~failed[past.latest[greedy]]]
        child = min(alike.tolist(), key=lambda one: past.losses[past.latest[one], 0], default=None)
        theirs = theirs_of[child] if child is not None else rows[:0]
        curve, child_curve = past.losses[rows, 0], past.losses[theirs, 0]
        taken = bool(np.isin(theirs, rows).any())
        found.append(Evaluation(int(evaluator), patient, child, curve, child_curve, taken))
    return found


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


def _same(past: Past, rows: Rows, others: Rows | np.intp) -> Mask:
    """Which rows have the mutable hyperparameters of the others, where both have them active."""
    mutable = past.setting.space.codec.mutable
    ours, theirs = past.units[rows][:, mutable], past.units[np.atleast_1d(others)][:, mutable]
    # Decoding and encoding rounds.
    same = (np.abs(ours - theirs) < 1e-9) | np.isnan(ours) | np.isnan(theirs)
    return np.asarray(same.all(axis=1))


def _still_trains(past: Past, member: int, row: int) -> bool:
    """Whether a member has trained on the weights of its own ``row`` ever since."""
    at = int(past.latest[member])
    while at != NOTHING and past.member[at] == member:
        if at == row:
            return True
        at = int(past.origin[at])
    return False
