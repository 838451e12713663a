"""Sessions of programs that stay alive and are talked to: lines of JSON over their standard streams.

A request is one line on the program's standard input; the program answers each with one line on standard
output that is a JSON object with the key ``done``, or ``error`` with a text. Whatever else it prints is kept
with its output.

- ``{"do": "start", "config": {...}, "seed": 7, "load": null}``: the first; ``load`` is a checkpoint or null.
- ``{"do": "advance", "units": 20}``: train on. The answer has metrics: ``{"done": "advance", "loss": 1}``.
- ``{"do": "configure", "config": {...}}``: all hyperparameters, those included that stay.
- ``{"do": "save", "folder": "..."}``: write a checkpoint into this empty folder, and never touch it again.
- ``{"do": "load", "folder": "..."}``: go on from a checkpoint, the program's own folder until the next one.

It ends when its standard input does, or when it gets SIGTERM.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from search_spaces import Config, SearchSpace
from workloads.command.plan import LARGEST_SEED, Plan, Run, place_for
from workloads.command.process import ProgramError
from workloads.command.reports import numbers, parsed
from workloads.command.sessions import ProgramSession, taken
from workloads.contract import Device, Metrics, State
from workloads.folder import Folder, held

_LONGEST_ANSWER = 1 << 20


class ServedSession(ProgramSession):
    """One program that lives as long as the session."""

    def __init__(self, plan: Plan, space: SearchSpace, config: Config, seed: int, device: Device) -> None:
        super().__init__(plan, space, config, seed, device)
        self._run: Run | None = None
        self._answers = _Answers()
        self._checkpoint: Folder | None = None
        self._saved = True  # whether the checkpoint is of what the program holds now
        self._given: Path | None = None

    def advance(self, amount: int) -> Metrics:
        self._begin()
        answer = self._ask("advance", units=amount)
        self._age, self._saved = self._age + amount, False
        metrics = numbers(answer)
        for name in self._plan.objectives:
            if name not in metrics:
                raise self._failure(f"did not answer 'advance' with {name!r}: {json.dumps(answer)[:200]}")
        return metrics

    def configure(self, config: Config) -> None:
        before = dict(self._config)
        super().configure(config)
        if self._run is not None and self._config != before:
            self._ask("configure", config=self._config)

    def state(self) -> State:
        if not self._saved:
            folder = self._own / "save"
            folder.mkdir()
            try:
                self._ask("save", folder=str(folder))
                if not any(folder.iterdir()):
                    raise self._failure("saved nothing")
                self._checkpoint, self._saved = taken(folder, self._device), True
            finally:
                shutil.rmtree(folder, ignore_errors=True)  # it is there still if that failed
        return {"age": self._age, "checkpoint": self._checkpoint}

    def load(self, state: State) -> None:
        checkpoint: Folder | None = state["checkpoint"]
        if checkpoint is not None:
            checkpoint = held(checkpoint, place_for(self._device, "checkpoint"))
        self._age, self._checkpoint, self._saved = state["age"], checkpoint, True
        if self._run is None:
            return
        if checkpoint is None:
            # What it was at its start is in no checkpoint.
            self._run.program.stop()
            self._run = None
        else:
            self._ask("load", folder=self._copy())

    def _begin(self) -> None:
        if self._run is not None:
            return
        inputs = self._inputs(self._own, 0)
        self._answers = _Answers()
        answers = self._answers.feed
        self._run = Run(self._plan, self._supervisor, inputs, self._device, newest=True, answers=answers)
        load = None if self._checkpoint is None else self._copy()
        self._ask("start", config=self._config, seed=self._seed % LARGEST_SEED, load=load)

    def _copy(self) -> str:
        """A copy of the checkpoint for the program, in place of the one that it got before."""
        assert self._checkpoint is not None
        if self._given is not None:
            shutil.rmtree(self._given, ignore_errors=True)
        self._given = self._own / f"load-{uuid.uuid4().hex}"
        self._checkpoint.copy_to(self._given)
        return str(self._given)

    def _ask(self, what: str, **more: Any) -> dict[str, Any]:
        assert self._run is not None
        program = self._run.program
        try:
            program.write(json.dumps({"do": what, **more}) + "\n")
        except ProgramError:
            program.follow(lambda: False)  # it has ended or will; that says more
            program.check()
            raise
        if not program.follow(lambda: self._answers.answer is not None):
            program.check()
            raise self._failure(f"ended without an answer to {what!r}")
        answer, self._answers.answer = self._answers.answer, None
        assert answer is not None
        if "error" in answer:
            raise self._failure(f"answered {what!r} with an error: {answer['error']}")
        if answer.pop("done") != what:
            raise self._failure(f'did not answer {what!r} with {{"done": "{what}"}}')
        return answer

    def _failure(self, what: str) -> ProgramError:
        assert self._run is not None
        return self._run.program.failure(what)


class _Answers:
    """Finds answers among what a program prints."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self._begun = b""

    def feed(self, data: bytes) -> None:
        *whole, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > _LONGEST_ANSWER:
            self._begun = b""
        for line in whole:
            if line.lstrip().startswith(b"{"):
                try:
                    found = parsed(line)
                except ValueError:
                    continue
                if "done" in found or "error" in found:
                    self.answer = found
