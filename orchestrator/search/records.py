"""The journal of a search study: what its events hold.

``start``      once, first: the study (:class:`orchestrator.search.history.SearchStart`).
``observed``   source, trials: what the optimizer learned from earlier studies before its first suggestion;
               each trial has config, fidelity, status, losses and violations.
``added``      file, configs, time: configurations that people added; they are tried next.
``suggested``  trial, config, fidelity (None: train fully), told (of how many ended trials the optimizer knew
               when it thought of it; missing: of all before), time. On the disk before the trial is started.
               Where the optimizer did not suggest it, source in the place of told: ``initial`` or ``added``.
``waited``     told: the optimizer was asked and wants to be told of pending trials first; or, with a reason,
               it has no more suggestions.
``report``     trial, fidelity, metrics, losses, seconds, time: at every rung that it reached.
``lost``       trial, attempt, reason, process (which one trained it; may be missing or empty), seconds,
               time: its process, node or memory was lost. What it reported so far is void; it begins anew,
               unless it has ended with the status ``lost`` right after.
``ended``      trial, status, losses, violations, metrics, fidelity, seconds, reason, test, time. On the disk
               before anything is handed out that depends on it.
``spent``      reason, time: no further trial begins, and those that run end at their next report, since a
               budget is spent.
``resume``     pending, trials (how many the study has now; may be missing), time: these trials begin anew,
               also those that had ended as lost; what they reported so far is void.
``stopped``    reason, time: the study was interrupted.
``final``      trials, failed, lost, pareto (trials in the non-dominated set), knee, budget (with which the
               study was complete; may be missing), time.

Losses and violations are to be minimised and may be NaN; metrics are in their own units and directions;
seconds are training time; time is in seconds since the epoch. Trials are numbered from 0 in the order of
their suggestion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.archive import TRIAL_COLUMNS
from orchestrator.run.journal import Event
from orchestrator.search.trial_run import Report
from orchestrator.trial import Suggestion, Trial

OWN_COLUMNS = ("trial", "suggested", "ended", "knee", *TRIAL_COLUMNS)
"""Columns of a study's tables (:mod:`orchestrator.search.frames`) by which no objective may be called."""


def suggested(number: int, suggestion: Suggestion, time: float, told: int = 0, source: str = "") -> Event:
    """The event of a suggestion.

    Args:
        told: how many ended trials the optimizer had been told of when it made it.
        source: who made it, if that was not the optimizer.
    """
    return {
        "event": "suggested",
        "trial": number,
        "config": dict(suggestion.config),
        "fidelity": suggestion.fidelity,
        **({"source": source} if source else {"told": told}),
        "time": time,
    }


def reported(number: int, report: Report, losses: Sequence[float], time: float) -> Event:
    """The event of a trial's report at a rung."""
    return {
        "event": "report",
        "trial": number,
        "fidelity": report.fidelity,
        "metrics": dict(report.metrics),
        "losses": list(losses),
        "seconds": report.seconds,
        "time": time,
    }


def resumed(pending: Sequence[int], trials: int, seconds: float | None, time: float) -> Event:
    """The event of a study that goes on, with ``trials`` trials and ``seconds`` in all; None: no limit."""
    return {"event": "resume", "pending": list(pending), "trials": trials, "seconds": seconds, "time": time}


def observed(source: str, trials: Sequence[Trial]) -> Event:
    """The event of results that an optimizer did not suggest."""
    return {
        "event": "observed",
        "source": source,
        "trials": [
            {
                "config": dict(trial.config),
                "fidelity": trial.suggestion.fidelity,
                "status": trial.status,
                "losses": list(trial.losses),
                "violations": list(trial.violations),
            }
            for trial in trials
        ],
    }


def observed_trials(event: Event) -> list[Trial]:
    """The trials that an ``observed`` event holds."""
    return [
        Trial(
            Suggestion(one["config"], one["fidelity"]),
            tuple(one["losses"]),
            tuple(one["violations"]),
            one["status"],
            one["fidelity"],
        )
        for one in event["trials"]
    ]


def ended(number: int, trial: Trial, test: dict[str, float], time: float) -> Event:
    """The event of a trial's end."""
    return {
        "event": "ended",
        "trial": number,
        "status": trial.status,
        "losses": list(trial.losses),
        "violations": list(trial.violations),
        "metrics": dict(trial.metrics),
        "fidelity": trial.fidelity,
        "seconds": trial.seconds,
        "reason": trial.reason,
        "test": test,
        "time": time,
    }


def trial_of(event: dict[str, Any], suggestion: Suggestion) -> Trial:
    """The trial that an ``ended`` event holds."""
    return Trial(
        suggestion,
        losses=tuple(event["losses"]),
        violations=tuple(event["violations"]),
        status=event["status"],
        fidelity=event["fidelity"],
        reason=event["reason"],
        metrics=event["metrics"],
        seconds=event["seconds"],
    )


def in_force(events: Iterable[Event]) -> list[Event]:
    """``events`` without the reports that a later loss or resume made void."""
    kept: list[Event] = []
    for event in events:
        if event["event"] in ("resume", "lost"):
            void = set(event["pending"]) if event["event"] == "resume" else {event["trial"]}
            kept = [one for one in kept if one["event"] != "report" or one["trial"] not in void]
        kept.append(event)
    return kept
