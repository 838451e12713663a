"""Does IPBT spare its users the choice of an interval? A classifier of few, noisy images.

    python -m tests.benchmarks.ipbt_digits [seeds]

As :mod:`tests.benchmarks.ipbt_interval`, on a task of the kind that the paper has: eight networks of one
hidden layer learn scikit-learn's digits from 200 images, by 1,000 steps of momentum; learning rate, momentum,
weight decay and the noise on training images are tuned. What counts is the error on other noisy images of the
model that :func:`~tests.benchmarks.ipbt_interval.counted` chooses by validation.

Measured over 20 seeds: see docs/family.md.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.methods.contract import Method
from search_spaces import Config, build_space
from tests.benchmarks.ipbt_interval import counted, report
from workloads.contract import Device, Fidelity, Metrics, Objective, State

STEPS, SIZE, HIDDEN, BATCH = 1000, 8, 64, 32
INTERVALS = (10, 20, 50, 125, 250)
TRAIN, VALIDATION, NOISE = 200, 600, 0.6
"""Images to train on and to validate on, the rest are for the test, and the noise in those two."""

Arrays = list[NDArray[np.float32]]


class NoisyDigits:
    """See above; the metrics are ``error`` and ``test``."""

    def __init__(self) -> None:
        def number(low: float, high: float, *, log: bool) -> dict[str, object]:
            return {"type": "float", "low": low, "high": high, "log": log, "mutable": True}

        parameters = {
            "rate": number(1e-4, 1.0, log=True),
            "decay": number(1e-6, 1e-1, log=True),
            "noise": number(0.0, 1.5, log=False),
            "momentum": number(0.0, 0.99, log=False),
        }
        self.space = build_space({"parameters": parameters})
        self.objectives = (Objective("error"),)
        self.fidelity = Fidelity("step", largest=STEPS)

    def start(self, config: Config, seed: int, device: Device) -> Network:
        return Network(config, seed)


class Network:
    def __init__(self, config: Config, seed: int) -> None:
        self.config, self.seed, self.age = config, seed, 0
        self.weights = _fresh(seed)
        self.velocity = [np.zeros_like(one) for one in self.weights]

    def advance(self, amount: int) -> Metrics:
        with np.errstate(all="ignore"):
            for _ in range(amount):
                self._step()
            images, labels = _data()
            parts = {
                "error": slice(TRAIN, TRAIN + VALIDATION),
                "test": slice(TRAIN + VALIDATION, None),
            }
            return {name: self._error(images[part], labels[part]) for name, part in parts.items()}

    def configure(self, config: Config) -> None:
        self.config = config

    def state(self) -> State:
        return {"weights": self.weights, "velocity": self.velocity, "age": self.age}

    def load(self, state: State) -> None:
        self.weights, self.velocity, self.age = state["weights"], state["velocity"], state["age"]

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        new = _fresh(seed)
        self.weights = [
            np.float32(keep) * old + np.float32(noise) * one
            for old, one in zip(self.weights, new, strict=True)
        ]
        self.velocity = [np.zeros_like(one) for one in self.weights]

    def _step(self) -> None:
        self.age += 1
        images, labels = _data()
        rng = np.random.default_rng([self.seed, self.age])
        rows = rng.integers(0, TRAIN, BATCH)
        batch = images[rows] + float(self.config["noise"]) * rng.standard_normal(
            (BATCH, 64), dtype=np.float32
        )
        hidden = batch @ self.weights[0] + self.weights[1]
        active = np.maximum(hidden, 0)
        logits = active @ self.weights[2] + self.weights[3]
        slope = np.exp(logits - logits.max(axis=1, keepdims=True))
        slope /= slope.sum(axis=1, keepdims=True)
        slope[np.arange(BATCH), labels[rows]] -= 1
        slope /= BATCH
        below = (slope @ self.weights[2].T) * (hidden > 0)
        gradients = [batch.T @ below, below.sum(axis=0), active.T @ slope, slope.sum(axis=0)]
        rate, momentum, decay = (np.float32(self.config[name]) for name in ("rate", "momentum", "decay"))
        for k, gradient in enumerate(gradients):
            self.velocity[k] = momentum * self.velocity[k] - rate * (gradient + decay * self.weights[k])
            self.weights[k] = self.weights[k] + self.velocity[k]

    def _error(self, images: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        active = np.maximum(images @ self.weights[0] + self.weights[1], 0)
        logits = active @ self.weights[2] + self.weights[3]
        return float((logits.argmax(axis=1) != labels).mean()) if np.isfinite(logits).all() else 1.0


def _fresh(seed: int) -> Arrays:
    rng = np.random.default_rng([seed, 7])
    layers = [(64, HIDDEN), (HIDDEN, 10)]
    return [
        array.astype(np.float32)
        for shape in layers
        for array in (rng.normal(size=shape) * np.sqrt(2 / shape[0]), np.zeros(shape[1]))
    ]


@cache
def _data() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pixels))
    images = (pixels[order] / 8 - 1).astype(np.float32)
    images[TRAIN:] += NOISE * rng.standard_normal(images[TRAIN:].shape, dtype=np.float32)
    return images, labels[order]


def test_error(method: Method, interval: int, seed: int) -> float:
    """Of the model that counts."""
    workload = NoisyDigits()
    evolution = Evolution(
        workload.space, workload.objectives, method, size=SIZE, generations=STEPS // interval, seed=seed
    )
    evolve(evolution, Island(workload, interval, seed, Device()), synchronous=True)
    return float(counted(evolution).metrics["test"])


if __name__ == "__main__":
    report(test_error, INTERVALS, int(sys.argv[1]) if len(sys.argv) > 1 else 20)
