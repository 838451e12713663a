"""Pictures of the README, made by the studies that it names; the third comes from ``family_over_seeds``.

``python -m tests.documentation.pictures [--from RUN ...]`` runs each study in a folder of its own (minutes
on two cores) and copies what it drew to docs/pictures. With ``--from``, run directories in the order of the
studies are drawn again instead.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measuring import progress
from tests.documentation.reference import ROOT

PICTURES = ROOT / "docs" / "pictures"

DRAWN = (
    (("+study=pbt_digits", "seed=1"), {"winner.png": "population.png"}),
    (("+study=mo_digits",), {"front.png": "front.png"}),
)
"""Of each study: its arguments, and which of its pictures are kept under which name."""


def run(arguments: tuple[str, ...], folder: Path) -> None:
    """Run a study in ``folder``."""
    command = [sys.executable, "-m", "orchestrator", *arguments, f"run.dir={folder}", "tracking=none"]
    subprocess.run(command, check=True, cwd=ROOT)


def keep(folder: Path, kept: dict[str, str]) -> None:
    """Copy pictures of a run."""
    for drawn, name in kept.items():
        shutil.copyfile(folder / "results" / drawn, PICTURES / name)
        progress(f"{PICTURES / name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--from", dest="runs", type=Path, nargs="*", default=[])
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as made:
        for number, (arguments, kept) in enumerate(DRAWN):
            folder = runs[number] if number < len(runs) else Path(made) / str(number)
            if number < len(runs):
                subprocess.run([sys.executable, "-m", "orchestrator", "report", folder], check=True, cwd=ROOT)
            else:
                run(arguments, folder)
            keep(folder, kept)


if __name__ == "__main__":
    main()
