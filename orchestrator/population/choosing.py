"""Decisions about members, out of what a method chose in unit coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from orchestrator.population.decision import Crossover, Decision, ShrinkPerturb
from orchestrator.population.fallbacks import Lives
from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import Past
from orchestrator.population.question import Question
from orchestrator.population.rules.contract import same_rows
from search_spaces import Config

Rebirth = Callable[[int, int], Decision]
"""Makes the decision that a member starts afresh after a generation, with a drawn configuration."""


def decisions_of(question: Question, choices: Choices, lives: Lives, rebirth: Rebirth) -> Iterator[Decision]:
    """How the members that a question is about go on, in its order.

    What is copied are their parents' publications of today.

    Args:
        question: the question.
        choices: its answer.
        lives: of all members, as they are by now.
        rebirth: see above.
    """
    configs = _configs(question, choices, lives)
    for row, (member, config) in enumerate(zip(question.members.tolist(), configs, strict=True)):
        generation, parent = lives[member][-1].generation, int(choices.parents[row])
        wait, keep, noise = int(choices.wait[row]), float(choices.keep[row]), float(choices.noise[row])
        if parent < 0:
            reborn = rebirth(member, generation)
            yield replace(reborn, config=reborn.config if config is None else config, wait=wait)
            continue
        assert config is not None
        yield Decision(
            member=member,
            generation=generation,
            parent=parent,
            config=config,
            parent_generation=len(lives[parent]) if parent != member else None,
            change=None if (keep, noise) == (1.0, 0.0) else ShrinkPerturb(keep, noise),
            wait=wait,
            crossover=_crossover(question, choices, row, lives),
        )


def _crossover(question: Question, choices: Choices, row: int, lives: Lives) -> Crossover | None:
    second = int(choices.seconds[row])
    if second < 0:
        return None
    names = tuple(question.past.setting.blocks)
    blocks = tuple(names[number] for number in np.flatnonzero(choices.blocks[row]))
    assert blocks and second not in (choices.parents[row], question.members[row])
    return Crossover(second, len(lives[second]), blocks)


def _configs(question: Question, choices: Choices, lives: Lives) -> list[Config | None]:
    """What the members go on with; None: to be drawn.

    A configuration's floats survive unless something changed them, since decoding rounds.
    """
    members, past, units = question.members, question.past, choices.units
    codec = past.setting.space.codec
    latest = past.latest
    parents = np.where(choices.parents < 0, members, choices.parents)
    own = same_rows(units, past.units[latest[members]])
    theirs = same_rows(units, past.units[latest[parents]])
    new = ~(own | theirs | ((choices.parents < 0) & np.isnan(units).all(axis=1)))
    decoded = iter(codec.decode(units[new]) if new.any() else ())
    configs: list[Config | None] = []
    for row, (member, parent) in enumerate(zip(members.tolist(), parents.tolist(), strict=True)):
        if own[row] or theirs[row]:
            configs.append(_config_of(member if own[row] else parent, past, lives))
        else:
            configs.append(next(decoded) if new[row] else None)
    return configs


def _config_of(member: int, past: Past, lives: Lives) -> Config:
    """What a member trained the latest interval with that a past knows of."""
    row, life = past.latest[member], lives[member]
    number = int(past.generation[row])
    if number <= len(life):
        return life[number - 1].config
    return past.setting.space.codec.decode(past.units[[row]])[0]
