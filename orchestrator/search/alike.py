"""Notices a study in which nothing works: its first trials all failed, or were lost, in the same way."""

from __future__ import annotations

import re

ATTEMPTS, VALUES = 10, 20
"""A study ends after this many failures alike; after ``VALUES`` where a metric was not finite, which is more
likely to be the configurations' fault."""

TRIALS = 3
"""At least this many trials: one that is lost again and again may be to blame itself."""

_CHANGES = re.compile(r"0x[0-9a-fA-F]+|\d+(\.\d+)?([eE][-+]?\d+)?|\b(nan|inf)\b")
"""Parts of a reason by which the same failure differs from trial to trial."""

_NOT_FINITE = "not a finite number"


class FailingAlike:
    """Counts how the trials that were handed out first have failed.

    Trials that fail often end before those that work. So a failure counts only where all trials that were
    handed out before it have failed too, and one trial that works, now or before a resume, settles it for
    good: however many fail, they fail through their own configurations.
    """

    def __init__(self) -> None:
        self._kinds: dict[int, list[str]] = {}
        self._reason, self._works = "", False

    def handed_out(self, number: int) -> None:
        """A trial begins, or begins anew."""
        self._kinds.setdefault(number, [])

    def worked(self) -> None:
        """A trial has a result."""
        self._works = True

    def failed(self, number: int, reason: str) -> None:
        """A trial failed or was lost."""
        self._kinds.setdefault(number, []).append(_CHANGES.sub("#", reason))
        self._reason = reason

    def verdict(self) -> str | None:
        """Why the study should end; None: it goes on."""
        if self._works or not self._kinds:
            return None
        kind = next(iter(self._kinds.values()), [""])[:1]
        attempts = trials = 0
        for kinds in self._kinds.values():
            if not kinds or set(kinds) != set(kind):
                break
            attempts, trials = attempts + len(kinds), trials + 1
        enough = VALUES if kind and kind[0].startswith(_NOT_FINITE) else ATTEMPTS
        if attempts < enough or trials < TRIALS:
            return None
        return f"the first {trials} trials failed alike: {self._reason}"
