from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate

from search_spaces import build_space
from tests.conftest import composed, shipped
from tests.workloads.torch.packed.cases import write_text
from workloads.capabilities import ShownSession
from workloads.contract import Device
from workloads.library.language.text import DATA_VARIABLE

CONF = Path(__file__).parents[2] / "conf"
NAMES = shipped("workload")


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(write_text(tmp_path)))


@pytest.mark.parametrize("name", NAMES)
def test_every_workload_that_ships_starts_with_its_search_space(name: str) -> None:
    assert (CONF / "workload" / f"{name}.yaml").read_text().startswith("# ")
    config = composed("+study=search", f"workload={name}")
    space = build_space(config["search_space"])
    # A dataclass given to instantiate itself would be turned into a node of the config.
    workload = instantiate(config["workload"], _partial_=True)(space=space)
    assert workload.space is space
    if not workload.objectives:  # then people judge what it shows
        (one,) = space.sample(1, np.random.default_rng(0))
        assert isinstance(workload.start(one, 0, Device()), ShownSession)


@pytest.mark.parametrize("path", sorted((CONF / "search_space").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_search_space_that_ships_can_be_built(path: Path) -> None:
    assert build_space(yaml.safe_load(path.read_text())).names
