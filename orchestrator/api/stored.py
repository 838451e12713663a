"""What a run has left, read from its directory: while it runs, after it, or on another machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.reporting.stored import configuration, read_events
from orchestrator.run.directory import RunDirectory
from search_spaces.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from orchestrator.population.history.history import PopulationHistory
    from orchestrator.preference.history import PreferenceHistory
    from orchestrator.search.history.history import SearchHistory

Best = Mapping[str, Any]


class Run:
    """A run of any kind of study.

    Args:
        path: the run directory.
        status: how it ended: 0 complete, 1 failed, 130 interrupted; None: unknown.

    Attributes:
        path, status: as above.
        config: the resolved configuration.
        kind: ``population``, ``search``, ``benchmark`` or ``preference``.

    Raises:
        ConfigurationError: there is no run in that directory.
    """

    def __init__(self, path: str | Path, status: int | None = None) -> None:
        self.path, self.status = Path(path).expanduser().absolute(), status
        self._run = RunDirectory(self.path)
        self.config: Mapping[str, Any] = configuration(self._run)
        self.kind: str = self.config["study"]["kind"] if self.config else "benchmark"

    def __repr__(self) -> str:
        ending = {None: "", 0: ", complete", 130: ", interrupted"}.get(self.status, ", failed")
        return f"Run({str(self.path)!r}, {self.kind}{ending})"

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """All tables by name, as far as the run has come.

        Population: intervals, lineage, models (:mod:`orchestrator.population.history.frames`); search:
        trials, reports, pareto, models (:mod:`orchestrator.search.history.frames`); benchmark: those of
        :class:`orchestrator.analysis.analysis.Analysis`; preference: options, answers
        (:mod:`orchestrator.preference.frames`).
        """
        if self.kind == "preference":
            from orchestrator.preference import frames as of_preference

            told = self._preference()
            return {"options": of_preference.options(told), "answers": of_preference.answers(told)}
        if self.kind == "population":
            from orchestrator.population.history import frames as of_population

            past = self._population()
            made = (of_population.intervals, of_population.lineage, of_population.models)
            return {one.__name__: one(past) for one in made}
        if self.kind == "search":
            from orchestrator.search.finals.models import StoredModels
            from orchestrator.search.history import frames as of_search

            trials, stored = self._search(), StoredModels.of(self._run, self.config)
            made_of_trials = (of_search.trials, of_search.reports, of_search.pareto)
            tables = {one.__name__: one(trials) for one in made_of_trials}
            return {**tables, "models": of_search.models(stored.trials(trials))}
        return self._tables

    @property
    def best(self) -> Best | None:
        """The best that was found; None: nothing yet.

        Population and search: ``config``, ``metrics`` (validation) and ``test`` (held-out, if judged), of the
        best model or trial; with several objectives of the best trade-off. Benchmark: ``method`` and
        ``rank``, its mean rank over all tasks. Preference: ``config``, ``metrics`` and ``text`` of the option
        with the highest posterior utility, as of the end of the last start.
        """
        if self.kind == "preference":
            return self._best_of_preference()
        if self.kind == "population":
            return self._best_of_population()
        if self.kind == "search":
            return self._best_of_search()
        ranks = self._tables["ranks"]
        ranks = ranks[ranks["group"] == ranks["group"].iloc[-1]] if len(ranks) else ranks
        if not len(ranks):
            return None
        first = ranks.loc[ranks["rank"].idxmin()]
        return {"method": first["method"], "rank": float(first["rank"])}

    @property
    def pareto(self) -> pd.DataFrame:
        """The Pareto set: a search's trials, or the models of a population with several objectives.

        Raises:
            ConfigurationError: a benchmark has none.
        """
        tables = {"search": "pareto", "population": "models"}
        if self.kind not in tables:
            raise ConfigurationError("run directory", "a population or a search", str(self.path))
        return self.frames[tables[self.kind]]

    @property
    def schedule(self) -> Mapping[str, Any] | None:
        """What a population's best weights were trained with, as ``schedule.yaml`` has it; None: nothing yet.

        Raises:
            ConfigurationError: the run is no population.
        """
        if self.kind != "population":
            raise ConfigurationError("run directory", "a population study", str(self.path))
        from orchestrator.population.history.trajectory import trajectory_of

        trajectory = trajectory_of(self._population())
        return None if trajectory is None else trajectory.to_data()

    @property
    def figures(self) -> Sequence[Path]:
        """The pictures among the results, PNG."""
        return sorted(self._run.results.glob("*.png"))

    @property
    def page(self) -> Path | None:
        """The results as one interactive page; None: not written yet."""
        return next(iter(sorted(self._run.results.glob("*.html"))), None)

    def model(self, number: int = 0) -> Any:
        """The state of a trained model that a complete population or a search keeps, the best one first.

        What the workload's session gives as its state, tensors on the CPU; for torch workloads ``["model"]``
        is a ``state_dict``.

        Raises:
            ConfigurationError: there is no such model.
        """
        from workloads.state_files import load_state

        file = self._run.results / "models" / f"{number}.pt"
        if not file.exists():
            kept = len(list(file.parent.glob("*.pt")))
            raise ConfigurationError("number", f"below {kept}, the models that are kept", number)
        return load_state(file)["session"]

    def _population(self) -> PopulationHistory:
        from orchestrator.population.history.history import PopulationHistory

        return PopulationHistory.from_events(read_events(self._run))

    def _search(self) -> SearchHistory:
        from orchestrator.search.history.history import SearchHistory

        return SearchHistory.from_events(read_events(self._run))

    def _preference(self) -> PreferenceHistory:
        from orchestrator.preference.history import PreferenceHistory

        return PreferenceHistory.from_events(read_events(self._run))

    def _best_of_preference(self) -> Best | None:
        history = self._preference()
        if history.standing is None:
            return None
        best = history.options[history.standing.options[0]]
        return {"config": dict(best.config), "metrics": dict(best.metrics), "text": best.text}

    @property
    def _tables(self) -> Mapping[str, pd.DataFrame]:
        from orchestrator.reporting.benchmark.report import stored_tables

        return stored_tables(self.path)

    def _best_of_population(self) -> Best | None:
        history = self._population()
        for model in history.models:
            return {name: dict(model[name]) for name in ("config", "metrics", "test")}
        best = history.best()
        return (
            None if best is None else {"config": dict(best.config), "metrics": dict(best.metrics), "test": {}}
        )

    def _best_of_search(self) -> Best | None:
        knee = self._search().knee()
        if knee is None:
            return None
        found = knee.trial.metrics if knee.trial else {}
        return {"config": dict(knee.config), "metrics": dict(found), "test": dict(knee.test)}
