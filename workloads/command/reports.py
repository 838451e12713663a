"""Metrics that a program reports, out of lines of text: JSON objects, or ``name=value``."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NUMBER = rb"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?i:inf(?:inity)?|nan))"
_PAIR = re.compile(rb"(?<![\w./-])([A-Za-z_][\w./-]*)[ \t]*=[ \t]*(" + _NUMBER + rb")(?!\w|\.\w)")
_LONGEST_LINE = 1 << 16
"""Bytes of a line beyond which it holds no metrics."""


@dataclass(frozen=True)
class Report:
    """Metrics together with the training that led to them, in units since the program was started."""

    units: float
    metrics: Mapping[str, float]


class Reports:
    """What one program has reported and nobody has taken yet.

    A report is complete when every objective has a new value. It counts as one unit of training, unless the
    program says itself how many there are.

    Args:
        objectives: names of the metrics that make a report.
        step: the metric that says how many units have been trained; None: each report is one unit.
        newest: whether only the last report matters.
    """

    def __init__(self, objectives: Sequence[str], step: str | None = None, *, newest: bool = False) -> None:
        self._objectives, self._step = frozenset(objectives), step
        self._known: dict[str, float] = {}
        self._new: set[str] = set()
        self._count = 0
        self._waiting: deque[Report] = deque(maxlen=1 if newest else None)
        self.flaw = ""

    @property
    def reached(self) -> float:
        """Units of training of the last report that waits; 0 where none does."""
        return self._waiting[-1].units if self._waiting else 0

    def add(self, values: Mapping[str, float]) -> None:
        """The program has said ``values`` together."""
        self._known.update(values)
        self._new.update(values.keys())
        if self._objectives <= self._new:
            self._new.clear()
            self._count += 1
            units = self._known.get(self._step, self._count) if self._step else self._count
            self._waiting.append(Report(units, dict(self._known)))

    def take(self, units: float | None = None) -> Report | None:
        """The first report of at least so many units, without those before it.

        Args:
            units: None: the last report, whatever it reached.

        Returns:
            None where there is no report at all; the last one where none has reached it.
        """
        taken = None
        while self._waiting and (units is None or taken is None or taken.units < units):
            taken = self._waiting.popleft()
        return taken

    def missing(self) -> list[str]:
        """Objectives that have never been reported."""
        return sorted(self._objectives - self._known.keys())


class Lines:
    """Finds reports in a stream of text."""

    def __init__(self, reports: Reports) -> None:
        self._reports, self._begun, self._skips = reports, b"", False

    def feed(self, data: bytes) -> None:
        """More text."""
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            text = self._begun + whole
            if self._skips:
                text = text.partition(b"\n")[2]
            self._begun, self._skips = b"", False
            # Most of what programs print holds no metrics, and is not looked at line by line.
            if b"=" in text or b"{" in text:
                for line in text.split(b"\n"):
                    self._line(line)
        if len(self._begun) + len(rest) > _LONGEST_LINE:
            self._begun, self._skips = b"", True
        elif not self._skips:
            self._begun += rest

    def finish(self) -> None:
        """There is no more; a last line without an end counts."""
        if self._begun:
            self.feed(b"\n")

    def _line(self, line: bytes) -> None:
        if len(line) > _LONGEST_LINE:
            return
        if line.lstrip().startswith(b"{"):
            values = self._json(line)
        elif b"=" in line:
            values = {name.decode(): float(value) for name, value in _PAIR.findall(line)}
        else:
            return
        if values:
            self._reports.add(values)

    def _json(self, line: bytes) -> dict[str, float]:
        try:
            return numbers(parsed(line))
        except ValueError:
            self._reports.flaw = f"a line is broken JSON: {line[:100].decode(errors='replace').strip()}"
            return {}


def parsed(text: str | bytes) -> Any:
    """What a JSON document holds.

    Raises:
        ValueError: it is broken, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def numbers(value: Any) -> dict[str, float]:
    """The numbers in a JSON object by name; those of nested objects by their path, such as ``val.loss``."""
    return dict(_numbers(value)) if isinstance(value, dict) else {}


def _numbers(value: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    # A stack of its own, because JSON may be nested more deeply than Python calls.
    ahead = [("", iter(value.items()))]
    while ahead:
        prefix, items = ahead[-1]
        for name, item in items:
            if isinstance(item, dict):
                ahead.append((f"{prefix}{name}.", iter(item.items())))
                break
            if isinstance(item, int | float) and not isinstance(item, bool):
                yield f"{prefix}{name}", _float(item)
        else:
            ahead.pop()


def _float(number: float) -> float:
    """A number as a float; a huge integer becomes infinite, as ``1e400`` does in JSON."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
