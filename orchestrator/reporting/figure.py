"""A figure of a report: described once, drawn as pictures and as a section of the interactive page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from matplotlib.figure import Figure as Picture

from orchestrator.reporting.document import Section
from orchestrator.reporting.style import save, save_vector
from orchestrator.run.results import replacing

View = TypeVar("View")
Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Figure(Generic[View, Shown]):
    """A figure of a report.

    It draws whatever a study left: one trial or thousands, failures, values that are NaN, several
    objectives. ``orchestrator/reporting/figures.py`` lists the figures of every kind of study; files, pages
    and MLflow artifacts follow from that list. ``tests/orchestrator/reporting/test_figures.py`` is the
    contract that every figure keeps.

    Args:
        name: of its files, and of its section within the page.
        heading: of its section.
        serves: the studies that have this figure, in words.
        describe: what there is to show, as plain data; None where there is nothing.
        draw: the pictures, each with the rest of its file's name: ``""`` for ``<name>.png``.
        section: HTML below the heading; empty where the pictures are enough, as for four objectives.
        parts: what tells the files apart where there are several, such as ``group``.
        vector: whether papers want it as PDF and SVG.
    """

    name: str
    heading: str
    serves: str
    describe: Callable[[View], Shown | None]
    draw: Callable[[View, Shown], Iterable[tuple[str, Picture]]]
    section: Callable[[View, Shown], str]
    parts: str = ""
    vector: bool = True

    @property
    def files(self) -> str:
        """The names of its files, for people: ``pairs_<group>.png``."""
        return f"{self.name}_<{self.parts}>.png" if self.parts else f"{self.name}.png"

    def owns(self, file: str) -> bool:
        """Whether a file of this name is one of the figure's pictures."""
        rest = r"_\w+" if self.parts else ""
        return re.fullmatch(rf"{re.escape(self.name)}{rest}\.png", file) is not None


class Drawing(Generic[View]):
    """The figures of one study. Each is described once, for its pictures and for the page.

    Args:
        figures: all figures of this kind of study; those with nothing to show are left out.
        view: what they are drawn from.
    """

    def __init__(self, figures: Sequence[Figure[View, Any]], view: View) -> None:
        self._figures, self._view = figures, view
        described = ((figure, figure.describe(view)) for figure in figures)
        self._shown = [(figure, shown) for figure, shown in described if shown is not None]

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """All pictures by file name without its ending, drawn one at a time."""
        return ((name, picture) for name, picture, _ in self._pictures())

    def _pictures(self) -> Iterator[tuple[str, Picture, bool]]:
        for figure, shown in self._shown:
            for rest, picture in figure.draw(self._view, shown):
                yield f"{figure.name}_{rest}" if rest else figure.name, picture, figure.vector

    def sections(self) -> Iterator[Section]:
        """The parts of the page, in the order of the figures."""
        for figure, shown in self._shown:
            if html := figure.section(self._view, shown):
                yield Section(figure.name, figure.heading, html)

    def write(self, folder: Path, vector: Path | None = None) -> None:
        """Write every picture into ``folder``, and remove those that only an earlier call wrote.

        Args:
            vector: where PDFs and SVGs for papers go, made anew; None: nowhere.
        """
        written = set()
        if vector is not None:
            shutil.rmtree(vector, ignore_errors=True)
            vector.mkdir(parents=True)
        for name, picture, drawn in self._pictures():
            with replacing(folder / f"{name}.png") as path:
                save(picture, path)
            written.add(f"{name}.png")
            if vector is not None and drawn:
                # The PNG has been laid out, which takes as long as drawing; "none" would do it again.
                picture.set_layout_engine(None)
                save_vector(picture, vector / name)
        for old in folder.iterdir():
            if old.name not in written and any(figure.owns(old.name) for figure in self._figures):
                old.unlink()
