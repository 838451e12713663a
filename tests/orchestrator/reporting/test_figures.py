"""The contract of every figure: it draws whatever a study left, and the registry knows it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from typing import Any

import pytest

import orchestrator.reporting
from orchestrator.analysis.analysis import analyse
from orchestrator.population.history.history import PopulationHistory
from orchestrator.preference.history import Option, PreferenceHistory, PreferenceStart, Standing
from orchestrator.reporting import figures
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.figure import Drawing, Figure
from orchestrator.reporting.search.overview import overview
from orchestrator.search.history.history import SearchHistory
from tests.orchestrator.analysis import made
from tests.orchestrator.journals import ACCURACY as POPULATION_ACCURACY
from tests.orchestrator.journals import LOSS, PopulationJournal
from tests.orchestrator.search_journals import ACCURACY, ERROR, LATENCY, PARAMETERS, SearchJournal, space
from workloads.contract import Objective

ALL: Mapping[str, tuple[Figure[Any, Any], ...]] = {
    "search": figures.SEARCH,
    "population": figures.POPULATION,
    "benchmark": figures.BENCHMARK,
    "preference": figures.PREFERENCE,
}
DPI = 20
"""Enough to go through all of matplotlib's drawing."""


def search(until: int | None = None, **study: Any) -> Any:
    return overview(SearchHistory.from_events(SearchJournal(**study).events()[:until]), space())


def population(until: int | None = None, **study: Any) -> Any:
    return PopulationHistory.from_events(PopulationJournal(**study).events()[:until])


def kept(**study: Any) -> Any:
    """A population of several objectives that keeps the models of its last generation."""
    events = PopulationJournal(**study).events()
    last = [event for event in events if event["event"] == "interval"][-study["size"] :]
    models = [{key: one[key] for key in ("member", "generation", "config", "metrics")} for one in last]
    models = [{**one, "test": {}, "weights": "x"} for one in models]
    return PopulationHistory.from_events([*events[:-1], {**events[-1], "models": models}])


def benchmark(*args: Any, **kwargs: Any) -> Any:
    results = made.results(*args, **kwargs)
    return View.of(results, analyse(results, {}))


def compared(options: int) -> PreferenceHistory:
    """A preference study whose options are texts that a picture has to take as they are."""
    history = PreferenceHistory(PreferenceStart("prompts", 0, "", 9, ("prompt",), 0.0))
    texts = [f"<b>${number}$ " + "long " * 20 for number in range(options)]
    history.options = [Option(n, {"prompt": text}, {}, text, "", 0.0, 0.0) for n, text in enumerate(texts)]
    if options:
        values = tuple(float(number) for number in range(options))
        history.standing = Standing(tuple(range(options)), values[::-1], values, 0.6, 9)
    return history


