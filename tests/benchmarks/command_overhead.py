"""What an interval of a program costs beyond starting it: ``python -m tests.benchmarks.command_overhead``.

The same shell script, ``REPEATS`` times by ``subprocess`` alone and as a member's interval, which copies a
checkpoint to it and takes one from it. Median and mean of wall-clock milliseconds, and CPU time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from search_spaces import build_space
from workloads.command import Command
from workloads.contract import Device

REPEATS = 100
SCRIPT = 'cp "${2:-/dev/null}/x" "$1/x" 2>/dev/null || echo 0 > "$1/x"; echo loss=1'


def measured(name: str, call: Callable[[], object]) -> None:
    call()
    walls, before = [], os.times()
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        walls.append(1000 * (time.perf_counter() - began))
    used = os.times()
    cpu = sum(used[:4]) - sum(before[:4])
    print(
        f"{name}: median {statistics.median(walls):.1f} ms, mean {statistics.mean(walls):.1f} ms, "
        f"own and children's CPU {1000 * cpu / REPEATS:.1f} ms"
    )


def main() -> None:
    space = build_space({"parameters": {"rate": {"type": "float", "low": 0, "high": 1, "mutable": True}}})
    command = ["sh", "-c", SCRIPT, "{rate}", "{save}", ["{load}"], "{units}"]
    workload = Command(space, command, ["loss"], fidelity={"unit": "step", "largest": 1000})
    with tempfile.TemporaryDirectory() as folder:
        plain = ["sh", "-c", SCRIPT, "0.1", folder, folder]
        began = time.perf_counter()
        session = workload.start({"rate": 0.1}, 1, Device(scratch=Path(folder) / "scratch"))
        print(f"starting a session: {1000 * (time.perf_counter() - began):.1f} ms, once for each member")
        measured("the program alone", lambda: subprocess.run(plain, check=True, capture_output=True))
        measured("a member's interval", lambda: session.advance(1))
        measured("the program alone", lambda: subprocess.run(plain, check=True, capture_output=True))


if __name__ == "__main__":
    main()
