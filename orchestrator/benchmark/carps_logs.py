"""Reads logs of carps 1.1 (Benjamins et al. 2025) into a run directory of ours.

carps' file logger writes one folder per cell: ``trial_logs.jsonl``, a line per evaluation, with Hydra's
``.hydra/config.yaml`` beside it. Names, the task and its type are taken from the configuration.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from orchestrator.benchmark.carps_tasks import fidelity_of, named, share_of, space_of, task_record
from orchestrator.benchmark.records import CellKey, CellResult, Evaluation, LeftOut, TaskRecord
from orchestrator.benchmark.results import save_study
from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from orchestrator.trial import Suggestion, Trial
from search_spaces import ConfigurationError

_LOG = "trial_logs.jsonl"
_CONFIG = ".hydra/config.yaml"
_SUCCESS = 1
_FAILURES = {0: "it had not ended", 2: "it crashed", 3: "it timed out", 4: "it ran out of memory"}
"""carps' ``StatusType``."""


@dataclass(frozen=True)
class Imported:
    """What an import found.

    Args:
        tasks, methods: names, in the order in which they were found.
        cells, failed, evaluations: how many; failed cells are among the cells.
        skipped: folders that are not in the run directory, each with the reason.
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    cells: int
    failed: int
    evaluations: int
    skipped: tuple[tuple[Path, str], ...]


def import_carps(logs: Path, run_dir: Path) -> Imported:
    """Read all cells below ``logs`` into a new benchmark study at ``run_dir``.

    Methods are called as carps' optimizer ids, seeds are carps' seeds. The log of a killed run is read up
    to its last whole line, and its cell has failed. If a cell has several logs, the first complete one
    counts, or else the last. Unreadable logs are skipped. An optimizer without a log of a task is left out
    there.

    Raises:
        ConfigurationError: there is no cell below ``logs``, or ``run_dir`` holds something already.
    """
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise ConfigurationError("run directory", "a new or an empty folder", str(run_dir))
    tasks: dict[str, TaskRecord] = {}
    cells: dict[CellKey, tuple[bool, int]] = {}  # whether it has finished, and its evaluations
    skipped: list[tuple[Path, str]] = []
    with Store(RunDirectory(run_dir).cells) as store:
        for folder in _folders(logs):
            try:
                task, cell = read_cell(folder)
            except ConfigurationError as error:
                skipped.append((folder, str(error)))
                continue
            if cell.key in cells and cells[cell.key][0]:
                skipped.append((folder, "another log has the same task, optimizer and seed"))
                continue
            store.append(cell)
            cells[cell.key] = cell.status == "finished", len(cell.evaluations)
            tasks[task.name] = _joined(task, tasks.get(task.name, task))
        store.compact()
    if not cells:
        hint = skipped[0][1] if skipped else ""
        raise ConfigurationError("log directory", f"logs of carps ({_LOG} with {_CONFIG})", str(logs), hint)
    methods = tuple(dict.fromkeys(key.method for key in cells))
    logged = {(key.task, key.method) for key in cells}
    absent = [
        LeftOut(*pairing, "not in the logs") for pairing in product(tasks, methods) if pairing not in logged
    ]
    seeds = sorted({key.seed for key in cells})
    save_study(run_dir, "carps", list(tasks.values()), methods, workers=1, left_out=absent, seeds=seeds)
    return Imported(
        tasks=tuple(tasks),
        methods=methods,
        cells=len(cells),
        failed=sum(not finished for finished, _ in cells.values()),
        evaluations=sum(count for _, count in cells.values()),
        skipped=tuple(skipped),
    )


def read_cell(folder: Path) -> tuple[TaskRecord, CellResult]:
    """The cell whose log and configuration lie in ``folder``, and its task.

    Times are carps' virtual times if it logged any, one evaluation after the other; otherwise an evaluation
    takes its cost.

    Raises:
        ConfigurationError: the configuration or the log is missing, or is not carps'.
    """
    text = _text(folder / _CONFIG)
    log = _text(folder / _LOG) if (folder / _LOG).exists() else ""
    try:
        return _cell(text, log)
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ConfigurationError(str(folder), "a log of carps 1.1", found) from error


def _cell(text: str, log: str) -> tuple[TaskRecord, CellResult]:
    """The cell that a configuration and a log describe, and its task."""
    config = yaml.load(text, yaml.CSafeLoader)
    task, key_of = config["task"], (config["optimizer_id"], int(config["seed"]))
    entries, broken = _entries(log)
    timed = any(entry["trial_value"]["virtual_time"] > 0 for entry in entries)
    record = replace(task_record(task), timed=timed)
    evaluations = tuple(_evaluations(entries, task, record))
    spent = sum(evaluation.cost for evaluation in evaluations)
    if record.evaluations == 0:
        record = replace(record, evaluations=max(1, math.ceil(spent)))
    reason = broken or _missing(spent, task["optimization_resources"])
    result = CellResult(
        key=CellKey(record.name, *key_of),
        digest=hashlib.blake2b(f"{text}\0{log}".encode(), digest_size=12).hexdigest(),
        evaluations=evaluations,
        status="failed" if reason else "finished",
        reason=reason,
        seconds=_seconds(entries),
    )
    return record, result


def _folders(logs: Path) -> list[Path]:
    if not logs.is_dir():
        raise ConfigurationError("log directory", f"a directory with logs of carps ({_LOG})", str(logs))
    found = {path.parent for path in logs.rglob(_LOG)}
    found |= {path.parent.parent for path in logs.rglob(_CONFIG)}
    return sorted(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigurationError(str(path), "a file that can be read", error.strerror) from error


def _entries(log: str) -> tuple[list[dict[str, Any]], str]:
    """The lines up to the first torn one, and what is wrong with that one if others follow it."""
    lines, entries = log.splitlines(), []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            entries.append({part: entry[part] for part in ("trial_info", "trial_value")})
        except (ValueError, KeyError, TypeError):
            return entries, f"line {number} of the log cannot be read" if number < len(lines) else ""
    return entries, ""


def _evaluations(
    entries: Sequence[Mapping[str, Any]], task: Mapping[str, Any], record: TaskRecord
) -> Iterator[Evaluation]:
    now, space = 0.0, space_of(task)
    for number, entry in enumerate(entries):
        info, value = entry["trial_info"], entry["trial_value"]
        share = share_of(info, task)
        fidelity = fidelity_of(share, record.full) if record.full > 1 else None
        suggestion = Suggestion(named(info["config"], space), fidelity, number)
        end = now + (float(value["virtual_time"]) if record.timed else share)
        yield Evaluation(_trial(suggestion, value, len(record.objectives)), share, now, end)
        now = end


def _trial(suggestion: Suggestion, value: Mapping[str, Any], objectives: int) -> Trial:
    cost = value["cost"]
    losses = tuple(
        math.nan if one is None else float(one) for one in (cost if isinstance(cost, list) else [cost])
    )
    reason = "" if value["status"] == _SUCCESS else _FAILURES[value["status"]]
    if not reason and not (len(losses) == objectives and all(map(math.isfinite, losses))):
        reason = f"expected {objectives} finite costs, got {cost}"
    if reason:
        unknown = (math.nan,) * objectives
        return Trial(suggestion, unknown, status="failed", fidelity=suggestion.fidelity, reason=reason)
    return Trial(suggestion, losses, fidelity=suggestion.fidelity)


def _missing(spent: float, resources: Mapping[str, Any]) -> str:
    """Why a cell is incomplete; a cell with a time limit never is."""
    budget = resources["n_trials"]
    if budget is None or resources["time_budget"] is not None or spent >= budget - 1e-6:
        return ""
    return f"the log ends after {spent:.6g} of {budget} evaluations"


def _seconds(entries: Sequence[Mapping[str, Any]]) -> float:
    if not entries:
        return 0.0
    first, last = entries[0]["trial_value"], entries[-1]["trial_value"]
    return max(0.0, float(last["endtime"]) - float(first["starttime"]))


def _joined(task: TaskRecord, known: TaskRecord) -> TaskRecord:
    """The task with the largest budget of any of its cells."""
    evaluations, timed = max(task.evaluations, known.evaluations), task.timed or known.timed
    return replace(known, evaluations=evaluations, timed=timed)
