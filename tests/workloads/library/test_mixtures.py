"""What is drawn, what is predicted, and that weights change what a model reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.library.language.sources import SOURCES, TARGET, texts
from workloads.library.mixtures import Mixtures, drawn, predictor, simplex
from workloads.torch import TorchSession
from workloads.torch.packed.pack import Pack
from workloads.torch.packed.program import Program

SMALL: dict[str, Any] = {"context": 8, "width": 16, "batch_size": 8, "length": 20_000, "evaluated": 20}


@pytest.fixture(scope="module")
def workload() -> Mixtures:
    return Mixtures(**SMALL)


def test_sources_are_drawn_in_proportion_to_their_weights() -> None:
    # Shares of a half, a quarter and a quarter: limits at 0.5 and 0.75.
    numbers = torch.tensor([0.0, 0.49, 0.5, 0.74, 0.75, 0.999])
    assert drawn(torch.tensor([2.0, 1.0, 1.0]), numbers).tolist() == [0, 0, 1, 1, 2, 2]


def test_the_predictor_finds_the_optimum_of_a_quadratic() -> None:
    optimum = np.array([0.2, 0.5, 0.3])

    def loss(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1.5 + ((shares - optimum) ** 2 @ np.array([1.0, 2.0, 3.0]))

    pilots = simplex(3, 3)
    model = predictor(pilots, loss(pilots))
    others = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    assert model.loss(others) == pytest.approx(loss(others))
    assert model.best(3) == pytest.approx(optimum)


def test_a_simplex_has_all_shares_of_its_lattice() -> None:
    lattice = simplex(3, 3)
    assert len(lattice) == 10 == len({tuple(row) for row in lattice})
    assert lattice.sum(1) == pytest.approx(1)
    assert lattice.min() == 0


def test_all_texts_share_an_alphabet_and_the_unseen_one_is_whole() -> None:
    found = texts(20_000)
    assert list(found) == [*SOURCES, TARGET]
    assert all(len(found[name]) == 20_000 and int(found[name].max()) < 65 for name in SOURCES)
    assert len(found[TARGET]) > 20_000


def test_weights_say_what_a_model_reads(workload: Mixtures) -> None:
    found = {}
    for source in SOURCES:
        weights = {f"{name}_weight": 1.0 if name == source else 1e-6 for name in SOURCES}
        found[source] = workload.start({**weights, "learning_rate": 1e-2}, 0, Device()).advance(60)
    # Code and English are much alike after so few steps; tables are like neither.
    assert min(SOURCES, key=lambda reader: found[reader]["validation_tables"]) == "tables"
    for name in ("code", "prose"):
        assert found[name][f"validation_{name}"] < found["tables"][f"validation_{name}"]
    parts = [found["code"][f"validation_{name}"] for name in (*SOURCES, TARGET)]
    assert found["code"]["validation_loss"] == pytest.approx(np.mean(parts))


def test_members_train_as_one_program_as_they_do_alone(workload: Mixtures) -> None:
    def sessions() -> list[TorchSession]:
        configs = [{"code_weight": 0.1}, {"tables_weight": 0.05, "learning_rate": 1e-2}]
        return [TorchSession(workload, config, 3, Device(), torch.float64) for config in configs]

    together, alone = sessions(), sessions()
    found = Pack(together, Program(together[0]), None).advance(3)
    for metrics, session in zip(found, alone, strict=True):
        assert metrics == pytest.approx(session.advance(3), rel=1e-5, abs=1e-6)


def test_the_space_that_ships_is_the_workloads_own(workload: Mixtures) -> None:
    path = Path(__file__).parents[3] / "conf" / "search_space" / "mixtures.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == workload.space.configuration_space
    assert shipped.mutable == workload.space.mutable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 9}, "width: expected a multiple of heads = 2, got 9"),
        ({"length": 100}, "length: expected at least 320, got 100"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Mixtures(**{**SMALL, **arguments})
