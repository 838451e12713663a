"""The weights that ship with the package, as a file of arrays without any code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrator.optimizers.meta.network import NeuralProcess, Shape

FILE = Path(__file__).with_name("weights.npz")
_ABOUT = "about"


def save(network: NeuralProcess, families: Sequence[str], seed: int, steps: int, file: Path) -> None:
    """Write a network with half precision, and what it was trained on, in a file of fixed bytes."""
    about = {"shape": asdict(network.shape), "families": list(families), "seed": seed, "steps": steps}
    arrays: dict[str, Any] = {
        name: value.numpy().astype(np.float16) for name, value in network.state_dict().items()
    }
    arrays[_ABOUT] = np.array(json.dumps(about))
    np.savez_compressed(file, **arrays)


def about(file: Path = FILE) -> Mapping[str, Any]:
    """The shape of the network in a file, the families and the seed that it was trained with."""
    with np.load(file, allow_pickle=False) as arrays:
        found: Mapping[str, Any] = json.loads(str(arrays[_ABOUT]))
    return found


def load(file: Path) -> NeuralProcess:
    """The network in a file."""
    network = NeuralProcess(Shape(**about(file)["shape"]))
    with np.load(file, allow_pickle=False) as arrays:
        state = {
            name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files if name != _ABOUT
        }
    network.load_state_dict(state)
    return network.eval()


@cache
def shipped() -> NeuralProcess:
    """The network that ships with the package, read once."""
    return load(FILE)
