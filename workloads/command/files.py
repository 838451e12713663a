"""Metrics that a program writes to files while it runs: JSON, CSV, an MLflow run, TensorBoard's events."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from search_spaces import ConfigurationError
from search_spaces.reading import listing
from workloads.command.reports import Lines, Reports, numbers, parsed

OUTPUT, MLFLOW, TENSORBOARD = "output", "mlflow", "tensorboard"
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv")


class Source(Protocol):
    """Where reports come from besides standard output."""

    def look(self) -> None:
        """Take what is new."""
        ...

    def finish(self) -> None:
        """The program is over: take what is new, and a last line without an end."""
        ...


def check_metrics(metrics: str) -> None:
    """Refuse a place that metrics cannot come from.

    Raises:
        ConfigurationError: it is none, or its library is missing.
    """
    if metrics == TENSORBOARD:
        _event_loader()
    elif metrics not in (OUTPUT, MLFLOW) and not metrics.endswith(SUFFIXES):
        words, ends = listing((OUTPUT, MLFLOW, TENSORBOARD)), listing(SUFFIXES)
        expected = f"{words}, or a file whose name ends in {ends}"
        raise ConfigurationError("metrics", expected, metrics)


def environment_of(metrics: str, folder: Path) -> dict[str, str]:
    """What tells a program's MLflow to record in ``folder``; nothing for other sources."""
    if metrics != MLFLOW:
        return {}
    # MLflow 3.7 and later want to be asked for files, which need no database to be made for every run.
    return {"MLFLOW_TRACKING_URI": (folder / "mlruns").as_uri(), "MLFLOW_ALLOW_FILE_STORE": "true"}


def source_of(metrics: str, folder: Path, reports: Reports) -> Source:
    """What looks for reports in a program's own folder, or in the file that ``metrics`` names."""
    if metrics == MLFLOW:
        return _Points(reports, lambda: _mlflow(folder / "mlruns"))
    if metrics == TENSORBOARD:
        return _TensorBoard(reports, folder)
    path = Path(metrics)
    if path.suffix == ".csv":
        return _Table(reports, path)
    return _Document(reports, path) if path.suffix == ".json" else _JsonLines(reports, path)


