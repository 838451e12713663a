"""``python -m tests.chaos --kills 20 --seed 0 [--targets worker,driver] +study=pbt_digits …``

Runs the study twice: undisturbed, and while random processes of it are killed at random moments, after a
random number of new lines in its journal. A driver that is killed, or gives up, is resumed as a person
would do it; how often stands in the result. Ends with one line of JSON and status 0 if nothing that was
committed is lost and the final results are those of the undisturbed run (asynchronous studies and those of
several workers that ask a model in the order in which trials end may differ: ``--different`` lets them).

All arguments after the options are the program's own. Give the study a local Ray and no MLflow, or its own
(``tracking=none``).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.engine.processes import kill
from orchestrator.run.directory import RunDirectory
from tests.chaos import processes
from tests.chaos.results import Result, different, final, lost, repeated, results_of

PERIOD = 0.2
PATIENCE = 900.0
"""Seconds without a new line in the journal after which a study counts as stuck."""


class Study:
    """One run of a study, whose driver is started, resumed and waited for.

    Args:
        folder: where its run directory and the outputs of its drivers are.
        arguments: the program's.
        mark: what its processes are known by.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], mark: str) -> None:
        self.run, self.mark = folder / "run", mark
        self._folder, self._arguments = folder, arguments
        self._driver: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        """Start it, or go on with it."""
        begun = (self.run / "journal.jsonl").exists()
        what = [f"resume={self.run}"] if begun else [f"run.dir={self.run}", *self._arguments]
        self.starts += 1
        environment = {**os.environ, processes.MARK: self.mark}
        with (self._folder / f"driver-{self.starts}.log").open("wb") as log:
            command = [sys.executable, "-m", "orchestrator", *what]
            self._driver = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    @property
    def status(self) -> int | None:
        """How its driver ended; None while it runs."""
        assert self._driver is not None
        return self._driver.poll()

    def results(self) -> list[Result]:
        return results_of(RunDirectory(self.run))

    def lines(self) -> int:
        file = self.run / "journal.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def wait(self, lines: float = float("inf")) -> bool:
        """Wait until there are that many more lines, or it has ended; False: it is stuck."""
        last, deadline = self.lines(), time.monotonic() + PATIENCE
        wanted = last + lines
        while self.status is None and last < wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(PERIOD)
            if (now := self.lines()) != last:
                last, deadline = now, time.monotonic() + PATIENCE
        return True

    def end(self) -> None:
        """End what is left of it."""
        kill(processes.family(self.mark))


def undisturbed(folder: Path, arguments: Sequence[str]) -> list[Result]:
    """The results of a run that nobody kills."""
    study = Study(folder, arguments, folder.name)
    study.start()
    try:
        study.wait()
        if study.status != 0:
            raise SystemExit(f"the undisturbed study ended with {study.status}; see {folder}")
        return study.results()
    finally:
        study.end()


def disturbed(study: Study, kills: int, targets: Sequence[str], rng: Random, most: int) -> dict[str, Any]:
    """Run a study while its processes are killed; returns what was seen meanwhile."""
    killed, vanished, by_hand, last = Counter[str](), list[object](), 0, ""
    study.start()
    while True:
        stuck = not study.wait(rng.randint(1, most) if sum(killed.values()) < kills else float("inf"))
        if stuck or study.status == 0:
            break
        if study.status is not None:  # killed, or it gave up
            by_hand += last != "driver"
            last = ""
            study.start()
            continue
        last = rng.choice(targets)
        there = processes.alive(study.mark, last)
        if not there:
            continue
        before = study.results()
        kill([rng.choice(there)])
        killed[last] += 1
        print(f"killed a {last} after {len(before)} results", file=sys.stderr, flush=True)
        if last == "driver":
            study.wait(float("inf"))
        vanished += lost(before, study.results())
    return {"killed": dict(killed), "lost": len(vanished), "resumed_by_hand": by_hand, "stuck": stuck}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default=",".join(processes.TARGETS))
    parser.add_argument("--lines", type=int, default=20, help="at most so many new lines between two kills")
    parser.add_argument("--different", action="store_true", help="the final results may differ")
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as made:
        folders = [Path(made) / name for name in ("undisturbed", "disturbed")]
        for folder in folders:
            folder.mkdir()
        expected = undisturbed(folders[0], arguments)
        study = Study(folders[1], arguments, f"{Path(made).name}-disturbed")
        try:
            seen = disturbed(
                study, options.kills, options.targets.split(","), Random(options.seed), options.lines
            )
            results = study.results()
        finally:
            study.end()
    again = repeated(results)
    seen |= {
        "results": len(final(results)),
        "repeated": sum(again.values()),
        "repeated_most": max(again.values(), default=0),
        "different": len(different(final(results), final(expected))),
        "starts": study.starts,
    }
    print(json.dumps(seen))
    wrong = seen["lost"] or seen["stuck"] or (seen["different"] and not options.different)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
