"""A run of a preference study, in this process: whoever answers is slower than any cluster.

What is compared is made here, one configuration after another, and neither Ray nor a coordinator is needed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.preference.assemble import PreferenceParts, assemble_preference
from orchestrator.preference.course import Course
from orchestrator.preference.history import PreferenceHistory, PreferenceJudge, PreferenceStart
from orchestrator.preference.judges import ProgramAsker
from orchestrator.preference.making import HopelessError, Maker
from orchestrator.preference.page import PageAsker
from orchestrator.preference.preflight import preflight
from orchestrator.preference.questions import Asker, UnansweredError
from orchestrator.preference.standings import standing
from orchestrator.preference.terminal import TerminalAsker
from orchestrator.reporting.preference.results import write_results
from orchestrator.reporting.preference.summary import closing, opening
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED, terminated_in_order
from orchestrator.run.journal import Journal, read_journal
from orchestrator.run.room import require_room
from orchestrator.run.soundness import require_sound
from orchestrator.studies.kind import Study
from orchestrator.studies.repair import repair
from orchestrator.studies.saying import plain_console, say
from orchestrator.text import first_line
from orchestrator.tracking.phases import Phases
from orchestrator.tracking.recording import Recording
from search_spaces import ConfigurationError
from workloads.contract import Device

_INTERRUPTION = "interrupted"


def run(study: Study, path: Path, resume: bool) -> int:
    """Run or resume a preference study.

    Args:
        study: the resolved configuration.
        path: the run directory; holds the configuration, and when resumed a journal.
        resume: whether the run directory's study goes on.

    Returns:
        The exit status: 0 complete, 1 nobody could answer or nothing could be compared, 130 interrupted.

    Raises:
        ConfigurationError: something that the study needs cannot be had; nothing has been asked.
    """
    run, console = RunDirectory(path), plain_console()
    parts, device = assemble_preference(study), _device(study["cluster"])
    require_room(run.path)
    phases = Phases(console, study["tracking"]["terminal"])
    if resume and study.get("repair"):
        say(console, repair("preference", run))
    if not resume:
        with phases("checking the study and trying its workload"):
            remarks = preflight(study, parts).lines
        say(console, remarks)
    with Journal(run.journal) as journal, terminated_in_order(), Recording(study, run) as recording:
        history = _history(study, parts, run, journal)
        with phases("opening the record in MLflow"):
            recording.start()
        say(console, [opening(study, run.path, resume, len(history.comparisons))])
        ending = _asked(_Asking(study, parts, device, run, journal, history, console))
        with phases("writing results"):
            _conclude(ending, parts, journal, history)
            results = write_results(run.results, history)
        with phases("completing the record"):
            recording.finish(ending.status, results)
    say(console, closing(history, run.path, recording.view, study, ending.exhausted))
    if recording.event_files is not None:
        say(console, [f"browse in TensorBoard: {recording.event_files}"])
    return ending.status


@dataclass(frozen=True)
class _Ending:
    """How the questions ended.

    Args:
        stopped: why before all were answered; empty: they were, or no pair is left.
        exhausted: the latter.
    """

    status: int
    stopped: str = ""
    exhausted: bool = False


@dataclass(frozen=True)
class _Asking:
    """What the questions need."""

    study: Study
    parts: PreferenceParts
    device: Device
    run: RunDirectory
    journal: Journal
    history: PreferenceHistory
    console: Console


def _history(study: Study, parts: PreferenceParts, run: RunDirectory, journal: Journal) -> PreferenceHistory:
    """What the journal tells, and that the study begins or goes on."""
    past, questions = read_journal(run.journal), study["preference"]["questions"]
    require_sound(run.journal, past, PreferenceJudge())
    if not past:
        judge = type(parts.judge).__name__ if parts.judge is not None else ""
        names = tuple(parts.space.names)
        start = PreferenceStart(
            study["study"]["name"], study["seed"], judge, questions, names, time.time()
        ).event()
        journal.append(start)
        return PreferenceHistory.from_events([start])
    history = PreferenceHistory.from_events(past)
    if history.final is None or questions > history.start.questions:
        again = {"event": "resume", "questions": questions, "time": time.time()}
        journal.append(again)
        history.extend([again])
    return history


def _asked(asking: _Asking) -> _Ending:
    """Ask what is left to ask."""
    study, history, parts = asking.study, asking.history, asking.parts
    if len(history.comparisons) >= history.start.questions:
        return _Ending(0)
    asker = _asker(study, parts, asking.console)
    maker = Maker(parts.workload, study["seed"], asking.device, asking.run.failures)
    course = Course(maker, parts.duel, asker, asking.journal, history, time.time)
    try:
        return _Ending(0, exhausted=not course.run())
    except KeyboardInterrupt:
        say(asking.console, [""])
        return _Ending(INTERRUPTED, _INTERRUPTION)
    except (UnansweredError, HopelessError) as error:
        return _Ending(1, first_line(str(error)))
    finally:
        asker.close()


def _conclude(ending: _Ending, parts: PreferenceParts, journal: Journal, history: PreferenceHistory) -> None:
    """Write the journal's last lines, once."""
    if history.final is not None:
        return
    events = []
    if (found := standing(parts.duel, history.compared)) is not None:
        events.append(found.event(time.time()))
    if ending.stopped:
        events.append({"event": "stopped", "reason": ending.stopped, "time": time.time()})
    else:
        best = found.options[0] if found is not None else None
        answers = len(history.comparisons)
        events.append({"event": "final", "answers": answers, "best": best, "time": time.time()})
    journal.append(*events)
    journal.sync()
    history.extend(events)


def _asker(study: Study, parts: PreferenceParts, console: Console) -> Asker:
    settings = study["preference"]
    if parts.judge is not None:
        return ProgramAsker(parts.judge)
    if settings["ask"] == "page":
        return PageAsker(study["study"]["name"], settings["port"], lambda line: say(console, [line]))

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    return TerminalAsker(sys.stdin, write)


def _device(cluster: Mapping[str, Any]) -> Device:
    """Where results are made: this process, with the threads of a trial."""
    threads = max(1, round(cluster["cpus_per_trial"]))
    if not cluster["gpus_per_trial"]:
        return Device(threads=threads)
    import torch

    if not torch.cuda.is_available():
        raise ConfigurationError(
            "cluster.gpus_per_trial", "0 on a machine without a GPU", cluster["gpus_per_trial"]
        )
    return Device("cuda", threads=threads)
