"""What a run was computed with: versions, commits, hardware and the command line, once for every start.

``provenance.json`` in the run directory is a list with one entry for each start or resume.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orchestrator.config.passwords import masked
from orchestrator.run.directory import RunDirectory
from orchestrator.run.results import replacing
from search_spaces.errors import ConfigurationError

PROGRAM = "orchestrator"
COMPUTING = (
    *("numpy", "scipy", "scikit-learn", "torch", "ConfigSpace", "moocore"),
    *("optuna", "cmaes", "smac", "nevergrad", "cma", "botorch", "gpytorch"),
    *("ioh", "pymoo", "onnxruntime", "lightning", "transformers", "stable-baselines3", "gymnasium"),
)
"""Packages whose version may change a number."""
OTHERS = ("ray", "mlflow", "hydra-core", "omegaconf", "pandas", "pyarrow", "matplotlib", "plotly")
"""Packages that run and record a study."""

_SECONDS = 10.0
Entry = dict[str, Any]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed versions by package, without those that are not installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def commit(folder: Path) -> str | None:
    """The commit that is checked out in ``folder``, with ``+changes`` where tracked files differ from it.

    None where that is no git repository, git is not installed, or nothing is committed.
    """
    git = shutil.which("git")
    if git is None:
        return None
    status = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    lines = _output([git, "-C", str(folder), *status]).splitlines()
    heads = [line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")]
    if not heads or heads[0].startswith("("):
        return None
    changed = any(not line.startswith("#") for line in lines)
    return f"{heads[0]}+changes" if changed else heads[0]


def commits(folders: Iterable[Path]) -> dict[str, str]:
    """Commits of this program, where it runs from a checkout, and of the user's folders."""
    package = Path(__file__).parents[1]
    found = {}
    # A program that is installed below somebody's repository is not part of it.
    if (package.parent / "pyproject.toml").is_file() and (own := commit(package.parent)):
        found[PROGRAM] = own
    for folder in dict.fromkeys(path.absolute() for path in folders):
        if not package.parent.samefile(folder) and (theirs := commit(folder)):
            found[str(folder)] = theirs
    return found


def software(folders: Iterable[Path]) -> str:
    """What decides the numbers that are computed here, as JSON text: equal for equal software.

    Without the folders' paths, which say nothing about what is computed.
    """
    found = commits(folders)
    ours = {f"commit of {PROGRAM}": found.pop(PROGRAM)} if PROGRAM in found else {}
    theirs = {"commit of user code": ", ".join(dict.fromkeys(found.values()))} if found else {}
    computing = {"python": platform.python_version(), **versions((PROGRAM, *COMPUTING))}
    return json.dumps({**computing, **ours, **theirs}, separators=(",", ":"))


def differences(first: str, second: str) -> str:
    """What differs between two texts of :func:`software`, such as "numpy 2.1.0 instead of 2.2.0"."""
    before, after = (json.loads(text) if text else {} for text in (first, second))
    parts = [
        f"{name} {_short(before.get(name))} instead of {_short(after.get(name))}"
        for name in dict.fromkeys([*after, *before])
        if before.get(name) != after.get(name)
    ]
    return ", ".join(parts)


def hardware() -> Entry:
    """The machine of this process."""
    return {
        "node": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "gpus": _gpus(),
    }


def session(command: Sequence[str], folders: Iterable[Path], resumed: bool) -> Entry:
    """The entry of a start.

    Args:
        command: the program's arguments; passwords in them are masked.
        folders: where the user's code lies.
        resumed: whether a run goes on.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "resumed": resumed,
        "command": masked(shlex.join(["python", "-m", PROGRAM, *command])),
        "python": platform.python_version(),
        "versions": versions((PROGRAM, *COMPUTING, *OTHERS)),
        "commits": commits(folders),
        "hardware": hardware(),
    }


def sessions(run: RunDirectory) -> list[Entry]:
    """All entries of a run, oldest first; none where it has none, or they cannot be read."""
    try:
        found = json.loads(run.provenance.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


@contextlib.contextmanager
def recorded(run: RunDirectory, entry: Mapping[str, Any]) -> Iterator[None]:
    """Keep ``entry`` with the run; where the run is refused in the block, take it back."""
    before = sessions(run)
    _write(run, [*before, dict(entry)])
    try:
        yield
    except ConfigurationError:
        if before:
            _write(run, before)
        else:
            run.provenance.unlink(missing_ok=True)
        raise


def tags(run: RunDirectory) -> dict[str, str]:
    """What a record's tags say of the newest entry: version and commits."""
    entries = sessions(run)
    if not entries:
        return {}
    newest = entries[-1]
    found = {"version": str(newest["versions"].get(PROGRAM, ""))}
    own = newest["commits"].get(PROGRAM)
    theirs = [one for folder, one in newest["commits"].items() if folder != PROGRAM]
    found |= {"commit": own} if own else {}
    return found | ({"commit_of_user_code": ", ".join(theirs)} if theirs else {})


def _write(run: RunDirectory, entries: Sequence[Mapping[str, Any]]) -> None:
    with replacing(run.provenance) as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    head, plus, rest = value.partition("+changes")
    return f"{head[:8]}{plus}{rest}" if len(head) == 40 else value


def _output(command: Sequence[str]) -> str:
    """What a command prints; empty where it fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _gpus() -> list[str]:
    """Name, memory and driver of each."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = "--query-gpu=name,memory.total,driver_version"
    lines = _output([program, query, "--format=csv,noheader"]).splitlines()
    return [line.strip() for line in lines if line.strip()]
