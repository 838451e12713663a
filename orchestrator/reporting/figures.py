"""Every figure of every report, one a line, in the order of the pages."""

from __future__ import annotations

from typing import Any

from orchestrator.population.history.history import PopulationHistory
from orchestrator.preference.history import PreferenceHistory
from orchestrator.reporting.benchmark.attainment import ATTAINMENT
from orchestrator.reporting.benchmark.critical_difference import CRITICAL_DIFFERENCE
from orchestrator.reporting.benchmark.curves import CURVES
from orchestrator.reporting.benchmark.ecdf import ECDF
from orchestrator.reporting.benchmark.heat_map import HEAT_MAP
from orchestrator.reporting.benchmark.overall import OVERALL
from orchestrator.reporting.benchmark.pairs import PAIRS
from orchestrator.reporting.benchmark.profiles import PROFILES
from orchestrator.reporting.benchmark.ranks import RANKS
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.coordinates import COORDINATES
from orchestrator.reporting.population.family_tree import GENEALOGY
from orchestrator.reporting.population.front_plots import FRONT as MODELS
from orchestrator.reporting.population.plots import SCHEDULE
from orchestrator.reporting.population.spread import SPREAD
from orchestrator.reporting.population.troubles import TROUBLES
from orchestrator.reporting.population.winner import WINNER
from orchestrator.reporting.preference.utilities import UTILITIES
from orchestrator.reporting.search.endings import ENDINGS
from orchestrator.reporting.search.front import FRONT
from orchestrator.reporting.search.importance import IMPORTANCE
from orchestrator.reporting.search.learning_curves import LEARNING_CURVES
from orchestrator.reporting.search.overview import Overview
from orchestrator.reporting.search.parallel import PARALLEL
from orchestrator.reporting.search.progress import PROGRESS
from orchestrator.reporting.search.slices import SLICES
from orchestrator.reporting.search.surrogate import SURROGATE

SEARCH: tuple[Figure[Overview, Any], ...] = (
    FRONT,
    SLICES,
    PARALLEL,
    PROGRESS,
    LEARNING_CURVES,
    IMPORTANCE,
    SURROGATE,
    ENDINGS,
)

POPULATION: tuple[Figure[PopulationHistory, Any], ...] = (
    SCHEDULE,
    WINNER,
    SPREAD,
    GENEALOGY,
    MODELS,
    COORDINATES,
    TROUBLES,
)

BENCHMARK: tuple[Figure[View, Any], ...] = (
    RANKS,
    CRITICAL_DIFFERENCE,
    PAIRS,
    OVERALL,
    ECDF,
    PROFILES,
    HEAT_MAP,
    CURVES,
    ATTAINMENT,
)

PREFERENCE: tuple[Figure[PreferenceHistory, Any], ...] = (UTILITIES,)