SPEED, WIDTH = Objective("latency", "min"), Objective("parameters", "max")
BROKEN = dict.fromkeys(range(12), "boom")
CASES: Mapping[str, Mapping[str, Callable[[], Any]]] = {
    "search": {
        "before any trial": lambda: search(2),
        "one trial": lambda: search(trials=1, objectives=(ERROR,)),
        "one trial, two objectives": lambda: search(trials=1),
        "one objective, some failed": lambda: search(
            trials=20, rungs=(1, 3, 9), failures={3: "boom"}, objectives=(ACCURACY,)
        ),
        "two objectives, some infeasible": lambda: search(
            trials=20, rungs=(1, 3), failures={0: "boom"}, constraints=(LATENCY,)
        ),
        "three objectives": lambda: search(objectives=(ERROR, PARAMETERS, SPEED)),
        "four objectives": lambda: search(objectives=(ERROR, ACCURACY, WIDTH, SPEED)),
        "five objectives": lambda: search(objectives=(ERROR, ACCURACY, PARAMETERS, SPEED, LATENCY)),
        "all failed": lambda: search(failures=BROKEN),
        "a model fits": lambda: search(trials=40, objectives=(ERROR, PARAMETERS)),
    },
    "population": {
        "before any interval": lambda: population(4, size=3),
        "two members, one generation": lambda: population(size=2, generations=1),
        "one that always fails": lambda: population(failures={(1, number): "boom" for number in range(1, 6)}),
        "more members than a picture holds": lambda: population(size=120, generations=12),
        "two objectives, models are kept": lambda: kept(size=5, objectives=(POPULATION_ACCURACY, LOSS)),
        "three objectives, models are kept": lambda: kept(
            size=5, objectives=(POPULATION_ACCURACY, LOSS, {**LOSS, "direction": "max"})
        ),
        "two objectives, asynchronous": lambda: population(
            size=6, objectives=(POPULATION_ACCURACY, LOSS), synchronous=False
        ),
    },
    "benchmark": {
        "one method on one task": lambda: benchmark([made.task("BB")], {"one": 1.0}),
        "two methods, one seed": lambda: benchmark([made.task("MF")], {"a": 1.0, "b": 2.0}, [0]),
        "four types": lambda: benchmark(made.four_types(1), seeds=range(3)),
        "a method that found nothing": lambda: benchmark(
            [made.task("BB")],
            {"a": 1.0, "b": 2.0},
            range(2),
            failed=[(made.task("BB").name, "a", seed) for seed in range(2)],
        ),
        "more tasks than a picture holds": lambda: benchmark(
            [made.task("MO", number) for number in range(1, 14)], {"a": 1.0, "b": 2.0}, range(2)
        ),
    },
    "preference": {
        "before any answer": lambda: compared(0),
        "two options": lambda: compared(2),
        "more options than a picture holds": lambda: compared(40),
    },
}
EVERY = [(kind, case) for kind, cases in CASES.items() for case in cases]


@cache
def view_of(kind: str, case: str) -> Any:
    return CASES[kind][case]()


@pytest.mark.parametrize(("kind", "case"), EVERY, ids=map("-".join, EVERY))
def test_every_figure_draws_what_there_is(kind: str, case: str) -> None:
    drawing = Drawing(ALL[kind], view_of(kind, case))
    names = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, picture in drawing.pictures():
            names.append(name)
            picture.savefig(BytesIO(), format="png", dpi=DPI)
        sections = list(drawing.sections())
    assert len(set(names)) == len(names)
    for name in names:
        assert [one.name for one in ALL[kind] if one.owns(f"{name}.png")], (
            f"{name} is not named by its figure"
        )
    for section in sections:
        assert section.html.startswith("<p>"), f"{section.name} begins with what it shows, in words"
        assert not re.search(r"(src|href)=.?http", section.html), f"{section.name} needs the network"


@pytest.mark.parametrize("kind", ALL)
def test_every_figure_is_shown_in_some_case(kind: str) -> None:
    seen = {
        figure.name
        for case in CASES[kind]
        for figure in ALL[kind]
        if figure.describe(view_of(kind, case)) is not None
    }
    for figure in ALL[kind]:
        assert figure.name in seen, f"{figure.name} has no case in {__file__} that shows it"


@pytest.mark.parametrize("kind", ALL)
def test_a_figure_says_what_it_is_and_serves(kind: str) -> None:
    for figure in ALL[kind]:
        assert re.fullmatch(r"[a-z][a-z_]*", figure.name)
        assert figure.heading[0].isupper()
        assert figure.serves and figure.serves[0].islower() and not figure.serves.endswith(".")
    assert len({figure.name for figure in ALL[kind]}) == len(ALL[kind])


def test_no_figure_is_forgotten() -> None:
    registered = {id(figure) for several in ALL.values() for figure in several}
    for found in pkgutil.walk_packages(orchestrator.reporting.__path__, "orchestrator.reporting."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, Figure):
                assert id(value) in registered, (
                    f"{name} of {module.__name__} has no line in orchestrator/reporting/figures.py"
                )
