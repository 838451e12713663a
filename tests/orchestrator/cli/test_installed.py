"""What a wheel holds is enough outside a checkout: the packages, and what is put into them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNINSTALLED = (
    "import sys; sys.path[:] = [p for p in sys.path if p != sys.argv[1]]; sys.argv[:2] = ['orchestrator']; "
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what hatch puts into a wheel."""
    target = tmp_path_factory.mktemp("wheel")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    parts = {name: name for name in build["targets"]["wheel"]["packages"]}
    parts |= build["targets"]["wheel"]["force-include"]
    for source, place in parts.items():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / source, target / place, ignore=ignored, dirs_exist_ok=True)
    return target


def called(wheel: Path, folder: Path, *arguments: str) -> str:
    """What the installed program prints, far from the checkout."""
    code = UNINSTALLED + "import orchestrator.__main__ as program; sys.exit(program.main())"
    own = {**os.environ, "PYTHONPATH": str(wheel), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", code, str(ROOT), *arguments]
    done = subprocess.run(command, check=False, cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["loop", "sklearn"])
def test_init_and_its_study_work_from_a_wheel(wheel: Path, tmp_path: Path, kind: str) -> None:
    called(wheel, tmp_path, "init", ".", "--kind", kind)
    said = called(wheel, tmp_path, "check", "--config-dir", "conf", "+study=my_training")
    assert said.startswith("ok: my_training")


def test_a_study_that_ships_works_from_a_wheel(wheel: Path, tmp_path: Path) -> None:
    assert called(wheel, tmp_path, "check", "+study=pbt_cartpole").startswith("ok: pbt_cartpole")
