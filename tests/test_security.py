"""What docs/security.md promises: no code from disk, no way out of a folder, no secret in sight."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.passwords import MASK, masked
from orchestrator.config.validate import check_values
from orchestrator.run.directory import RunDirectory, keep_traceback
from orchestrator.search.trials.trial_run import reason_of
from orchestrator.tracking.names import clean_name
from search_spaces import ConfigurationError
from tests.conftest import composed

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    file for name in ("orchestrator", "workloads", "search_spaces") for file in (ROOT / name).rglob("*.py")
)

UNPICKLING = {"pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle"}
IN_MEMORY = {
    "orchestrator/engine/search_coordinator.py",
    "orchestrator/engine/ray_private.py",
    "workloads/given.py",
}
"""They read what a process of the same study has just sent or, Ray itself, just written."""


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str, str]:
    return {one.arg or "**": ast.unparse(one.value) for one in call.keywords}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_source_makes_code_or_objects_of_files_or_texts(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {one.name.partition(".")[0] for one in node.names} & UNPICKLING
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in UNPICKLING
    for called, call in calls(file):
        given = keywords(call)
        assert called not in ("eval", "exec", "os.system", "os.popen", "subprocess.getoutput"), called
        assert given.get("shell", "False") == "False", called
        assert given.get("allow_pickle", "False") == "False", called
        if called == "torch.load":
            assert given.get("weights_only") == "True"
        if called in ("cloudpickle.load", "cloudpickle.loads"):
            assert name in IN_MEMORY
        if called == "joblib.load":
            raise AssertionError(called)
        if called in ("yaml.load", "yaml.load_all"):
            assert "Safe" in ast.unparse(call.args[1]) or ast.unparse(call.args[1]) == "_Loader"
        assert called not in ("yaml.unsafe_load", "yaml.full_load"), called


@pytest.fixture(scope="module")
def study() -> dict[str, object]:
    return composed("+study=pbt_toy")


PIECES = st.sampled_from(["..", ".", "/", "x", "\0", "\n", "%2e", "~", "\\", " "])
HOSTILE = st.one_of(st.text(min_size=1, max_size=30), st.lists(PIECES, max_size=8).map("".join))


@given(HOSTILE)
def test_a_study_s_name_is_one_name_of_a_folder_or_refused(study: dict[str, object], name: str) -> None:
    given_name = {**study, "study": {**study["study"], "name": name}}  # type: ignore[dict-item]
    try:
        check_values(given_name)
    except ConfigurationError as error:
        assert error.key == "study.name"
        assert "\n" not in str(error)
    else:
        assert Path("/runs", name).resolve().parent == Path("/runs")
        assert "%" not in name
        assert name.isprintable()


@given(HOSTILE)
def test_a_metric_s_name_leads_nowhere_else(name: str) -> None:
    folder = Path("/artifacts")
    path = Path(folder, clean_name(name))
    assert path.resolve().is_relative_to(folder)
    assert path.resolve() != folder
    assert "\0" not in str(path)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "snapshots/../../x", "link/x"])
def test_a_journal_names_only_files_of_its_run(name: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    (run.path / "link").symlink_to("/etc")
    with pytest.raises(ValueError, match="expected a file of the run"):
        run.inside(name)
    assert run.inside("snapshots/000005/member-000.pt").is_relative_to(run.path)


SECRET = "hunter2x"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to http://me:{SECRET}@host:5000",
        f"postgresql+psycopg2://me:{SECRET}@host/db is away",
        f"GET https://host/x?api_key={SECRET}&y=1",
        f"'cluster.env.API_TOKEN={SECRET}' is wrong",
    ],
)
def test_failures_and_tracebacks_show_no_password(text: str, tmp_path: Path) -> None:
    assert MASK in masked(text)
    assert SECRET not in reason_of(RuntimeError(text))
    keep_traceback(tmp_path / "failures.log", "trial 3", f"Traceback\nRuntimeError: {text}")
    assert SECRET not in (tmp_path / "failures.log").read_text()
