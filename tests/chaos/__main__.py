"""``python -m tests.chaos --kills 20 --seed 0 [--targets worker,driver] --study search [overrides …]``

Runs a study twice: undisturbed, and while random processes of it are killed at random moments, after a
random number of new lines in its journal. A driver that is killed, or gives up, is resumed as a person
would do it; how often stands in the result. Ends with one line of JSON and status 0 if nothing that was
committed is lost or doubled, at most one interval of a member is repeated for each kill, and the final
results are those of the undisturbed run (asynchronous studies and those of several workers that ask a model
in the order in which trials end may differ: ``--different`` lets them; packs may round differently).

All arguments after the options are the program's own: overrides of the small study that ``--study`` names
(:mod:`tests.chaos.studies`), or a whole study (``+study=pbt_digits tracking=none``). ``--nodes 4`` runs it on
a cluster of so many nodes on this machine; a node whose raylet is killed is gone for good, and another one
comes in its place before the next kill. ``--keep DIR`` keeps both runs; a chaos that was ended (SIGTERM) goes
on there when it is given the same again.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.run.directory import RunDirectory
from tests.chaos import processes
from tests.chaos.driven import Study
from tests.chaos.nodes import Nodes
from tests.chaos.results import (
    Kill,
    Result,
    different,
    doubled,
    final,
    lost,
    repeated,
    repeated_most,
    results_of,
)
from tests.chaos.studies import NODES, ORDERED, PATIENT, ROUNDING, STUDIES


def undisturbed(study: Study) -> list[Result]:
    """The results of a run that nobody kills."""
    study.start()
    try:
        study.wait()
        if study.status != 0:
            raise SystemExit(f"the undisturbed study ended with {study.status}:\n{study.said()}")
        return study.results()
    finally:
        study.end()


class Chaos:
    """Kills processes of a study.

    Args:
        kills: how many.
        targets: roles of those that are killed.
        most: lines of the journal between two kills at most.
        seconds: how long kills go on; then the study is left alone.
        mend: restores what a person would have to, before each kill; with False: at once after it.
    """

    def __init__(
        self,
        kills: int,
        targets: Sequence[str],
        rng: Random,
        most: int,
        seconds: float,
        mend: Callable[[bool], None],
    ) -> None:
        self._kills, self._targets, self._rng, self._most = kills, targets, rng, most
        self._until, self._mend = time.monotonic() + seconds, mend
        self.killed, self.vanished, self.kills = Counter[str](), list[object](), list[Kill]()
        self.by_hand, self.stuck, self.slowest = 0, False, 0.0

    def disturb(self, study: Study) -> None:
        """Run a study while its processes are killed."""
        last = ""
        self._take_up(study.kills)
        study.start()
        while True:
            since = time.monotonic()
            self.stuck = not study.wait(1)
            if self.kills:
                self.slowest = max(self.slowest, time.monotonic() - since)
            self.stuck = self.stuck or not study.wait(
                self._rng.randint(0, self._most) if self._goes_on() else float("inf")
            )
            if self.stuck or study.status == 0:
                return
            if study.status is not None:  # killed, or it gave up
                if last != "driver":
                    self.by_hand += 1
                    print(f"it ended with {study.status}:\n{study.said()}", file=sys.stderr, flush=True)
                last = ""
                self._mend(True)
                study.start()
            elif self._goes_on():
                last = self._kill_one(study) or last

    def _take_up(self, kept: Path) -> None:
        """Count what an earlier chaos killed of the same study."""
        for line in kept.read_text().splitlines() if kept.exists() else ():
            role, before, after = line.split()
            self.killed[role] += 1
            self.kills.append((int(before), int(after)))
        self._kills += self.killed.total()

    def _goes_on(self) -> bool:
        return self.killed.total() < self._kills and time.monotonic() < self._until

    def _kill_one(self, study: Study) -> str:
        """Kill a random process; returns its role, empty where there was none of the role that was drawn."""
        self._mend(True)
        role = self._rng.choice(self._targets)
        # The program waits for a child that is connected to a cluster; a person would end the program.
        there = [study.pid] if role == "driver" else processes.alive(study.mark, role)
        if not there or study.status is not None:
            return ""
        before = study.results()
        processes.end(study.mark, self._rng.choice(there), role)
        self.killed[role] += 1
        print(f"killed a {role} after {len(before)} results", file=sys.stderr, flush=True)
        if role == "driver":
            study.wait()
        self._mend(False)
        after = study.results()
        self.vanished += lost(before, after)
        self.kills.append((len(before), len(after)))
        with study.kills.open("a") as file:
            file.write(f"{role} {len(before)} {len(after)}\n")
        return role


def _parsed() -> tuple[argparse.Namespace, list[str]]:
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form, allow_abbrev=False)
    parser.add_argument("--study", choices=sorted(STUDIES))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no kills after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default=",".join(processes.TARGETS))
    parser.add_argument("--lines", type=int, default=20, help="at most so many new lines between two kills")
    parser.add_argument("--nodes", type=int, default=0, help="of a simulated cluster; 0: a local Ray")
    parser.add_argument("--different", action="store_true", help="the final results may differ")
    parser.add_argument("--expected", type=Path, help="run directory of an earlier undisturbed run")
    parser.add_argument("--keep", type=Path, help="folder in which both runs are kept")
    options, overrides = parser.parse_known_args()
    if options.study:
        several = NODES.get(options.study, ()) if options.nodes else ()
        overrides = [*STUDIES[options.study], *PATIENT, *several, *overrides]
        options.different |= options.study not in ORDERED
    if options.nodes:
        overrides = ["cluster=ray", "cluster.dashboard=false", *overrides]
    return options, overrides


def main() -> int:
    options, arguments = _parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        made = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        mark, address, mend = f"{made.resolve()}", None, _nothing
        folders = [made / name for name in ("undisturbed", "disturbed")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        if options.nodes:
            nodes = Nodes(options.nodes, f"{mark}-disturbed")
            stack.callback(nodes.close)
            address, mend = nodes.address, nodes.mend
        if options.expected or (folders[1] / "run").exists():
            expected = results_of(RunDirectory(options.expected or folders[0] / "run"))
        else:
            expected = undisturbed(Study(folders[0], arguments, f"{mark}-undisturbed", address))
        study = Study(folders[1], arguments, f"{mark}-disturbed", address)
        rng, targets = Random(options.seed), options.targets.split(",")
        chaos = Chaos(options.kills, targets, rng, options.lines, options.seconds, mend)
        try:
            chaos.disturb(study)
            results = study.results()
        finally:
            study.end()
        seen = judged(chaos, study, results, expected, ROUNDING.get(options.study, 0.0))
    print(json.dumps(seen))
    wrong = ("lost", "doubled", "stuck", "resumed_by_hand", *(() if options.different else ("different",)))
    return 1 if any(seen[key] for key in wrong) or seen["repeated_most"] > 1 else 0


def _nothing(_: bool) -> None:
    """A study with a Ray of its own mends that itself."""


def judged(
    chaos: Chaos, study: Study, results: Sequence[Result], expected: Sequence[Result], rounding: float
) -> dict[str, Any]:
    """What came out."""
    ours, theirs = final(results), final(expected)
    return {
        "killed": dict(chaos.killed),
        "results": len(ours),
        "lost": len(chaos.vanished),
        "doubled": len(doubled(results)),
        "repeated": repeated(results).total(),
        "repeated_most": repeated_most(results, chaos.kills),
        "different": len(different(ours, theirs, rounding)),
        "not_bit_for_bit": len(different(ours, theirs)),
        "starts": study.starts,
        "resumed_by_hand": chaos.by_hand,
        "stuck": chaos.stuck,
        "slowest": round(chaos.slowest, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
