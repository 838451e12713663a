"""How fast members train on a GPU: packed against loops, as CUDA graphs against launched one by one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch

from search_spaces import Config
from tests.benchmarks.packed import Case, PlainGPT, PlainLoop, cases, mlp
from tests.workloads.torch.packed.cases import write_text
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.library.shakespeare import Shakespeare
from workloads.torch import TorchSession
from workloads.torch.packed import Pack, Packer, Program

ROUNDS = 5
WARM = 45
"""Steps after which a program is recorded and captured."""

Turn = Callable[[int], object]


def small_members(device: str) -> dict[str, Any]:
    """64 small MLPs and 16 small CNNs, by every engine, in milliseconds a step of all members."""
    return {name: _race(case, device, compiled=True) for name, case in cases(None).items()}


def many_members(device: str) -> dict[str, Any]:
    """Member-steps a second of a pack of MLPs, by how many there are."""
    config: Config = {"width": 64, "dropout": 0.1, "learning_rate": 1e-3}
    rates = {}
    for members in (1, 16, 128, 1024, 4096):
        case = Case(members, 100, Digits(batch_size=64), config, mlp)
        seconds = _race(case, device, only=("graph",))["graph"] / 1000
        rates[str(members)] = members / seconds
    return {"member_steps_per_second": rates}


def gpt(device: str) -> dict[str, Any]:
    """16 GPTs of nanoGPT's size for a CPU (4 layers, width 128, context 64, batch 12)."""
    config: Config = {"dropout": 0.1, "learning_rate": 1e-3, "layers": 4, "heads": 4, "width": 128}
    with _text() as text:
        workload = Shakespeare(context=64, batch_size=12, evaluated=12, data=text)
        case = Case(16, 20, workload, config, lambda: PlainGPT(64, 4, 4, 128))
        return _race(case, device)


def mixed_precision(device: str) -> dict[str, Any]:
    """4 GPTs of nanoGPT's size for a GPU (6 layers, width 384, context 256), by precision."""
    config: Config = {"dropout": 0.2, "learning_rate": 1e-3, "layers": 6, "heads": 6, "width": 384}
    with _text() as text:
        found = {}
        for mixed in (False, True):
            workload = Shakespeare(context=256, batch_size=40, evaluated=8, data=text, mixed_precision=mixed)
            case = Case(4, 5, workload, config, lambda: PlainGPT(256, 6, 6, 384))
            found["bfloat16" if mixed else "float32"] = _race(case, device, only=("graph",))["graph"]
    return {**found, "times_as_fast": found["float32"] / found["bfloat16"]}


def copies(device: str) -> dict[str, Any]:
    """Milliseconds that copying 16 of 64 members and taking the state of one take."""
    sessions = [TorchSession(Digits(model="cnn"), {"width": 512}, seed, Device(device)) for seed in range(64)]
    together = Packer("packed", Device(device)).pack(sessions)
    receivers, donors = list(range(16)), list(range(48, 64))

    def copy(_: int) -> None:
        together.copy(receivers, donors)
        _wait()

    def state(_: int) -> None:
        sessions[0].state()
        _wait()

    megabytes = sum(weight.nbytes for weight in sessions[0].weights.values()) / 1e6
    times = _medians({"copy": copy, "state": state}, 1)
    return {"megabytes_of_weights": megabytes, **{name: 1000 * time_ for name, time_ in times.items()}}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _race(
    case: Case, device: str, *, compiled: bool = False, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """Milliseconds for a step of all members, medians; and how many times as fast as a plain loop."""
    makers: dict[str, Callable[[], Turn]] = {
        "plain": lambda: PlainLoop(case, Device(device), fused=True).turn,
        "launched": lambda: _pack(case, device, graphed=False),
        "graph": lambda: _pack(case, device, graphed=True),
    }
    if compiled:
        makers["compiled_graph"] = lambda: _pack(case, device, graphed=True, compiled=True)
    turns = {name: make() for name, make in makers.items() if only is None or name in only}
    for name, turn in turns.items():
        turn(1 if name == "plain" else WARM)
        turn(1 if name == "plain" else WARM)
    seconds = _medians(turns, case.steps)
    figures: dict[str, Any] = {name: 1000 * time_ / case.steps for name, time_ in seconds.items()}
    if "plain" in figures:
        figures["graph_times_plain"] = figures["plain"] / figures["graph"]
    return figures


def _pack(case: Case, device: str, *, graphed: bool, compiled: bool = False) -> Turn:
    sessions = [
        TorchSession(case.workload, case.config, seed, Device(device)) for seed in range(case.members)
    ]
    program = Program(sessions[0])
    if not graphed:
        program._pool = None
    together = Pack(sessions, program)
    if compiled:
        program.compile(together.sizes)

    def turn(steps: int) -> None:
        together.advance(steps)
        assert together.fallback is None, together.fallback

    return turn


def _medians(turns: Mapping[str, Turn], steps: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(ROUNDS):
        for name, turn in turns.items():
            began = time.perf_counter()
            turn(steps)
            times[name].append(time.perf_counter() - began)
    return {name: median(past) for name, past in times.items()}


@contextmanager
def _text() -> Iterator[str]:
    """A folder with a text of Shakespeare's characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(write_text(Path(folder)))
