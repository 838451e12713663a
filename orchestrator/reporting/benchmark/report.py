"""Everything that a benchmark study leaves for people and notebooks, from its stored results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.analysis.analysis import Analysis, analyse
from orchestrator.analysis.references import REFERENCES, load_references, references, save_references
from orchestrator.benchmark.records import Results
from orchestrator.benchmark.results import load_results, merge
from orchestrator.reporting.benchmark.report_tables import tables, write_tables
from orchestrator.run.directory import RunDirectory
from orchestrator.run.results import replacing
from search_spaces import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd


def write_report(run_dirs: Sequence[Path], output: Path) -> Path:
    """Write the report of one study, or of several put together, replacing an earlier one.

    - ``report.html``: all of it as one interactive page that stands alone.
    - The PNGs of each figure that :data:`orchestrator.reporting.figures.BENCHMARK` lists, where there is
      something to show.
    - In ``vector``: the same pictures as PDF and SVG, without those of single tasks; in ``latex``: tables for
      papers (:mod:`.latex`).
    - A CSV and a Parquet of every table of :class:`orchestrator.analysis.analysis.Analysis`, and of
      ``failures``; the same results make them again byte for byte.

    Reference points that no task has are taken from what was seen; they are kept in ``references.json`` in
    the run directory (of several: in ``output``) once the study is complete, and do not move afterwards. Of
    several, those that the runs have kept themselves come first, in the order of the runs.

    Args:
        run_dirs: one or more.
        output: folder, made where it is missing.

    Returns:
        Where the page is.

    Raises:
        ConfigurationError: a directory holds no benchmark study, studies do not fit together, or there is
            nothing to report on.
    """
    from orchestrator.reporting.benchmark.latex import latex_tables
    from orchestrator.reporting.benchmark.page import page
    from orchestrator.reporting.benchmark.view import View
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import BENCHMARK
    from orchestrator.reporting.reproduction import reproduction

    results, analysis = examine(run_dirs, output)
    write_tables(output, tables(results, analysis))
    view = View.of(results, analysis)
    drawing = Drawing(BENCHMARK, view)
    drawing.write(output, vector=output / "vector")
    _write_latex(output / "latex", latex_tables(view))
    origin = reproduction([RunDirectory(path) for path in run_dirs])
    with replacing(output / "report.html") as path:
        path.write_text(page(view, drawing.sections(), origin), encoding="utf-8")
    return output / "report.html"


def examine(run_dirs: Sequence[Path], output: Path) -> tuple[Results, Analysis]:
    """What is stored of one study or several, and what it says; arguments as of :func:`write_report`."""
    results = _loaded(run_dirs)
    make_folder(output)
    places = run_dirs if len(run_dirs) == 1 else [*run_dirs, output]
    return results, analyse(results, _references(results, [place / REFERENCES for place in places]))


def _write_latex(folder: Path, texts: Mapping[str, str]) -> None:
    make_folder(folder)
    for name, text in texts.items():
        with replacing(folder / f"{name}.tex") as path:
            path.write_text(text, encoding="utf-8")


def stored_tables(run_dir: Path) -> Mapping[str, pd.DataFrame]:
    """All tables of one stored study, as far as it has come; nothing is written.

    Raises:
        ConfigurationError: as :func:`write_report`.
    """
    results = _loaded([run_dir])
    kept = load_references(run_dir / REFERENCES, results.tasks)
    return tables(results, analyse(results, references(results, kept)))


def make_folder(output: Path) -> None:
    """Make the folder that a user named, unless it is there.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        expected = "a directory, or a name for a new one"
        raise ConfigurationError("output", expected, str(output), error.strerror or "") from error


def _loaded(run_dirs: Sequence[Path]) -> Results:
    every = [read_results(path) for path in run_dirs]
    results = every[0] if len(every) == 1 else merge(every)
    if not (results.cells["status"] == "finished").any():
        counts = results.cells["status"].value_counts()
        found = ", ".join(f"{counts[status]} {status}" for status in ("failed", "lost") if status in counts)
        raise ConfigurationError(
            "run directory", "at least one finished cell", found or "none", "see its evaluations' reasons"
        )
    return results


def read_results(run_dir: Path) -> Results:
    """:func:`orchestrator.benchmark.results.load_results` for what users name.

    Raises:
        ConfigurationError: it is no directory, holds no benchmark study, or what it holds is damaged.
    """
    if not run_dir.is_dir():
        raise ConfigurationError("run directory", "an existing directory", str(run_dir))
    try:
        return load_results(run_dir)
    except ConfigurationError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        expected = "results of a benchmark study that can be read"
        raise ConfigurationError(f"run directory {run_dir}", expected, str(error)) from error


def _references(results: Results, paths: Sequence[Path]) -> Mapping[str, tuple[float, ...]]:
    """The reference points; those of a complete study stay fixed, whatever is added to it.

    Args:
        paths: where points are kept, the first come first; new ones are kept in the last.
    """
    kept = [load_references(path, results.tasks) for path in paths]
    frozen = {task: point for points in reversed(kept) for task, point in points.items()}
    found = references(results, frozen)
    # What is seen later could be worse than all so far.
    if results.complete:
        save_references(paths[-1], found, results.tasks)
    return found
