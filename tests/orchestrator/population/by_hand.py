"""A population in two processes that know nothing of islands, gangs or Ray: what a study's must equal."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing

from orchestrator.population.history.history import PopulationHistory
from orchestrator.randomness import user_seed
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.state import restore, take_state
from workloads.state_files import save_state

Decisions = Sequence[Sequence[tuple[int, dict[str, Any]]]]
"""By generation and member: the parent and the configuration that it goes on with."""


def train_by_hand(history: PopulationHistory, folder: Path) -> list[list[dict[str, float]]]:
    """Train a synchronous population on the digits once more, deciding as it decided.

    Leaves ``<member>.pt``, its state in the end, in the folder.

    Returns:
        Metrics by member and generation.
    """
    born = [dict(history.born[member]) for member in sorted(history.born)]
    lives = zip(*history.lives, strict=True)
    decisions = [[(one.parent, dict(one.next_config)) for one in generation] for generation in lives]
    arguments = (folder, born, decisions, history.start.interval, history.start.seed)
    torch.multiprocessing.spawn(_process, args=arguments, nprocs=2)
    metrics: list[list[dict[str, float]]] = json.loads((folder / "metrics.json").read_text())
    return metrics


def _process(
    rank: int, folder: Path, born: list[dict[str, Any]], decisions: Decisions, interval: int, seed: int
) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    workload, configs = Digits(), list(born)
    sessions = [start(workload, seed, member, config, rank) for member, config in enumerate(configs)]
    metrics: list[list[dict[str, float]]] = [[] for _ in sessions]
    for generation in decisions:
        for member, session in enumerate(sessions):
            metrics[member].append(dict(session.advance(interval)))
        states = [take_state(session) for session in sessions]
        for member, (parent, config) in enumerate(generation):
            fixed = workload.space.immutable_part
            if fixed(config) != fixed(configs[member]):
                sessions[member] = start(workload, seed, member, config, rank)
            configs[member] = config
            restore(sessions[member], states[parent], config)
    if rank == 0:
        (folder / "metrics.json").write_text(json.dumps(metrics))
        for member, session in enumerate(sessions):
            save_state(folder / f"{member}.pt", session.state())
    torch.distributed.barrier()
    # Without the interpreter's finalization, in which a thread of gloo's that lets go of a tensor aborts.
    os._exit(0)


def start(workload: Digits, seed: int, member: int, config: dict[str, Any], rank: int) -> Any:
    return workload.start_worker(config, user_seed(seed, "member", member), Device(), rank, 2)
