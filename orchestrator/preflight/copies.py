"""Whether a session's state, loaded into another session, goes on as the first one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.preflight.sandbox import available_memory
from orchestrator.preflight.subject import Findings, Subject, Text, UntriedError, raised
from orchestrator.randomness import stream
from search_spaces import Config, ConfigurationError
from search_spaces.reading import Nothing, listing
from workloads.contract import Metrics, Session, State
from workloads.state import check_state, copied, first_difference, state_bytes

_COPIES = 4
"""Times a state has to fit into free memory: two sessions, each with room to train, and two states."""


@dataclass(frozen=True)
class Trained:
    """A session that was trained for one smallest amount, and what it reported.

    Args:
        start: makes another session as this one was made.
        seconds: how long that took.
    """

    start: Callable[[Config], Session]
    config: Config
    session: Session
    metrics: Metrics
    seconds: float


class CopyCheck:
    """Copies a session's state as the study will.

    Args:
        subject: what is tried.
        findings: where notes go.
        end: when the pre-flight is to be over, on the monotonic clock.
        trained: the session.
    """

    def __init__(self, subject: Subject, findings: Findings, end: float, trained: Trained) -> None:
        self._subject, self._workload, self._findings, self._end = subject, subject.workload, findings, end
        self._trained, self._amount = trained, subject.workload.fidelity.smallest
        self._start, self._advance_seconds = trained.start, trained.seconds

    def run(self) -> None:
        """Copy, and compare.

        Raises:
            ConfigurationError: the state cannot be copied.
            UntriedError: it cannot be tried without the study's GPU.
        """
        config, session, metrics = self._trained.config, self._trained.session, self._trained.metrics
        state = self._state_of(session)
        if not self._has_room(state):
            return
        other = self._attempt("start", lambda: self._start(config))
        self._check_load(other, state)
        self._attempt("configure", lambda: other.configure(self._workload.space.meant(config)))
        self._check_rates(config, other, state)
        self._findings.checked.append("state, load and configure")
        if time.monotonic() + 5 * self._advance_seconds > self._end:
            long = f"{self._advance_seconds:.3g} s of training is too long"
            self._findings.notes.append(f"{self._subject.name}: {long} to try how a copy goes on")
            return
        self._check_going_on(config, session, other, metrics, state)

    def _state_of(self, session: Session) -> State:
        state = self._attempt("state", session.state)
        if state is None:
            expected = "to return everything that training changes"
            raise self._subject.refusal("state()", expected, Nothing(), "return {'weights': ...}")
        try:
            check_state(state)
        except TypeError as error:
            raise self._subject.refusal("state()", "to be a state that can be saved", Text(error)) from error
        return copied(state)

    def _has_room(self, state: State) -> bool:
        free, size = available_memory(), state_bytes(state)
        if _COPIES * size <= free:
            return True
        self._findings.notes.append(
            f"{self._subject.name}: load and configure were not tried, since a second session of "
            f"{size / 2**30:.1f} GiB might not fit into this machine's memory"
        )
        return False

    def _check_load(self, other: Session, state: State) -> None:
        fresh = _fresh_state(other)
        self._attempt("load", lambda: other.load(copied(state)))
        loaded = self._attempt("state", other.state)
        place = first_difference(loaded, state)
        if not place:
            return
        if fresh is not None and first_difference(fresh, state) and not first_difference(loaded, fresh):
            expected = "to take over the state of another session"
            found = Text(f"no effect: state() is as it was before, also in {place}")
            raise self._subject.refusal("load(state)", expected, found)
        self._findings.notes.append(
            f"{self._subject.name}: after load(state), state() differs from it in {place}; copies and "
            "resumed members may train differently"
        )

    def _check_rates(self, config: Config, other: Session, state: State) -> None:
        """Whether torch optimizers take learning rates over from the configuration after a load."""
        changed, before = self._changed(config), _rates(other)
        if changed is None or not before:
            return
        wanted = _rates(self._attempt("start", lambda: self._start(changed)))
        self._attempt("load", lambda: other.load(copied(state)))
        self._attempt("configure", lambda: other.configure(self._workload.space.meant(changed)))
        after = _rates(other)
        if after == before and wanted != before:
            raise self._subject.refusal(
                "configure(config)",
                f"to set the optimizer's learning rate to {wanted[0]:.6g}, as start does",
                after[0],
                "set it in optimizer.param_groups",
            )
        self._attempt("load", lambda: other.load(copied(state)))
        self._attempt("configure", lambda: other.configure(self._workload.space.meant(config)))

    def _check_going_on(
        self, config: Config, session: Session, other: Session, metrics: Metrics, state: State
    ) -> None:
        """Whether two sessions with the same seed and state go on alike, and another configuration counts."""
        own = self._attempt("advance", lambda: session.advance(self._amount))
        copies = self._attempt("advance", lambda: other.advance(self._amount))
        name = self._subject.name
        if place := first_difference(copies, own, "metrics"):
            again = self._attempt("start", lambda: self._start(config))
            repeats = not first_difference(again.advance(self._amount), metrics)
            reason = (
                "state() may lack something that training changes"
                if repeats
                else "its randomness comes from elsewhere than the seed"
            )
            self._findings.notes.append(
                f"{name}: with the same seed and state it goes on differently in {place}; {reason}, so that "
                "copies and resumes do not repeat"
            )
            return
        self._findings.checked.append("a copy goes on identically")
        changed = self._changed(config)
        if changed is None:
            return
        after = copied(other.state())
        self._attempt("load", lambda: other.load(copied(state)))
        self._attempt("configure", lambda: other.configure(self._workload.space.meant(changed)))
        others = self._attempt("advance", lambda: other.advance(self._amount))
        if not first_difference(others, own) and not first_difference(other.state(), after):
            self._findings.notes.append(
                f"{name}: other values of {listing(sorted(self._workload.space.mutable))} changed nothing "
                f"within {self._amount} {self._workload.fidelity.unit} after configure(config)"
            )

    def _changed(self, config: Config) -> Config | None:
        """A configuration that differs in what may change while training runs; None: there is none."""
        space = self._workload.space
        fixed = space.immutable_part(config)
        for drawn in space.sample(64, stream(self._subject.seed, "pre-flight", "changed")):
            # Drawn ones of another build may have other conditions, so no mixture is made.
            given = {**drawn, **fixed}
            if space.immutable_part(drawn).keys() == fixed.keys() and _fits(space, given) and given != config:
                return given
        return None

    def _attempt(self, method: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ConfigurationError:
            raise
        except Exception as error:
            found = raised(error)
            if self._subject.gpus:
                self._findings.notes.append(
                    f"{self._subject.name}: {method} could not be tried without its GPU: {found}"
                )
                raise UntriedError from error
            raise self._subject.refusal(f"{method}", "to work in a second session", found) from error


def _fresh_state(session: Session) -> State | None:
    """The state before any training, which no study asks for, so that it may fail."""
    try:
        return copied(session.state())
    except Exception:  # noqa: BLE001 - a user's session may raise anything
        return None


def _rates(session: object) -> list[float]:
    """Learning rates of the torch optimizers that a session holds."""
    parts: Iterable[object] = vars(session).values() if hasattr(session, "__dict__") else ()
    groups = [group for part in parts for group in _groups(part)]
    return [float(group["lr"]) for group in groups if isinstance(group, Mapping) and "lr" in group]


def _groups(part: object) -> Sequence[Any]:
    found = getattr(part, "param_groups", ())
    return found if isinstance(found, list) else ()


def _fits(space: Any, config: Config) -> bool:
    try:
        space.check(config)
    except ConfigurationError:
        return False
    return True
