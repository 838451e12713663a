"""A click on a point shows YAML that can be run again."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.history.trajectory import trajectory_of
from orchestrator.population.schedule import Schedule
from orchestrator.reporting.configurations import block, flow
from orchestrator.reporting.document import document, packed
from orchestrator.reporting.population import configurations as of_population
from orchestrator.reporting.search import configurations as of_search
from orchestrator.reporting.search.overview import overview
from orchestrator.reporting.search.page import page
from orchestrator.search.history.history import SearchHistory
from tests.orchestrator.journals import PopulationJournal
from tests.orchestrator.search_journals import ACCURACY, SearchJournal, space

SCALARS = st.one_of(
    st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.just("no")
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), SCALARS, max_size=5))
def test_what_is_written_is_read_back(config: dict[str, Any]) -> None:
    assert (yaml.safe_load(block(config)) or {}) == config
    assert yaml.safe_load(flow([config, {"inside": config}])) == [config, {"inside": config}]


@pytest.mark.parametrize("text", ["\n", "a\nb", "\r", "\u2028", "\x07", "\U0001f600", "ä: b", "", " "])
def test_texts_that_are_no_words_are_names_as_well(text: str) -> None:
    for config in ({"first": 1, text: text}, {text: 1}):
        assert yaml.safe_load(block(config)) == config
        assert yaml.safe_load(flow(config)) == config
        assert block(config).count("\n") == len(config)


def test_numbers_that_are_none() -> None:
    assert math.isnan(yaml.safe_load(flow(math.nan)))
    assert yaml.safe_load(flow(1e-05)) == 1e-05


def test_every_trial_has_its_configuration() -> None:
    history = SearchHistory.from_events(SearchJournal(trials=12, failures={3: "boom"}).events())
    found = of_search.configurations(history)
    assert {name: yaml.safe_load(text) for name, text in found.items()} == {
        f"trial {record.number}": record.config for record in history.records.values()
    }


def test_every_point_of_a_member_has_the_schedule_of_its_weights() -> None:
    history = PopulationHistory.from_events(PopulationJournal(failures={(1, 2): "boom"}).events())
    found = of_population.configurations(history)
    healthy = [record for record in history.records() if record.failure is None]
    assert set(found) == {f"member {one.member}, generation {one.generation}" for one in healthy}
    for record in healthy:
        text = found[of_population.key(record.member, record.generation)]
        schedule = Schedule.from_data(yaml.safe_load(text), "schedule")
        assert schedule.ends[-1] == len(history.chain(record)) * history.start.interval
        assert schedule.segments[-1].config == record.config
    best, trajectory = history.best(), trajectory_of(history)
    assert best is not None and trajectory is not None
    chosen = yaml.safe_load(found[of_population.key(best.member, best.generation)])
    assert chosen == yaml.safe_load(yaml.safe_dump(trajectory.to_data()))


def test_a_large_population_keeps_the_schedules_of_its_last_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_population, "MOST_SEGMENTS", 10)
    history = PopulationHistory.from_events(PopulationJournal().events())
    found = {name: yaml.safe_load(text) for name, text in of_population.configurations(history).items()}
    whole = {name for name, data in found.items() if "segments" in data}
    best = history.best()
    assert best is not None
    last = {of_population.key(member, history.start.generations) for member in range(4)}
    assert whole == last | {of_population.key(best.member, best.generation)}
    early = of_population.key(0, 1)
    assert found[early] == history.lives[0][0].config


def test_every_point_that_can_be_clicked_has_a_configuration() -> None:
    study = SearchJournal(trials=30, rungs=(1, 3), objectives=(ACCURACY,))
    view = overview(SearchHistory.from_events(study.events()), space())
    html = page(view, [])
    assert f'id="configurations">{packed(json.dumps(dict(of_search.configurations(view.history))))}<' in html
    (row,) = re.findall(r'data-configuration="([^"]+)"', html)
    assert row in of_search.configurations(view.history)


def test_a_page_without_configurations_has_no_dialog() -> None:
    assert "<dialog" not in document("title", [])
    assert "<dialog" in document("title", [], configurations={"trial 1": "a: 1"})
