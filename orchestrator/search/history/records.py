"""The journal of a search study: what its events hold.

``start``      once, first: the study (:class:`orchestrator.search.history.history.SearchStart`).
``observed``   source, trials: what the optimizer learned from earlier studies before its first suggestion;
               each trial has config, fidelity, status, losses and violations.
``added``      file, configs, time: configurations that people added; they are tried next.
``suggested``  trial, config, fidelity (None: train fully), told (of how many ended trials the optimizer knew
               when it thought of it; missing: of all before), time. On the disk before the trial is started.
               Where the optimizer did not suggest it, source in the place of told: ``initial``, ``added``, or
               ``finalist`` for an evaluation of the trial that finalist names.
               Where there are any: repeat (how often the configuration was suggested to the same fidelity
               before), from (trial and fidelity of the checkpoint that it goes on from).
``waited``     told: the optimizer was asked and wants to be told of pending trials first; or, with a reason,
               it has no more suggestions.
``report``     trial, fidelity, metrics, losses, seconds, time: at every rung that it reached. Where it trains
               with several seeds: repeats, the metrics with each; the others are of the means.
``saved``      trial, fidelity, seconds, checksum, time: there is a checkpoint of its training so far.
``unsaved``    reason, time: why the workload's trials cannot be saved; or, with again true, why a checkpoint
               could not be written, which is tried again when the next one is due.
``lost``       trial, attempt, reason, process (which one trained it; may be missing or empty), seconds,
               time: its process, node or memory was lost. It goes on from the fidelity ``from`` (missing: it
               begins anew), and what it reported beyond is void; unless it has ended with the status ``lost``
               right after.
``anew``       trial, reason, time: its checkpoint cannot be used. It begins anew, and all that it reported is
               void.
``ended``      trial, status, losses, violations, metrics, fidelity, seconds, reason, test, time. On the disk
               before anything is handed out that depends on it. Where it has left a checkpoint for a trial
               that is to be trained further: saved (fidelity, seconds, checksum). Where it was not trained,
               since its workload gives the same for every seed: reused (the trial whose result it takes).
``spent``      reason, time: no further trial begins, and those that run end at their next report, since a
               budget is spent.
``finals``     trials (the best first), seeds, missing (evaluations to be trained), time: the search is over,
               and these trials are evaluated again, each with so many new seeds.
``resume``     pending, trials and seconds (how many the study has now; may be missing), time: these trials go
               on from the fidelities in ``from`` (by trial, as text), those that had ended as lost too; those
               that are not in it begin anew. What they reported beyond is void.
``stopped``    reason, time: the study was interrupted.
``final``      trials, failed, lost, pareto (trials in the non-dominated set), knee, budget (with which the
               study was complete; may be missing), time. Only lost trials have checkpoints from now on.

Losses and violations are to be minimised and may be NaN; metrics are in their own units and directions;
seconds are a trial's own training time; time is in seconds since the epoch. Trials are numbered from 0 in
the order of their suggestion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.archive import TRIAL_COLUMNS
from orchestrator.run.journal import Event
from orchestrator.search.trials.checkpoints import Checkpoint, Unsaved
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion, Trial

OWN_COLUMNS = ("trial", "suggested", "ended", "knee", *TRIAL_COLUMNS)
"""Columns of a study's tables (:mod:`.frames`) by which no objective may be called."""


def suggested(
    number: int,
    suggestion: Suggestion,
    time: float,
    told: int = 0,
    source: str = "",
    *,
    repeat: int = 0,
    origin: Checkpoint | None = None,
    finalist: int | None = None,
) -> Event:
    """The event of a suggestion.

    Args:
        told: how many ended trials the optimizer had been told of when it made it.
        source: who made it, if that was not the optimizer.
        repeat: how often the configuration was suggested to the same fidelity before.
        origin: the checkpoint of another trial that it goes on from.
        finalist: the trial that it evaluates again; None: it is none of the finals.
    """
    return {
        "event": "suggested",
        "trial": number,
        "config": dict(suggestion.config),
        "fidelity": suggestion.fidelity,
        **({"source": source} if source else {"told": told}),
        **({"repeat": repeat} if repeat else {}),
        **({} if finalist is None else {"finalist": finalist}),
        **({"from": {"trial": origin.trial, "fidelity": origin.fidelity}} if origin else {}),
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
        **({"repeats": [dict(metrics) for metrics in report.each]} if report.each else {}),
        "time": time,
    }


def saved(checkpoint: Checkpoint, time: float) -> Event:
    """The event of a checkpoint."""
    return {"event": "saved", "trial": checkpoint.trial, **checkpoint.event(), "time": time}


def unsaved(news: Unsaved, time: float) -> Event:
    """The event of a checkpoint that is not there."""
    again = {"again": True} if news.again else {}
    return {"event": "unsaved", "reason": news.reason, **again, "time": time}


def lost(
    number: int, attempt: int, reason: str, process: str, seconds: float, time: float, fidelity: int
) -> Event:
    """The event of a loss.

    Args:
        attempt: how often the trial was lost since the study was last started.
        process: which one trained it.
        fidelity: what it goes on from; 0: it begins anew.
    """
    return {
        "event": "lost",
        "trial": number,
        "attempt": attempt,
        "reason": reason,
        "process": process,
        **({"from": fidelity} if fidelity else {}),
        "seconds": seconds,
        "time": time,
    }


def began_anew(number: int, reason: str, time: float) -> Event:
    """The event of a checkpoint that cannot be used."""
    return {"event": "anew", "trial": number, "reason": reason, "time": time}


def resumed(pending: Mapping[int, int], trials: int, seconds: float | None, time: float) -> Event:
    """The event of a study that goes on, with ``trials`` trials and ``seconds`` in all; None: no limit.

    Args:
        pending: the fidelities that trials go on from; 0: they begin anew.
    """
    going = {str(trial): fidelity for trial, fidelity in pending.items() if fidelity}
    return {
        "event": "resume",
        "pending": list(pending),
        **({"from": going} if going else {}),
        "trials": trials,
        "seconds": seconds,
        "time": time,
    }


def gone_back(event: Event) -> dict[int, int]:
    """The fidelities that trials go on from after an event, by trial; what they reported beyond is void."""
    match event["event"]:
        case "lost":
            return {event["trial"]: event.get("from", 0)}
        case "anew":
            return {event["trial"]: 0}
        case "resume":
            going = event.get("from", {})
            return {trial: going.get(str(trial), 0) for trial in event["pending"]}
    return {}


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


def ended(
    number: int,
    trial: Trial,
    test: Mapping[str, float],
    time: float,
    left: Checkpoint | None = None,
    reused: int | None = None,
) -> Event:
    """The event of a trial's end.

    Args:
        left: the checkpoint for a trial that is to be trained further.
        reused: the trial whose result it takes; None: it was trained itself.
    """
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
        "test": dict(test),
        **({} if reused is None else {"reused": reused}),
        **({"saved": left.event()} if left else {}),
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
        if back := gone_back(event):
            kept = [
                one
                for one in kept
                if one["event"] != "report" or one["fidelity"] <= back.get(one["trial"], one["fidelity"])
            ]
        kept.append(event)
    return kept
