"""What a preference study says when it begins and when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.preference.history import PreferenceHistory
from orchestrator.preference.questions import Answer, harmless
from orchestrator.reporting.lines import places
from orchestrator.reporting.preference.utilities import described
from orchestrator.run.directory import RunDirectory
from orchestrator.run.resume_command import resume_command
from orchestrator.text import number

PAGE = "study.html"
_WORDS: dict[Answer, str] = {"first": "for the first", "second": "for the second", "equal": "for neither"}


def outcome(history: PreferenceHistory) -> Iterator[str]:
    """What the answers say, in sentences."""
    if (standing := history.standing) is None:
        yield "Nothing was compared."
        return
    best = history.options[standing.options[0]]
    ahead = f"better than option {standing.options[1]} with a probability of {standing.chance:.2f}"
    yield f"Highest posterior utility: option {best.number} ({described(best)}), {ahead}."
    counts = Counter(one.answer for one in history.comparisons)
    told = ", ".join(f"{counts[answer]} {words}" for answer, words in _WORDS.items() if counts[answer])
    answers = f"{len(history.comparisons)} of {history.start.questions}"
    yield f"Answers: {answers} ({told}), by {asked_of(history)}."
    rest = (
        "Utilities come from comparisons alone: their differences mean something, their values are no scores."
    )
    yield rest
    if failed := [option for option in history.options if option.failure]:
        one = failed[-1]
        yield f"{len(failed)} of {len(history.options)} options failed, the last by: {harmless(one.failure)}."


def asked_of(history: PreferenceHistory) -> str:
    """Who answered."""
    return f"the program {history.start.judge}" if history.start.judge else "a person"


def opening(study: Mapping[str, Any], path: Path, resume: bool, answered: int) -> str:
    """What is asked, and where it is kept."""
    settings, verb = study["preference"], "resuming" if resume else "study"
    given = f", {answered} of them answered" if answered else ""
    return f"{verb} {study['study']['name']}: {settings['questions']} questions{given}; run directory {path}"


def closing(
    history: PreferenceHistory, path: Path, view: str | None, study: Mapping[str, Any], exhausted: bool
) -> Iterator[str]:
    """How the study ended, what came out, and what to do next; lines of text.

    Args:
        view: how to browse the record in MLflow; None: there is none.
        exhausted: whether no pair was left to ask about.
    """
    if history.stopped is not None:
        yield f"stopped: {history.stopped}"
    elif exhausted:
        yield "every pair has been compared"
    yield from outcome(history)
    yield from places(path, "report", PAGE)
    if RunDirectory(path).failures.exists():
        yield f"tracebacks: {RunDirectory(path).failures}"
    if view is not None:
        yield f"browse in MLflow: {view}"
    if history.stopped is not None:
        yield f"go on with: {resume_command(path, study)}"


def deviation(mean: float, spread: float) -> str:
    """A utility with its uncertainty."""
    return f"{number(mean)} ± {number(spread)}"
