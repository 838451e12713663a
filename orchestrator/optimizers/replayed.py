"""Optimizers of libraries that cannot be pickled: they are made anew, and their calls are replayed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from orchestrator.optimizers.base import Optimizer
from orchestrator.trial import Trial
from search_spaces import Config


class LibraryRun(Protocol):
    """One of a library's optimizers at work."""

    def ask(self, token: int) -> Any:
        """The library's next suggestion, identified by ``token``."""

    def tell(self, trial: Trial) -> None:
        """Take in the result of a suggestion."""


@dataclass(frozen=True)
class Recalled:
    """A suggestion that was recalled (:meth:`.Optimizer.recall`)."""

    token: int
    config: Config


Run = TypeVar("Run", bound=LibraryRun)


class ReplayedOptimizer(Optimizer, Generic[Run]):
    """Keeps the calls that its library has seen, and pickles them instead of the library's own state.

    A subclass starts its run when it is constructed, and appends to ``_calls`` the token of each call of
    ``ask``.
    """

    _calls: list[int | Trial | Recalled]
    _run: Run | None

    @abstractmethod
    def _start(self) -> Run:
        """A run that has seen no calls."""

    def _begin(self) -> None:
        """Start; the subclass calls this once it has its arguments."""
        self._calls = []
        self._run = self._start()

    def _learn(self, trial: Trial) -> None:
        self._running().tell(trial)
        self._calls.append(trial)

    def _running(self) -> Run:
        if self._run is None:
            self._run = self._start()
            for call in self._calls:
                if isinstance(call, Trial):
                    self._run.tell(call)
                elif isinstance(call, Recalled):
                    self._replay_recall(self._run, call)
                else:
                    self._run.ask(call)
        return self._run

    def _replay_recall(self, run: Run, call: Recalled) -> bool:
        """Let ``run`` take up a recalled suggestion; False where it does not. Only for those that recall."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_run": None}
