"""Tries a workload once in this process, before anything is started: what would fail everywhere is refused.

What proves a fault is refused in one line; what may have a reason becomes a note. One smallest unit of
training is tried about five times, for at most :data:`SECONDS`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.preflight.copies import CopyCheck, Trained
from orchestrator.preflight.sandbox import OutOfTimeError, untouched, within
from orchestrator.preflight.subject import Findings, Subject, UntriedError, check_call, raised
from orchestrator.randomness import user_seed
from search_spaces import Config, ConfigurationError
from search_spaces.extras import advice
from search_spaces.reading import Nothing, closest, listing
from workloads.capabilities import PerturbableSession, RehearsableWorkload
from workloads.contract import Device, Session

SECONDS = 30.0
"""How long a pre-flight may take; what has not been tried by then is left to the study."""


def preflight(subject: Subject, seconds: float = SECONDS) -> Findings:
    """Try the workload as the study will use it, or its rehearsal where it offers one.

    Random states, threads and the working directory of this process stay as they were.

    Raises:
        ConfigurationError: the study would fail, or silently compute something else.
    """
    findings, began = Findings(), time.monotonic()
    if isinstance(subject.workload, RehearsableWorkload):
        subject = replace(subject, workload=subject.workload.rehearsal())
    try:
        with untouched(), within(seconds):
            _Flight(subject, findings, began + seconds).fly()
    except UntriedError:
        pass
    except OutOfTimeError:
        tried = f"; {', '.join(findings.checked)} worked" if findings.checked else ""
        findings.notes.append(f"{subject.name}: ended after {seconds:g} s, the rest was not tried{tried}")
    findings.seconds = time.monotonic() - began
    return findings


def tried(config: Mapping[str, Any], subjects: Sequence[Subject]) -> Findings:
    """What the pre-flight of a whole study found, within :data:`SECONDS`; nothing where it is turned off.

    Args:
        config: the whole configuration, resolved, as plain data.
        subjects: what the study trains.
    """
    together = Findings()
    if not config.get("preflight", True):
        return together
    for number, subject in enumerate(subjects):
        left = SECONDS - together.seconds
        if left <= 0:
            rest = listing([one.name for one in subjects[number:]])
            together.notes.append(f"ended after {SECONDS:g} s, so {rest} were not tried")
            break
        found = preflight(subject, left)
        together.seconds += found.seconds
        together.notes += found.notes
        together.checked += [f"{subject.name} ({', '.join(found.checked)})"] if found.checked else []
    return together


class _Flight:
    def __init__(self, subject: Subject, findings: Findings, end: float) -> None:
        self._subject, self._workload, self._findings, self._end = subject, subject.workload, findings, end
        self._amount = self._workload.fidelity.smallest
        self._seed = user_seed(subject.seed, "pre-flight")

    def fly(self) -> None:
        subject = self._subject
        check_call(subject, "start", self._workload, ("config", "seed", "device"))
        trained = self._first_trained()
        if trained is None:
            return
        self._findings.checked.append(f"{self._amount} {self._workload.fidelity.unit} of training")
        self._check_metrics(trained.metrics)
        if subject.copied:
            CopyCheck(subject, self._findings, self._end, trained).run()

    def _first_trained(self) -> Trained | None:
        """The first of several configurations that can be trained."""
        errors: list[Exception] = []
        for config in self._subject.configs():
            try:
                session = self._start(config)
                self._check_methods(session)
                began = time.monotonic()
                metrics = session.advance(self._amount)
                return Trained(self._start, config, session, metrics, time.monotonic() - began)
            except _FaultError as fault:
                raise fault.refusal from None
            except Exception as error:  # noqa: BLE001 - a user's training may raise anything
                errors.append(error)
        self._refuse_training(errors)
        return None

    def _start(self, config: Config) -> Session:
        return self._workload.start(self._workload.space.meant(config), self._seed, Device())

    def _check_methods(self, session: Session) -> None:
        try:
            wanted: dict[str, tuple[str, ...]] = {"advance": ("amount",)}
            if self._subject.copied:
                wanted |= {"configure": ("config",), "state": (), "load": ("state",)}
            for method, arguments in wanted.items():
                check_call(self._subject, method, session, arguments)
            self._check_perturb(session)
        except ConfigurationError as error:
            raise _FaultError(error) from error

    def _check_perturb(self, session: Session) -> None:
        method = self._subject.perturbed_by
        if method is None:
            return
        if not isinstance(session, PerturbableSession):
            expected, call = f"{type(session).__name__} to have a method", "perturb(keep, noise, seed)"
            hint = f"{method} mixes new weights into those of members; other methods do not"
            raise self._subject.refusal(expected, call, Nothing(), hint)
        check_call(self._subject, "perturb", session, ("keep", "noise", "seed"))

    def _refuse_training(self, errors: Sequence[Exception]) -> None:
        """Say why no configuration could be trained."""
        error = errors[0]
        reason = raised(error)
        if self._subject.gpus:
            self._findings.notes.append(f"{self._subject.name} could not be tried without its GPU: {reason}")
            return
        hint = f"each of {len(errors)} configurations failed; preflight=false starts the study all the same"
        space = self._workload.space
        if isinstance(error, KeyError) and error.args and error.args[0] not in space.names:
            hint = f"the search space has {listing(space.names)}"
        hint = advice(error) or hint
        expected = f"to train {self._amount} {self._workload.fidelity.unit}"
        raise self._subject.refusal(self._subject.name, expected, reason, hint) from error

    def _check_metrics(self, metrics: object) -> None:
        subject = self._subject
        if not isinstance(metrics, Mapping):
            expected = "to return a mapping of metrics by name"
            raise subject.refusal("advance(amount)", expected, metrics)
        for name, value in metrics.items():
            if not _is_number(value):
                raise subject.refusal(f"metric {name!r}", "to be a number", value)
        for name in subject.metrics:
            if name not in metrics:
                hint = (
                    closest(name, list(metrics)) or "the objectives are the workload's, or set by objectives="
                )
                expected = f"{name!r} among the metrics that advance(amount) returns"
                raise subject.refusal("", expected, list(metrics), hint)
        if subject.metrics:
            self._findings.checked.append(f"metrics {', '.join(subject.metrics)}")


class _FaultError(Exception):
    """A fault of the workload whatever the configuration."""

    def __init__(self, refusal: ConfigurationError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _is_number(value: object) -> bool:
    if isinstance(value, str | bytes):
        return False
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False
    return True
