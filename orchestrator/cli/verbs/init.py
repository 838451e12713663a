"""``init``: write a study of one's own that runs at once, as two short files to go on from."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from orchestrator.cli.refusals import OneLineParser

KINDS = {
    "loop": "a training loop of one's own, which reports (population)",
    "torch": "a model, an optimizer and a DataLoader; the loop is this program's (population)",
    "script": "a program of one's own in a process of its own (population)",
    "function": "a function that scores a configuration (search)",
}
"""What there are templates for."""
LIBRARIES = {
    "sklearn": ("pbt_sklearn", "an estimator of scikit-learn (population)"),
    "lightning": ("pbt_lightning", "a Lightning module (population)"),
    "transformers": ("pbt_transformers", "Hugging Face's Trainer (population)"),
    "sb3": ("pbt_sb3", "an agent of Stable-Baselines3 (population)"),
    "xgboost": ("search_xgboost", "XGBoost (search)"),
    "lightgbm": ("search_lightgbm", "LightGBM (search)"),
}
"""Libraries whose training is copied from the study that ships, with its name."""
_ADAPTED = "workloads.library.adapted"
_ABOUT = (
    "Write a study of your own that runs at once: my_training.py, which you replace, and "
    "conf/study/my_training.yaml, which says what varies. Kinds: "
    + "; ".join(f"{name}: {text}" for name, text in KINDS.items())
    + "; "
    + "; ".join(f"{name}: {text}" for name, (_, text) in LIBRARIES.items())
)
_NAME = "my_training"


def main(argv: Sequence[str]) -> int:
    """Write the two files and print the command that runs them."""
    parser = OneLineParser(prog="python -m orchestrator init", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="where they are written; made where it is missing")
    parser.add_argument("--kind", choices=[*KINDS, *LIBRARIES], default="loop", help="(default: %(default)s)")
    given = parser.parse_args(argv)
    code, study = _write(given.folder, given.kind)
    sys.stdout.write(
        f"wrote {code} and {study}; now run\n"
        f"cd {shlex.quote(str(given.folder))} && python -m orchestrator --config-dir conf +study={_NAME}\n"
    )
    return 0


def _write(folder: Path, kind: str) -> tuple[Path, Path]:
    """The two files of a kind; refuses to replace anything."""
    from search_spaces.errors import ConfigurationError

    code, study = folder / f"{_NAME}.py", folder / "conf" / "study" / f"{_NAME}.yaml"
    made = dict(zip((code, study), _texts(kind), strict=True))
    for path in made:
        if path.exists():
            raise ConfigurationError("folder", f"a folder without {path.name}", str(path))
    try:
        for path, text in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        expected = "a directory that can be written, or a name for a new one"
        raise ConfigurationError("folder", expected, str(folder), error.strerror or "") from error
    return code, study


def _texts(kind: str) -> tuple[str, str]:
    """The code and the study of a kind."""
    if kind in KINDS:
        templates = files("orchestrator.cli") / "templates"
        code, study = (templates / f"{kind}.{ending}.txt" for ending in ("py", "yaml"))
        return code.read_text(encoding="utf-8"), study.read_text(encoding="utf-8")
    from orchestrator.cli.listing import conf_dir

    name = LIBRARIES[kind][0]
    text = (files(_ADAPTED) / f"{kind}.py").read_text(encoding="utf-8")
    study_text = (conf_dir() / "study" / f"{name}.yaml").read_text(encoding="utf-8")
    own = study_text.replace(f"name: {name}\n", f"name: {_NAME}\n")
    return text, own.replace(f"{_ADAPTED}.{kind}.", f"{_NAME}.")
