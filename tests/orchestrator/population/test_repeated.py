"""What members of an asynchronous study train again after a kill: only what had not been saved of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.population.snapshots.manifests import member_file
from orchestrator.population.snapshots.snapshots import valid_snapshots
from orchestrator.randomness import user_seed
from orchestrator.run.journal import read_journal
from tests.orchestrator.population.harness import Death, Population, Walk, WalkSession
from tests.orchestrator.population.test_publications import Traced, TracedSession, check_best, check_journal
from workloads.packing import EngineChoice

SLOW = frozenset(user_seed(0, "member", member) for member in range(3))


class Uneven(Traced):
    """The first members take their time, so that others are far ahead of them."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def happens(self, session: TracedSession, what: str) -> bool:
        sleep(self._seconds if what == "crash" and session.seed in SLOW else 0.0)
        return super().happens(session, what)


def study(folder: Path, seconds: float = 0.005, **options: Any) -> Population:
    return Population(
        folder,
        workload=Uneven(seconds),
        synchronous=False,
        size=6,
        generations=8,
        snapshot_interval=1,
        **options,
    )


def taken_back(run: Path) -> list[int]:
    """Each time that members went back: how many intervals one of them lost at most."""
    lost, trained = [], dict[int, int]()
    for event in read_journal(run / "journal.jsonl"):
        if event["event"] == "interval":
            trained[event["member"]] = event["generation"]
        elif event["event"] == "resume":
            kept = dict(enumerate(event["generations"]))
            lost.append(max(trained.get(member, 0) - kept[member] for member in kept))
            trained = kept
    return lost


def kill(population: Population, deaths: dict[int, list[Death]], last: Death) -> None:
    """Train until all processes are killed at once, the coordinator's too."""
    coordinator = population.coordinator

    async def gone(_: int) -> None:
        await coordinator.abort("killed")

    coordinator.gone = gone  # type: ignore[method-assign]
    population.train(deaths=deaths, leaves=dict.fromkeys(range(population.islands), last))


def test_a_synchronous_study_saves_for_the_time_that_has_passed_too(tmp_path: Path) -> None:
    now = [0.0]

    def waits(session: WalkSession) -> None:
        now[0] += 1.0

    walk: dict[str, Any] = {"size": 4, "generations": 8, "islands": 1, "snapshot_interval": 5}
    population = Population(
        tmp_path, workload=Walk(waits), snapshot_seconds=10.0, clock=lambda: now[0], **walk
    )
    assert population.train(deaths={0: [Death("train", 5)]}).finished
    events = read_journal(population.run.journal)
    # Three generations of four members take 12 s; the death takes the study back to the third.
    assert [event["generation"] for event in events if event["event"] == "snapshot"] == [3, 5, 8]
    assert taken_back(tmp_path) == [1]


deeds = st.tuples(st.sampled_from(["train", "publish", "save", "saved", "join"]), st.integers(1, 16))
killings = st.tuples(st.dictionaries(st.integers(0, 2), st.lists(deeds, max_size=2), max_size=2), deeds)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    islands=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    packed=st.booleans(),
    killed=st.lists(killings, min_size=1, max_size=2),
    last=st.dictionaries(st.integers(0, 2), st.lists(deeds, max_size=2), max_size=2),
)
def test_a_member_repeats_one_interval_at_most_for_each_kill(
    islands: list[int], packed: bool, killed: Any, last: Any
) -> None:
    """Of some islands, or of the whole study; the number of islands may change each time."""
    engine = EngineChoice("packed" if packed else "loop", "asked for")
    with TemporaryDirectory() as folder:
        for count, (deaths, end) in zip(islands, killed, strict=False):
            mortal = {island: [Death(*death) for death in own] for island, own in deaths.items()}
            kill(study(Path(folder), islands=count, engine=engine), mortal, Death(*end))
        final = study(Path(folder), islands=islands[-1], engine=engine)
        mortal = {island: [Death(*death) for death in own] for island, own in last.items()}
        assert final.train(deaths=mortal, conclude=True).finished
        assert max(taken_back(Path(folder)), default=0) <= 1
        check_journal(final.history(), inherited=False)
        check_best(final)


def ahead(folder: Path) -> tuple[Population, list[int]]:
    """A study that was killed when some members were ahead of the newest snapshot, and how far each was."""
    killed = study(folder, seconds=0.03)
    kill(killed, {}, Death("saved", 12))
    return killed, [len(life) for life in killed.history().lives]


def test_a_study_that_was_killed_goes_on_from_what_was_saved_of_each_member(tmp_path: Path) -> None:
    killed, trained = ahead(tmp_path)
    newest = max((each.generations for each in valid_snapshots(killed.run.snapshots)), default=(0,) * 6)
    assert max(ours - safe for ours, safe in zip(trained, newest, strict=True)) > 2
    resumed = study(tmp_path)
    begins = [resumed.evolution.generation(member) for member in range(6)]
    assert all(ours - 1 <= begin for ours, begin in zip(trained, begins, strict=True))
    assert resumed.train(conclude=True).finished


@pytest.mark.parametrize("damage", ["flipped", "missing", "of another generation"])
def test_a_damaged_file_takes_its_member_back_further(tmp_path: Path, damage: str) -> None:
    killed, _ = ahead(tmp_path)
    probe = study(tmp_path)
    begins = [probe.evolution.generation(member) for member in range(6)]
    probe.coordinator.close()
    member = max(range(6), key=begins.__getitem__)
    file = member_file(killed.run.snapshots / f"{begins[member]:06d}", member)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    match damage:
        case "flipped":
            file.write_bytes(content)
        case "missing":
            file.unlink()
        case "of another generation":
            other = member_file(killed.run.snapshots / f"{begins[member] - 1:06d}", member)
            file.write_bytes(other.read_bytes())
    resumed = study(tmp_path)
    expected = [begin - (number == member) for number, begin in enumerate(begins)]
    assert [resumed.evolution.generation(number) for number in range(6)] == expected
    assert resumed.train(conclude=True).finished
    check_journal(resumed.history(), inherited=False)
    (remark,) = resumed.history().remarks
    assert remark.startswith(f"snapshots/{begins[member]:06d}/{file.name} cannot be trusted (")