class _Growing:
    """A text file that grows; one that has become shorter is read again."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def text(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._read:
                    self._read = 0
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return b""
        self._read += len(data)
        return data


class _JsonLines:
    def __init__(self, reports: Reports, path: Path) -> None:
        self._file, self._lines = _Growing(path), Lines(reports)

    def look(self) -> None:
        self._lines.feed(self._file.text())

    def finish(self) -> None:
        self.look()
        self._lines.finish()


class _Table:
    """A CSV file with a line of names."""

    def __init__(self, reports: Reports, path: Path) -> None:
        self._reports, self._file = reports, _Growing(path)
        self._begun, self._names = b"", list[str]()

    def look(self) -> None:
        self._feed(self._file.text())

    def finish(self) -> None:
        self.look()
        if self._begun:
            self._feed(b"\n")

    def _feed(self, text: bytes) -> None:
        whole, newline, rest = (self._begun + text).rpartition(b"\n")
        self._begun = rest if newline else whole + rest
        for row in csv.reader((whole.decode(errors="replace")).splitlines()) if newline else ():
            if not self._names:
                self._names = [name.strip() for name in row]
            elif row:
                self._reports.add(dict(_cells(self._names, row)))


def _cells(names: list[str], row: list[str]) -> Iterator[tuple[str, float]]:
    for name, cell in zip(names, row, strict=False):
        try:
            yield name, float(cell)
        except ValueError:
            continue  # an empty cell, or a text


class _Document:
    """A JSON file that is written anew: an object, or a list of which the new ones count; or JSON lines."""

    def __init__(self, reports: Reports, path: Path) -> None:
        self._reports, self._path = reports, path
        self._seen: tuple[int, int] | None = None
        self._taken = 0

    def look(self) -> None:
        try:
            info = self._path.stat()
            seen = info.st_mtime_ns, info.st_size
            text = self._path.read_text(errors="replace") if seen != self._seen else ""
        except FileNotFoundError:
            return
        if not text.strip():
            return
        try:
            found = parsed(text)
        except ValueError:
            found = _lines(text)
        if found is None:
            self._reports.flaw = f"{self._path.name} is broken JSON"
            return  # it is being written; the next look finds all of it
        self._seen = seen
        if isinstance(found, list):
            new, self._taken = found[self._taken :], len(found)
        else:
            new, self._taken = [found], 1  # JSON lines may follow, and it is the first of them
        for one in new:
            self._reports.add(numbers(one))

    def finish(self) -> None:
        self.look()


def _lines(text: str) -> list[Any] | None:
    """The objects of JSON lines; None if a line but the last, which may be half written, is none."""
    found = []
    for line in text.splitlines(keepends=True):
        try:
            found.append(parsed(line))
        except ValueError:
            return found if found and not line.endswith("\n") else None
    return found


Curves = Mapping[tuple[Path, str], list[tuple[int, float]]]
"""By file or folder and metric, its values in order, each with its step."""


class _Points:
    """Metrics that are recorded one by one with their step: those of a step belong together."""

    def __init__(self, reports: Reports, curves: Callable[[], Curves]) -> None:
        self._reports, self._curves = reports, curves
        self._taken: dict[tuple[Path, str], int] = {}

    def look(self) -> None:
        new: dict[int, dict[str, float]] = {}
        for (place, name), curve in self._curves().items():
            for step, value in curve[self._taken.get((place, name), 0) :]:
                new.setdefault(step, {})[name] = value
            self._taken[place, name] = len(curve)
        for step in sorted(new):
            self._reports.add({"step": float(step), **new[step]})

    def finish(self) -> None:
        self.look()


def _mlflow(root: Path) -> Curves:
    """What MLflow's files in ``root`` hold; a line is ``time value step``. Nested runs come before others."""
    curves = {}
    folders = root.glob("*/*/metrics")
    for folder in sorted(folders, key=lambda found: (not _is_nested(found.parent), found)):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            rows = [
                line.split() for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")
            ]
            curves[folder, str(file.relative_to(folder))] = [
                (int(row[2]) if len(row) > 2 else 0, float(row[1])) for row in rows if len(row) > 1
            ]
    return curves


def _is_nested(run: Path) -> bool:
    return (run / "tags" / "mlflow.parentRunId").exists()


def _event_loader() -> Any:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        hint = "pip install 'orchestrator[tensorboard]'"
        raise ConfigurationError("metrics", "a source whose library is there", TENSORBOARD, hint) from error
    return EventAccumulator


class _TensorBoard:
    """The scalars of all event files at any depth.

    A tag that several folders have is there by its path too, such as ``validation/epoch_loss``.
    """

    def __init__(self, reports: Reports, folder: Path) -> None:
        self._folder, self._loaders = folder, dict[Path, Any]()
        self._points = _Points(reports, self._curves)

    def look(self) -> None:
        self._points.look()

    def finish(self) -> None:
        self.look()

    def _curves(self) -> Curves:
        curves: dict[tuple[Path, str], list[tuple[int, float]]] = {}
        places: dict[str, set[Path]] = {}
        for file in sorted(self._folder.rglob("*tfevents*")):
            if file not in self._loaders:
                self._loaders[file] = _event_loader()(str(file), size_guidance={"scalars": 0, "tensors": 0})
            for name, curve in _scalars(self._loaders[file].Reload()):
                curves[file, name] = curve
                places.setdefault(name, set()).add(file.parent)
        for (file, name), curve in [*curves.items()]:
            if len(places[name]) > 1:
                below = file.parent.relative_to(self._folder).as_posix()
                curves[file, f"{below}/{name}"] = curve
        return curves


def _scalars(loader: Any) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """The curves of an event file, by tag; TensorFlow 2 writes scalars as tensors."""
    from tensorboard.util.tensor_util import make_ndarray

    for name in loader.Tags()["scalars"]:
        yield name, [(one.step, one.value) for one in loader.Scalars(name)]
    for name in loader.Tags()["tensors"]:
        points = [(one.step, make_ndarray(one.tensor_proto)) for one in loader.Tensors(name)]
        yield name, [(step, float(value.item())) for step, value in points if _is_number(value)]


def _is_number(value: NDArray[Any]) -> bool:
    return value.size == 1 and value.dtype.kind in "biuf"
