"""Checks that a GPU computes what it should: as the CPU does, as alone, and the same again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map

from orchestrator.engine.determinism import compute_deterministically
from tests.workloads.contract import same
from tests.workloads.torch.packed.cases import CASES, Case, write_text
from workloads.contract import Device, State
from workloads.state import from_parcel, restore, take_state, to_parcel
from workloads.state_files import load_state, save_state
from workloads.torch import TorchSession
from workloads.torch.packed import Pack, Program

STEPS = 40
"""More than a program takes to be recorded and captured."""


def engines_agree(device: str) -> dict[str, Any]:
    """A pack computes on the GPU what a loop does on the CPU, copies included, in float64."""
    compute_deterministically()
    worst, captured = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        text = write_text(Path(folder))
        for name, case in CASES.items():
            alone, together = _members(case, text, "cpu"), _members(case, text, device)
            pack = Pack(together, Program(together[0], trace_after=3), chunk=3)
            for _ in range(2):
                pack.advance(STEPS // 2)
                for session in alone:
                    session.advance(STEPS // 2)
                pack.copy([0], [2])
                alone[0].load(alone[2].state())
            assert pack.fallback is None, f"{name}: {pack.fallback}"
            worst[name] = _largest_difference(alone, together)
            captured[name] = _obstacles(pack)
    assert max(worst.values()) <= 1e-8, f"the engines differ: {worst}"
    if device == "cuda":
        assert not any(captured.values()), f"not captured as CUDA graphs: {captured}"
    return {"largest_difference": max(worst.values())}


def state_travels(device: str) -> dict[str, Any]:
    """A member goes on from a file or a message, on its own kind of device and on the other."""
    compute_deterministically()
    differences = {}
    with tempfile.TemporaryDirectory() as folder:
        text = write_text(Path(folder))
        for name, case in CASES.items():
            (donor, *_) = _members(case, text, device)
            donor.advance(STEPS)
            save_state(Path(folder) / f"{name}.pt", take_state(donor))
            filed = load_state(Path(folder) / f"{name}.pt")
            sent = from_parcel(to_parcel(take_state(donor)))
            heirs = {place: _members(case, text, place)[0] for place in (device, "cpu")}
            restore(heirs[device], filed, donor.config)
            restore(heirs["cpu"], sent, donor.config)
            for session in (donor, *heirs.values()):
                session.advance(5)
            assert same(_on_cpu(donor), _on_cpu(heirs[device])), f"{name}: another end after load"
            differences[name] = _largest_difference([donor], [heirs["cpu"]])
    assert max(differences.values()) <= 1e-9, f"the CPU goes on differently: {differences}"
    return {"largest_difference_on_cpu": max(differences.values())}


def repeats(device: str) -> dict[str, Any]:
    """With ``deterministic: true`` a pack gives the same bits again, in single precision too."""
    compute_deterministically()
    with tempfile.TemporaryDirectory() as folder:
        text = write_text(Path(folder))
        for name, case in CASES.items():
            runs = []
            for _ in range(2):
                sessions = case.sessions(text, torch.float32)
                together = [_moved(session, device) for session in sessions]
                Pack(together, Program(together[0], trace_after=3)).advance(STEPS)
                runs.append([_on_cpu(session) for session in together])
            assert same(*runs), f"{name}: other bits the second time"
    return {}


def _members(case: Case, text: Path, device: str) -> list[TorchSession]:
    return [_moved(session, device) for session in case.sessions(text, torch.float64)]


def _moved(session: TorchSession, device: str) -> TorchSession:
    return TorchSession(session.definition, session.config, session.seed, Device(device), session.dtype)


def _on_cpu(session: TorchSession) -> State:
    return tree_map(lambda leaf: leaf.cpu() if isinstance(leaf, torch.Tensor) else leaf, session.state())


def _obstacles(pack: Pack) -> list[str]:
    """Why parts of a pack are no CUDA graphs."""
    functions = [function for chunk in pack._chunks for function in chunk.program]
    return [reason for function in functions if (reason := getattr(function, "obstacle", None))]


def _largest_difference(some: Sequence[TorchSession], others: Sequence[TorchSession]) -> float:
    return max(
        float((value.cpu().double() - theirs.cpu().double()).abs().max())
        for one, other in zip(some, others, strict=True)
        for value, theirs in zip(
            one.module.state_dict().values(), other.module.state_dict().values(), strict=True
        )
    )
