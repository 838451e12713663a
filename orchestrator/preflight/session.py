"""Tries a workload once in this process, before anything is started: what would fail everywhere is refused.

What proves a fault is refused in one line; what may have a reason becomes a note. One smallest unit of
training is tried about five times, for at most :data:`SECONDS`.
"""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.preflight.sandbox import OutOfTimeError, available_memory, untouched, within
from orchestrator.randomness import stream, user_seed
from orchestrator.text import first_line
from search_spaces import Config, ConfigurationError
from search_spaces.reading import Nothing, closest, listing
from workloads.contract import Device, Metrics, Session, State, Workload
from workloads.state import check_state, copied, first_difference, state_bytes

SECONDS = 30.0
"""How long a pre-flight may take; what has not been tried by then is left to the study."""
_TRIES = 5
"""Configurations that are tried until one of them can be trained."""
_COPIES = 4
"""Times a state has to fit into free memory: two sessions, each with room to train, and two states."""
_PACKAGES = ("orchestrator", "workloads", "search_spaces")


class _Text(str):
    """A found value that reads as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Subject:
    """What is tried.

    Args:
        workload: what is trained.
        key: where it stands in the configuration.
        metrics: what has to be reported: objectives, constraints, recorded time.
        seed: the study's.
        initial: configurations that the study begins with.
        copied: whether the study takes states and loads them.
        gpus: whether the study trains on GPUs; the driver itself uses none.
    """

    workload: Workload
    key: str
    metrics: tuple[str, ...]
    seed: int
    initial: tuple[Config, ...] = ()
    copied: bool = False
    gpus: bool = False

    @property
    def name(self) -> str:
        """The workload in messages."""
        function = getattr(self.workload, "function", None)
        return getattr(function, "__name__", type(self.workload).__name__)

    def configs(self) -> list[Config]:
        """What is tried until one can be trained."""
        space = self.workload.space
        drawn = space.sample(_TRIES, stream(self.seed, "pre-flight"))
        return [*self.initial[:1], space.default(), *drawn][:_TRIES]

    def refusal(self, what: str, expected: str, found: object, hint: str = "") -> ConfigurationError:
        """The error that says what is wrong with ``what``, a part of the workload."""
        return ConfigurationError(self.key, f"{what} {expected}".strip(), found, hint)


@dataclass
class Findings:
    """What a pre-flight found.

    Attributes:
        checked: what works, in a few words each.
        notes: what a user should know, one line each.
        seconds: how long it took.
    """

    checked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def lines(self) -> list[str]:
        """The notes as the terminal shows them."""
        return [f"pre-flight: {note}" for note in self.notes]


def preflight(subject: Subject, seconds: float = SECONDS) -> Findings:
    """Try the workload as the study will use it.

    Random states, threads and the working directory of this process stay as they were.

    Raises:
        ConfigurationError: the study would fail, or silently compute something else.
    """
    findings, began = Findings(), time.monotonic()
    try:
        with untouched(), within(seconds):
            _Flight(subject, findings, began + seconds).fly()
    except _UntriedError:
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
        self._advance_seconds = 0.0

    def fly(self) -> None:
        subject = self._subject
        _check_call(subject, "start", self._workload, ("config", "seed", "device"))
        trained = self._first_trained()
        if trained is None:
            return
        config, session, metrics = trained
        self._findings.checked.append(f"{self._amount} {self._workload.fidelity.unit} of training")
        self._check_metrics(metrics)
        if subject.copied:
            self._check_copies(config, session, metrics)

    def _first_trained(self) -> tuple[Config, Session, Metrics] | None:
        """The first of several configurations that can be trained."""
        errors: list[Exception] = []
        for config in self._subject.configs():
            try:
                session = self._start(config)
                self._check_methods(session)
                began = time.monotonic()
                metrics = session.advance(self._amount)
                self._advance_seconds = time.monotonic() - began
                return config, session, metrics
            except _FaultError as fault:
                raise fault.refusal from None
            except Exception as error:  # noqa: BLE001 - a user's training may raise anything
                errors.append(error)
        self._refuse_training(errors)
        return None

    def _start(self, config: Config) -> Session:
        return self._workload.start(dict(config), self._seed, Device())

    def _check_methods(self, session: Session) -> None:
        try:
            wanted: dict[str, tuple[str, ...]] = {"advance": ("amount",)}
            if self._subject.copied:
                wanted |= {"configure": ("config",), "state": (), "load": ("state",)}
            for method, arguments in wanted.items():
                _check_call(self._subject, method, session, arguments)
        except ConfigurationError as error:
            raise _FaultError(error) from error

    def _refuse_training(self, errors: Sequence[Exception]) -> None:
        """Say why no configuration could be trained."""
        error = errors[0]
        reason = _Text(f"{type(error).__name__}: {first_line(str(error))}{_place(error)}")
        if self._subject.gpus:
            self._findings.notes.append(f"{self._subject.name} could not be tried without its GPU: {reason}")
            return
        hint = f"each of {len(errors)} configurations failed; preflight=false starts the study all the same"
        space = self._workload.space
        if isinstance(error, KeyError) and error.args and error.args[0] not in space.names:
            hint = f"the search space has {listing(space.names)}"
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
        self._findings.checked.append(f"metrics {', '.join(subject.metrics)}")

    # States

    def _check_copies(self, config: Config, session: Session, metrics: Metrics) -> None:
        state = self._state_of(session)
        if not self._has_room(state):
            return
        other = self._attempt("start", lambda: self._start(config))
        self._check_load(other, state)
        self._attempt("configure", lambda: other.configure(dict(config)))
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
            raise self._subject.refusal("state()", "to be a state that can be saved", _Text(error)) from error
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
            found = _Text(f"no effect: state() is as it was before, also in {place}")
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
        self._attempt("configure", lambda: other.configure(dict(changed)))
        after = _rates(other)
        if after == before and wanted != before:
            raise self._subject.refusal(
                "configure(config)",
                f"to set the optimizer's learning rate to {wanted[0]:.6g}, as start does",
                after[0],
                "set it in optimizer.param_groups",
            )
        self._attempt("load", lambda: other.load(copied(state)))
        self._attempt("configure", lambda: other.configure(dict(config)))

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
        self._attempt("configure", lambda: other.configure(dict(changed)))
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
            found = _Text(f"{type(error).__name__}: {first_line(str(error))}{_place(error)}")
            if self._subject.gpus:
                self._findings.notes.append(
                    f"{self._subject.name}: {method} could not be tried without its GPU: {found}"
                )
                raise _UntriedError from error
            raise self._subject.refusal(f"{method}", "to work in a second session", found) from error


class _UntriedError(Exception):
    """The rest cannot be tried in this process."""


class _FaultError(Exception):
    """A fault of the workload whatever the configuration."""

    def __init__(self, refusal: ConfigurationError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _fresh_state(session: Session) -> State | None:
    """The state before any training, which no study asks for, so that it may fail."""
    try:
        return copied(session.state())
    except Exception:  # noqa: BLE001 - a user's session may raise anything
        return None


def _check_call(subject: Subject, method: str, owner: object, arguments: Sequence[str]) -> None:
    """Refuse an object without the method, or with one that cannot be called with these arguments."""
    function = getattr(owner, method, None)
    call = f"{method}({', '.join(arguments)})"
    if not callable(function):
        own = [name for name in dir(owner) if not name.startswith("_")]
        hint = closest(method, own)
        raise subject.refusal(f"{type(owner).__name__} to have a method", call, Nothing(), hint)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C have none
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        found = _Text(f"{method}{signature}")
        raise subject.refusal(f"a method {call} of", type(owner).__name__, found) from None


def _is_number(value: object) -> bool:
    if isinstance(value, str | bytes):
        return False
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


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


def _place(error: Exception) -> str:
    """File and line of the user's code where it was raised; empty where none was involved."""
    frames = traceback.extract_tb(error.__traceback__)
    own = Path(__file__).parents[2]
    foreign = [
        frame
        for frame in frames
        if not any(Path(frame.filename).is_relative_to(own / package) for package in _PACKAGES)
        and "site-packages" not in frame.filename
        and "/lib/python" not in frame.filename
    ]
    return "".join(f" at {frame.filename}:{frame.lineno}" for frame in foreign[-1:])
