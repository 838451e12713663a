"""Members that share a static key, trained as one program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from workloads.contract import Metrics
from workloads.devices import breaks_device, lacks_memory
from workloads.torch.packed.arena import Arena
from workloads.torch.packed.program import Bound, Program, Rows, StepInputs, rule_of
from workloads.torch.randomness import Purpose, fold
from workloads.torch.session import BLOCK, TorchSession

GRAPHED_CHUNKS = 4
"""A step in more parts than this has work enough for a GPU to hide the launches of its kernels."""


class _Chunk(NamedTuple):
    """Sessions that compute at the same time, and what they compute."""

    sessions: Sequence[TorchSession]
    program: Bound


class Pack:
    """Trains sessions of one static key together, in their own memory.

    Between two calls of :meth:`advance` every session is what it would be had it trained alone, up to
    rounding: its state can be taken and loaded, it can be configured, and it can train alone. A member that
    diverges changes nothing for the others.

    Args:
        sessions: K of them, of one workload, static key, device and dtype.
        program: what they compute.
        chunk: most members that compute at the same time; bounds the memory for gradients and activations.
            None: all of them.
        arena: memory that holds exactly these sessions already; None: they get one.

    Attributes:
        sessions: as above.
        sizes: members in each of the chunks; no two differ by more than one.
        resident: bytes that each member takes all the time.
        fallback: why the sessions train one after the other after all; None while they do not.
        no_room: whether that was for lack of memory.
        arena: their memory.
    """

    def __init__(
        self,
        sessions: Sequence[TorchSession],
        program: Program,
        chunk: int | None = None,
        arena: Arena | None = None,
    ) -> None:
        self.sessions = tuple(sessions)
        self.fallback: str | None = None
        self.no_room = False
        self.arena = arena or Arena(self.sessions)
        self.resident = self.arena.resident
        count = -(-len(self.sessions) // (chunk or len(self.sessions)))
        places = torch.arange(len(self.sessions)).tensor_split(count)
        self.sizes = tuple(len(part) for part in places)
        parts = [slice(int(part[0]), int(part[-1]) + 1) for part in places]
        splits, graphed = self.sessions[0].splits, count <= GRAPHED_CHUNKS
        self._chunks = [
            _Chunk(self.sessions[part], program.bound(Rows.of(self.arena, part), splits, graphed=graphed))
            for part in parts
        ]

    def copy(self, receivers: Sequence[int], donors: Sequence[int]) -> None:
        """Let sessions go on from others' states, by their places in the pack; as ``load(state())`` would."""
        self.arena.copy(receivers, donors)

    def advance(self, amount: int) -> list[Metrics | Exception]:
        """Train every session ``amount`` steps and evaluate.

        Should the pack fail, its sessions train on alone, from the very step that it got to.

        Returns:
            What ``TorchSession.advance`` returns, or raises, of each.

        Raises:
            Exception: what has broken the device.
        """
        return [result for chunk in self._chunks for result in self._advance(chunk, amount)]

    def _advance(self, chunk: _Chunk, amount: int) -> list[Metrics | Exception]:
        sessions = chunk.sessions
        ends = [session.age + amount for session in sessions]
        totals = torch.zeros(len(sessions), device=sessions[0].device, dtype=sessions[0].dtype)
        if self.fallback is None:
            try:
                for inputs in step_inputs(sessions, amount):
                    totals += chunk.program.step(inputs)
                    for session in sessions:
                        session.age += 1
                return _metrics(totals / amount, chunk.program.evaluate())
            except Exception as error:
                if breaks_device(error):
                    raise  # alone, the sessions could do no more; and whose fault it was is not known
                self.fallback, self.no_room = reason(error), lacks_memory(error)
        return [
            _alone(session, end - session.age, float(total), amount)
            for session, end, total in zip(sessions, ends, totals.tolist(), strict=True)
        ]


def _metrics(losses: Tensor, values: Mapping[str, Tensor]) -> list[Metrics | Exception]:
    """Every session's metrics; all numbers ``(K,)``."""
    table = torch.stack([losses.double(), *(value.double() for value in values.values())])
    names = ["train_loss", *(f"validation_{name}" for name in values)]
    return [dict(zip(names, column, strict=True)) for column in table.T.tolist()]


def step_inputs(sessions: Sequence[TorchSession], amount: int) -> Iterator[StepInputs]:
    """What each of the next ``amount`` steps takes, at the sessions' ages when a block of steps begins."""
    first = sessions[0]
    options = {
        name: torch.tensor(values, dtype=torch.float64)
        for name, values in _columns([session.options for session in sessions]).items()
    }
    is_number = first.definition.knobs.is_number
    hyperparameters = {
        name: torch.tensor(values, dtype=first.dtype if is_number(name) else torch.int64, device=first.device)
        for name, values in _columns([session.hyperparameters for session in sessions]).items()
    }
    seeds = torch.tensor([session.seed for session in sessions])
    rule = rule_of(first)
    for done in range(0, amount, BLOCK):
        count = min(BLOCK, amount - done)
        steps = torch.tensor([session.age for session in sessions]) + torch.arange(count).unsqueeze(1)
        keys = fold(fold(seeds, Purpose.NOISE), steps).to(first.device)
        chosen = torch.stack([session.stream.batches(session.age, count) for session in sessions], dim=1)
        coefficients = torch.stack(
            [part.expand_as(steps) for part in rule.coefficients(options, steps + 1.0)], dim=1
        ).unsqueeze(-1)
        for inputs in zip(
            chosen.to(first.device), keys, coefficients.to(first.device, first.dtype), strict=True
        ):
            yield StepInputs(hyperparameters, *inputs)


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def reason(error: Exception) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _alone(session: TorchSession, steps: int, total: float, amount: int) -> Metrics | Exception:
    """The last ``steps`` of ``amount``; the losses of the steps before sum to ``total``."""
    try:
        metrics = session.advance(steps)
    except Exception as error:  # noqa: BLE001 - one member's end is not the others'
        return error
    rest = metrics["train_loss"] * steps if steps else 0.0
    if not amount:
        return metrics
    return {**metrics, "train_loss": (total + rest) / amount}
