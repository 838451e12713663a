"""What a search's trials go on from: checkpoints, which the journal names."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from orchestrator.run.journal import Event
from search_spaces import Config
from search_spaces.values import config_key
from workloads.state_files import remove_state


@dataclass(frozen=True)
class Checkpoint:
    """A trial's training, saved.

    Args:
        trial: its number.
        fidelity: how far it had been trained.
        seconds: training time so far.
        checksum: of its file's label, which tells it from every other state.
    """

    trial: int
    fidelity: int
    seconds: float
    checksum: str | None

    @classmethod
    def of(cls, trial: int, saved: Mapping[str, Any]) -> Self:
        """What :meth:`event` describes."""
        return cls(trial, saved["fidelity"], saved["seconds"], saved["checksum"])

    def event(self) -> dict[str, Any]:
        """As the journal has it, beside the trial's number."""
        return {key: value for key, value in asdict(self).items() if key != "trial"}

    def file(self, folder: Path) -> Path:
        """Where it lies, in the run directory's folder of checkpoints."""
        return folder / f"trial-{self.trial}-{self.fidelity}.pt"


@dataclass(frozen=True)
class BeganAnew:
    """A trial's checkpoint cannot be used: it begins from nothing.

    Args:
        reason: why, in one line.
    """

    reason: str


@dataclass(frozen=True)
class Unsaved:
    """A trial was not saved.

    Args:
        reason: why, in one line.
        again: whether it is tried again when the next checkpoint is due, as on a full disk; else this
            workload's trials cannot be saved.
    """

    reason: str
    again: bool = False


News = Checkpoint | BeganAnew | Unsaved
"""What a worker tells of a trial between two of its reports."""

_Training = tuple[str, int]
"""A configuration, and how often it was suggested to the same fidelity before: both make a trial's seed."""


def keeps_checkpoints(search: Mapping[str, Any]) -> bool:
    """Whether a study's trials are saved.

    Args:
        search: the configuration's ``search`` part.
    """
    return search["checkpoint_seconds"] is not None


class Checkpoints:
    """The checkpoints that trials may go on from, folded from a search's journal.

    A pending trial goes on from its own newest checkpoint, or else from one that another trial has left,
    which trained the same configuration with the same seed, but less far.

    Args:
        folder: of the checkpoints; None: every trial begins from nothing.
        events: of the journal, oldest first.
    """

    def __init__(self, folder: Path | None, events: Iterable[Event] = ()) -> None:
        self._folder = folder
        self._newest: dict[int, Checkpoint] = {}
        self._inherited: dict[int, Checkpoint] = {}
        self._suggested: dict[int, Event] = {}
        self._left: dict[_Training, dict[int, Checkpoint]] = {}
        self._obsolete: deque[tuple[int, int | None]] = deque()
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Take in the next event; unknown kinds are skipped."""
        if self._folder is None:
            return
        match event["event"]:
            case "suggested":
                self._begin(event)
            case "saved":
                self._newest[event["trial"]] = Checkpoint.of(event["trial"], event)
            case "anew":
                self._newest.pop(event["trial"], None)
                self._inherited.pop(event["trial"], None)
            case "ended" if event["status"] != "lost":  # Those that are may yet go on.
                self._end(event)
            case "final":
                self._left.clear()

    def start(self, trial: int) -> Checkpoint | None:
        """What a pending trial goes on from; None: it begins from nothing."""
        return self._newest.get(trial) or self._inherited.get(trial)

    def lower(self, config: Config, repeat: int, fidelity: int) -> Checkpoint | None:
        """What a trial that is now suggested can go on from; None: it begins from nothing.

        Args:
            repeat: how often the configuration was suggested to the same fidelity before.
            fidelity: how far it is to be trained.
        """
        if not self._left:
            return None
        left = self._left.get((config_key(config), repeat), {})
        return max(
            (one for one in left.values() if one.fidelity < fidelity),
            key=lambda one: one.fidelity,
            default=None,
        )

    @property
    def obsolete(self) -> int:
        """How many trials have left files that nothing goes on from any more."""
        return len(self._obsolete)

    def remove_obsolete(self, count: int) -> None:
        """Delete the files of the first ``count`` of those; may run in a thread.

        Only once the journal is on the disk: as it was before, trials would go on from them.
        """
        for _ in range(count):
            trial, kept = self._obsolete.popleft()
            assert self._folder is not None
            for file in self._folder.glob(f"trial-{trial}-*.pt"):
                if file.name != f"trial-{trial}-{kept}.pt":
                    remove_state(file)

    def remove_others(self) -> None:
        """Delete all files that nothing goes on from, while no worker runs."""
        folder = self._folder
        if folder is None:
            return
        left = [one for levels in self._left.values() for one in levels.values()]
        named = {one.file(folder) for one in (*self._newest.values(), *self._inherited.values(), *left)}
        for file in folder.glob("trial-*.pt"):
            if file not in named:
                remove_state(file)

    def _begin(self, event: Event) -> None:
        self._suggested[event["trial"]] = event
        if "from" in event:
            place = event["from"]
            left = self._left.get(self._training(event), {}).get(place["fidelity"])
            if left is not None and left.trial == place["trial"]:
                # Its training time is that trial's.
                self._inherited[event["trial"]] = replace(left, seconds=0.0)

    def _end(self, event: Event) -> None:
        trial = event["trial"]
        suggested = self._suggested.pop(trial)
        saved, before = self._newest.pop(trial, None), self._inherited.pop(trial, None)
        last = Checkpoint.of(trial, event["saved"]) if "saved" in event else None
        if saved is not None:
            self._obsolete.append((trial, last.fidelity if last else None))
        if before is None and last is None:
            return
        left = self._left.setdefault(self._training(suggested), {})
        for fidelity in [one for one in left if suggested["fidelity"] is None or one < suggested["fidelity"]]:
            self._obsolete.append((left.pop(fidelity).trial, None))
        if last is not None:
            left[last.fidelity] = last

    def _training(self, suggested: Event) -> _Training:
        return config_key(suggested["config"]), suggested.get("repeat", 0)
