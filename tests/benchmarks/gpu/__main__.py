"""Every check that needs a GPU, in under eight minutes.

``python -m tests.benchmarks.gpu`` runs each check in a process of its own with a time limit: first those of
correctness, several at a time, then those of speed, one after the other. Each prints what it measured. The
last line is one JSON object: the GPU, the checks that passed, those that failed with the reason, and all
figures by check. The exit code is 1 if a check failed.

``--checks`` names some of them, ``--device cpu`` tries most of them where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from tests.benchmarks.gpu import numbers, resources, speed, studies
from tests.benchmarks.measuring import print_figures, progress

AT_ONCE = 3
"""Checks of correctness that run side by side."""


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        run: gets the torch device; returns figures, or raises ``AssertionError`` with what was wrong.
        seconds: after which it has failed.
        alone: whether other checks would disturb its figures.
    """

    run: Callable[[str], dict[str, Any]]
    seconds: float
    alone: bool = False


CHECKS = {
    "engines_agree": Check(numbers.engines_agree, 90),
    "state_travels": Check(numbers.state_travels, 90),
    "repeats": Check(numbers.repeats, 60),
    "estimate": Check(resources.estimate, 60, alone=True),
    "chunks": Check(resources.chunks, 60, alone=True),
    "out_of_memory": Check(resources.out_of_memory, 60, alone=True),
    "broken_device": Check(studies.broken_device, 200),
    "population": Check(studies.population, 120),
    "killed": Check(studies.killed, 180),
    "search": Check(studies.search, 100),
    "gang": Check(studies.gang, 120),
    "replay": Check(studies.replay, 150),
    "small_members": Check(speed.small_members, 120, alone=True),
    "many_members": Check(speed.many_members, 60, alone=True),
    "gpt": Check(speed.gpt, 90, alone=True),
    "mixed_precision": Check(speed.mixed_precision, 60, alone=True),
    "copies": Check(speed.copies, 30, alone=True),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checks", nargs="*", choices=list(CHECKS), default=list(CHECKS), metavar="CHECK")
    parser.add_argument("--device", default="cuda", help="torch device")
    parser.add_argument("--here", action="store_true", help="in this process, one check")
    options = parser.parse_args()
    if options.here:
        (name,) = options.checks
        print(json.dumps(CHECKS[name].run(options.device)), flush=True)
        return 0
    if options.device == "cuda" and not torch.cuda.is_available():
        print("error: torch finds no GPU here; --device cpu tries most checks without one", file=sys.stderr)
        return 2
    outcomes = dict(_run_all(options.checks, options.device))
    failed = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)}
    print_figures(
        {
            "device": torch.cuda.get_device_name() if options.device == "cuda" else options.device,
            "torch": torch.__version__,
            "passed": [name for name in outcomes if name not in failed],
            "failed": failed,
            **{name: outcome for name, outcome in outcomes.items() if name not in failed},
        }
    )
    return 1 if failed else 0


def _run_all(names: Iterable[str], device: str) -> Iterable[tuple[str, dict[str, Any] | str]]:
    """Each check's figures, or why it failed."""
    beside = [name for name in names if not CHECKS[name].alone]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from zip(beside, pool.map(lambda name: _run(name, device), beside), strict=True)
    for name in names:
        if CHECKS[name].alone:
            yield name, _run(name, device)


def _run(name: str, device: str) -> dict[str, Any] | str:
    command = [sys.executable, "-m", "tests.benchmarks.gpu", "--here", "--device", device, "--checks", name]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CHECKS[name].seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        outcome: dict[str, Any] | str = f"took longer than {error.timeout:g} s"
        progress((error.stderr or b"").decode()[-2000:])
    else:
        lines = (done.stderr if done.returncode else done.stdout).strip().splitlines() or ["nothing was said"]
        outcome = lines[-1] if done.returncode else json.loads(lines[-1])
        if done.returncode:
            progress(done.stderr[-2000:])
    progress(f"{name} {time.perf_counter() - began:.0f} s: {outcome}")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
