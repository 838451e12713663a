"""Malformed configurations end in one line and exit code 2; nothing is started, written or run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.orchestrator.cli.conftest import Call, Studies
from tests.orchestrator.cli.malformed import FILE, Case, sampled, study_file

COUNT, SEED = int(os.environ.get("MALFORMED", "40")), int(os.environ.get("MALFORMED_SEED", "13"))
"""How many are drawn. ``MALFORMED=1000`` takes minutes, and every seed draws others."""

LONGEST_LINE = 2000


def written(case: Case, directory: Path) -> None:
    if case.text is not None:
        (directory / FILE).parent.mkdir(parents=True)
        (directory / FILE).write_bytes(case.text.encode("utf-8"))


def connected_to_ray() -> bool:
    """Whether this process is; tests that ran in it before may have connected it."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


def is_one_line(code: int, out: str, err: str) -> bool:
    prefixed = err.startswith("error: ") and "Traceback" not in err
    return code == 2 and not out and prefixed and err.count("\n") == 1 and len(err) <= LONGEST_LINE


def test_malformed_configurations_are_refused_in_one_line(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    connected = connected_to_ray()
    for number, case in enumerate(sampled(COUNT, SEED)):
        place = tmp_path / str(number)
        place.mkdir()
        os.chdir(place)  # ``call`` goes back
        written(case, place)
        before = sorted(place.rglob("*"))
        outcome = call(*case.arguments)
        if case.wrong or outcome.code != 0:
            assert is_one_line(outcome.code, outcome.out, outcome.err), (case, outcome)
            assert studies.runs == [], case
            assert sorted(place.rglob("*")) == before, case
        assert not (place / "pwned").exists(), case
        studies.runs.clear()
    assert connected_to_ray() == connected


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "case",
    [
        Case("population", ("population.initial=" + "[" * 1000 + "]" * 1000,)),
        Case("search", ("workload._target_=os.system", "+workload.command='touch pwned'")),
        Case("search", (), study_file("search", "seed", "1") + BOMB),
        Case("population", (), study_file("population", "run.dir", '"a\\0b"')),
    ],
    ids=["deep", "code", "bomb", "zero"],
)
def test_a_process_refuses_them_likewise(case: Case, tmp_path: Path) -> None:
    written(case, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    ended = subprocess.run(
        [sys.executable, "-m", "orchestrator", *case.arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert is_one_line(ended.returncode, ended.stdout, ended.stderr), ended
    assert sorted(tmp_path.rglob("*")) == before
