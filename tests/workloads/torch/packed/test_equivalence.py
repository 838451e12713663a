"""Members that train together train as each would alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.workloads.torch.packed.cases import CASES, MEMBERS, Case
from workloads.torch import TorchSession
from workloads.torch.packed import Pack, Program

# Member 0 goes on from 3 and 4 from 1, and both explore; 3 changes as well, so that order would matter.
RECEIVERS, DONORS = (0, 4, 3), (3, 1, 2)


def largest_difference(alone: Sequence[TorchSession], together: Sequence[TorchSession]) -> float:
    worst = 0.0
    for one, other in zip(alone, together, strict=True):
        theirs = other.module.state_dict()
        for name, value in one.module.state_dict().items():
            worst = max(worst, float((value.double() - theirs[name].double()).abs().max()))
    return worst


def explore(sessions: Sequence[TorchSession]) -> None:
    for receiver in RECEIVERS:
        session = sessions[receiver]
        learning_rate = 1.2 * float(session.config["learning_rate"])
        session.configure({**session.config, "learning_rate": learning_rate, "dropout": 0.25})


def trained(case: Case, text: Path, dtype: torch.dtype, chunk: int | None) -> float:
    """The largest difference after 50 steps with an exploit in the middle, at which ages are not equal."""
    alone, together = (case.sessions(text, dtype) for _ in range(2))
    # Recorded in the middle of the second part.
    pack = Pack(together, Program(together[0], trace_after=35), chunk)
    together[1].advance(3)
    alone[1].advance(3)
    pack.advance(23)
    expected = [session.advance(23) for session in alone]
    states = [alone[donor].state() for donor in DONORS]
    for receiver, state in zip(RECEIVERS, states, strict=True):
        alone[receiver].load(state)
    pack.copy(RECEIVERS, DONORS)
    explore(alone)
    explore(together)
    expected = [session.advance(27) for session in alone]
    found = pack.advance(27)
    assert pack.fallback is None
    assert [session.age for session in together] == [session.age for session in alone] == [50, 53, 50, 50, 53]
    for metrics, others in zip(expected, found, strict=True):
        assert not isinstance(others, Exception)
        assert others == pytest.approx(metrics, rel=1e-4 if dtype == torch.float32 else 1e-9)
    return largest_difference(alone, together)


@pytest.mark.parametrize("chunk", [None, 2])
@pytest.mark.parametrize("name", CASES)
def test_in_double_precision(name: str, chunk: int | None, text: Path) -> None:
    assert trained(CASES[name], text, torch.float64, chunk) <= 1e-10


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exact])
def test_in_single_precision(name: str, text: Path) -> None:
    assert trained(CASES[name], text, torch.float32, None) <= 1e-6


@pytest.mark.parametrize("name", CASES)
def test_a_member_that_diverges_is_alone_in_it(name: str, text: Path) -> None:
    case = CASES[name]
    alone, together = (case.sessions(text, torch.float64) for _ in range(2))
    together[2].configure({**together[2].config, "learning_rate": float("1e300")})
    pack = Pack(together, Program(together[0]))
    pack.advance(10)
    for session in alone:
        session.advance(10)
    healthy = [member for member in range(MEMBERS) if member != 2]
    assert not all(weight.isfinite().all() for weight in together[2].weights.values())
    assert largest_difference([alone[i] for i in healthy], [together[i] for i in healthy]) <= 1e-10
