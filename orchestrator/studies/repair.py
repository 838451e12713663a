"""``resume=<run directory> repair=true``: a run goes on without damaged or lost lines of its journal.

Nothing is guessed. Either all that is missing stood twice or elsewhere; or what is left tells of a study that
might have been, which goes on and does again what it does not know of; or the journal ends before the damage,
as if the study had been killed then. Where none of that holds, the repair is refused.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.benchmark.soundness import BenchmarkJudge
from orchestrator.benchmark.store import Store
from orchestrator.population.history.soundness import PopulationJudge
from orchestrator.population.snapshots.resuming import may_go_on
from orchestrator.preference.history import PreferenceJudge
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, Journal, exclusively, positions, read_journal
from orchestrator.run.journal_lines import JournalError
from orchestrator.run.salvage import Salvage, salvaged
from orchestrator.run.soundness import Judge, first_problem
from orchestrator.search.history.soundness import SearchJudge
from workloads.state_files import sync_folder

JUDGES: dict[str, Callable[[], Judge]] = {
    "population": PopulationJudge,
    "search": SearchJudge,
    "benchmark": BenchmarkJudge,
    "preference": PreferenceJudge,
}
"""By the kind of study, what says whether events can follow one another."""


def repair(kind: str, run: RunDirectory) -> list[str]:
    """Repair the run's journal, and a benchmark's store, where they are damaged.

    Damaged files are kept beside the new ones.

    Returns:
        What people should know.

    Raises:
        ConfigurationError: another process works on the run.
        JournalError: what is left is not enough to go on; nothing has been changed.
    """
    lines = _repaired_journal(kind, run)
    return [*lines, *Store(run.cells).set_aside()] if kind == "benchmark" else lines


def _repaired_journal(kind: str, run: RunDirectory) -> list[str]:
    with exclusively(run.journal):
        if not run.journal.exists() or _is_sound(kind, run.journal):
            return ["the journal needs no repair"]
        left = salvaged(run.journal)
        draft = run.journal.with_name(f".{run.journal.name}.repaired")
        try:
            lost = _lost(kind, run, left, draft)
            kept = _keep(run.journal)
            draft.replace(run.journal)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(run.path)
    what = "; ".join(left.found) or "events cannot have followed one another"
    with Journal(run.journal) as journal:
        if not journal.position.line:
            return [f"the journal began anew: {what}; {kept.name} is the damaged one"]
        journal.append({"event": "repaired", "found": what, "lost": lost, "time": time.time()})
        journal.sync()
    return [f"the journal was repaired: {what}; {lost}; {kept.name} is the damaged one"]


def _is_sound(kind: str, path: Path) -> bool:
    try:
        return first_problem(read_journal(path), JUDGES[kind]()) is None
    except JournalError:
        return False


def _lost(kind: str, run: RunDirectory, left: Salvage, draft: Path) -> str:
    """Write a journal that the study can go on from; returns what is lost in it.

    Raises:
        JournalError: there is none.
    """
    whole, later = left.kept, left.later
    unsound = first_problem(whole, JUDGES[kind]())
    if unsound is None and not later:
        _write(draft, left.prefix)
        if _may_go_on(kind, run, whole, draft):
            return "no other line is lost"
    elif unsound is None and kind != "population" and first_problem([*whole, *later], JUDGES[kind]()) is None:
        draft.unlink(missing_ok=True)
        with Journal(draft) as journal:
            journal.append(*whole, *later)
            journal.sync()
        return "the study goes on without them"
    until = len(whole) if unsound is None else unsound[0]
    _write(draft, left.prefix[:until])
    if not _may_go_on(kind, run, whole[:until], draft):
        what = "; ".join(left.found) or (unsound[1] if unsound else "")
        expected = "as much before the damage as a study can go on from"
        raise JournalError(
            f"{run.journal}, line {until + 1}", expected, what, "restore the file from a copy, or start anew"
        )
    gone = len(whole) - until + len(later)
    return f"all from line {until + 1} on is lost ({gone} intact lines among it), and is done again"


def _may_go_on(kind: str, run: RunDirectory, events: Sequence[Event], draft: Path) -> bool:
    """Whether a study can go on from these events, which are all of the journal in ``draft``."""
    if kind == "population":
        return bool(events) and may_go_on(run, events, positions(draft))
    # A benchmark's results are in its store.
    return kind == "benchmark" or bool(events)


def _write(path: Path, lines: Sequence[bytes]) -> None:
    with path.open("wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _keep(path: Path) -> Path:
    """Keep a copy of a damaged journal beside it; returns it."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    shutil.copyfile(path, kept)
    return kept
