"""Hyperparameters over training: what a population found, or what somebody wrote by hand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any

from orchestrator.population.decision import Decision, ShrinkPerturb
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.reading import Section, as_list, closest, listing
from workloads.contract import Fidelity, Workload


@dataclass(frozen=True)
class Segment:
    """Training with one configuration.

    Args:
        amount: units of fidelity.
        intervals: after how many equal parts of it a replay evaluates the model, as the population did.
        config: the hyperparameters.
        change: how the weights are changed before it; None: not at all.
    """

    amount: int
    intervals: int
    config: Config
    change: ShrinkPerturb | None = None

    @classmethod
    def from_data(cls, data: Any, key: str) -> Segment:
        """The segment that plain data describe.

        Raises:
            ConfigurationError: they describe none; the error's key begins with ``key``.
        """
        section = Section.of(data, key, "a mapping with the keys 'amount' and 'config'")
        section.only("amount", "intervals", "config", "change")
        amount = section.whole("amount")
        intervals = section.whole("intervals") if section.has("intervals") else 1
        if amount < 1:
            raise ConfigurationError(section.key("amount"), "at least 1", amount)
        if intervals < 1 or amount % intervals:
            expected = f"a divisor of the amount, {amount}"
            raise ConfigurationError(section.key("intervals"), expected, intervals)
        config = Section.of(
            section.get("config", "hyperparameters by name"), section.key("config"), "hyperparameters by name"
        )
        return cls(amount, intervals, dict(config.entries), _change(section))

    def to_data(self) -> dict[str, Any]:
        """Plain data, for YAML."""
        data: dict[str, Any] = {
            "amount": self.amount,
            "intervals": self.intervals,
            "config": dict(self.config),
        }
        return data if self.change is None else {**data, "change": asdict(self.change)}


def _change(section: Section) -> ShrinkPerturb | None:
    if not section.has("change"):
        return None
    change = Section.of(section.entries["change"], section.key("change"), "a mapping with 'keep' and 'noise'")
    change.only("keep", "noise")
    keep, noise = change.real("keep"), change.real("noise")
    if not 0 <= keep <= 1:
        raise ConfigurationError(change.key("keep"), "a number in [0, 1]", keep)
    if noise < 0:
        raise ConfigurationError(change.key("noise"), "a number of at least 0", noise)
    return ShrinkPerturb(keep, noise)


@dataclass(frozen=True)
class Schedule:
    """Hyperparameters over the training of one model, from its initialisation on.

    Args:
        unit: of fidelity.
        segments: in the order of training, at least one.
    """

    unit: str
    segments: tuple[Segment, ...]

    @classmethod
    def from_data(cls, data: Any, key: str) -> Schedule:
        """The schedule that plain data describe, as :meth:`to_data` gives them.

        Raises:
            ConfigurationError: they describe none; the error's key begins with ``key``.
        """
        expected = "a mapping with the keys 'unit' and 'segments'"
        section = Section.of(data, key, expected)
        section.only("unit", "segments")
        unit = section.get("unit", "the unit of training")
        wanted = "a list of segments, not empty"
        segments = as_list(section.get("segments", wanted), section.key("segments"), wanted)
        return cls(
            str(unit),
            tuple(Segment.from_data(one, f"{key}.segments[{i}]") for i, one in enumerate(segments)),
        )

    def to_data(self) -> dict[str, Any]:
        """Plain data, for YAML."""
        return {"unit": self.unit, "segments": [segment.to_data() for segment in self.segments]}

    @property
    def ends(self) -> tuple[int, ...]:
        """The training after each segment, in units of fidelity."""
        return tuple(accumulate(segment.amount for segment in self.segments))

    @property
    def names(self) -> tuple[str, ...]:
        """All hyperparameters that any segment names."""
        return tuple(dict.fromkeys(name for segment in self.segments for name in segment.config))

    @property
    def changes(self) -> bool:
        """Whether weights are ever shrunk and perturbed."""
        return any(segment.change is not None for segment in self.segments)

    def at(self, age: int) -> Segment:
        """What a model trains with next that has trained ``age`` units; the last segment has no end."""
        return self.segments[min(bisect_right(self.ends, age), len(self.segments) - 1)]

    def change_at(self, age: int) -> ShrinkPerturb | None:
        """How the weights of a model change that has trained ``age`` units; None: not at all.

        At 0 these are new weights.
        """
        return self.at(age).change if age == 0 or age in self.ends[:-1] else None

    def spans(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts ``(from, to)`` of the training from ``begin`` to ``end`` within one segment each."""
        for until in (*(one for one in self.ends if begin < one < end), end):
            yield begin, until
            begin = until

    def only(self, names: frozenset[str]) -> Schedule:
        """The same schedule of these hyperparameters alone."""
        kept = [{key: value for key, value in one.config.items() if key in names} for one in self.segments]
        segments = zip(self.segments, kept, strict=True)
        return replace(self, segments=tuple(replace(one, config=config) for one, config in segments))


@dataclass(frozen=True)
class Followed:
    """A schedule that the training of a study follows.

    Args:
        schedule: complete and checked, see :func:`followed`.
        space: of the workload, with what the schedule sets.
    """

    schedule: Schedule
    space: SearchSpace

    def config(self, config: Config, age: int) -> Config:
        """A configuration for a model that has trained ``age`` units: the schedule's values come first."""
        merged = {**config, **self.schedule.at(age).config}
        if not self.space.configuration_space.conditions:
            return merged
        active = self.space.codec.active_names(merged)
        return {name: value for name, value in merged.items() if name in active}

    def decision(self, decision: Decision, age: int) -> Decision:
        """A decision with what the schedule has for weights that have trained ``age`` units.

        What it changes in new weights happens wherever they are made.
        """
        change = (self.schedule.change_at(age) if age else None) or decision.change
        return replace(decision, config=self.config(decision.config, age), change=change)


def followed(
    schedule: Schedule, space: SearchSpace, fidelity: Fidelity, key: str, *, fixed: bool
) -> Followed:
    """A schedule that fits a study, every segment complete, its values the space's own.

    A parameter that a segment does not name keeps the value that it had.

    Args:
        space: of the workload.
        fidelity: of the workload; its unit must be the schedule's.
        key: where the schedule stands in the configuration.
        fixed: whether what is fixed at birth follows it, too, and not only what is mutable.

    Raises:
        ConfigurationError: the schedule is about other parameters, has a wrong value, or counts in another
            unit.
    """
    if schedule.unit != fidelity.unit:
        raise ConfigurationError(f"{key}.unit", f"{fidelity.unit!r}, the workload's unit", schedule.unit)
    for name in schedule.names:
        if name not in space.names:
            expected = f"a schedule of the search space's parameters {listing(space.names)}"
            raise ConfigurationError(key, expected, name, closest(name, space.names))
    names = frozenset(schedule.names) if fixed else space.mutable.intersection(schedule.names)
    if not (space.mutable or names):
        expected = "no schedule, since nothing in the search space is mutable"
        raise ConfigurationError(key, expected, [*schedule.names])
    if space.mutable and not space.mutable.intersection(names):
        expected = f"a schedule of a mutable parameter, one of {listing(sorted(space.mutable))}"
        raise ConfigurationError(key, expected, [*schedule.names])
    complete = _complete(schedule.only(names), space, key)
    _check_relations(complete, space, names, key)
    return Followed(complete, space)


def _check_relations(schedule: Schedule, space: SearchSpace, names: frozenset[str], key: str) -> None:
    """Refuse to set a part of what conditions or forbidden clauses tie together."""
    structure = space.configuration_space
    for number, segment in enumerate(schedule.segments):
        active = space.codec.active_names(segment.config)
        for name in segment.config:
            for child in structure.children_of[name]:
                if child.name in active - names:
                    expected = f"a value of {child.name!r} too, which depends on {name!r}"
                    raise ConfigurationError(f"{key}.segments[{number}].config", expected, segment.config)
        if violated := space.codec.violated(segment.config):
            expected = "a configuration that is not forbidden"
            raise ConfigurationError(f"{key}.segments[{number}].config", expected, segment.config, violated)
    for tied, clause in space.ties():
        if tied & names and tied - names:
            expected = f"a schedule of all or none of {listing(sorted(tied))}"
            raise ConfigurationError(key, expected, sorted(names), clause)


def _complete(schedule: Schedule, space: SearchSpace, key: str) -> Schedule:
    """Every segment with a value for each parameter, as the space's own plain value."""
    configs = [
        {
            name: space.value(name, value, f"{key}.segments[{number}].config.{name}")
            for name, value in segment.config.items()
        }
        for number, segment in enumerate(schedule.segments)
    ]
    first: dict[str, Any] = {}
    for config in reversed(configs):
        first |= config
    for name in first:
        conditional = bool(space.configuration_space.parent_conditions_of[name])
        if name not in configs[0] and not conditional:
            expected = f"a value of {name!r}, which a later segment has"
            raise ConfigurationError(f"{key}.segments[0].config", expected, configs[0])
        values = {config[name] for config in configs if name in config}
        if name not in space.mutable and len(values) > 1:
            expected = f"one value of {name!r}, which is fixed at birth"
            raise ConfigurationError(key, expected, sorted(values, key=str))
    # An inactive parameter has no value in some segments; whichever stands here is not used.
    complete = list(accumulate(configs, lambda before, now: {**before, **now}, initial=first))[1:]
    pairs = zip(schedule.segments, complete, strict=True)
    return replace(schedule, segments=tuple(replace(one, config=config) for one, config in pairs))


def check_length(schedule: Schedule, length: int, key: str, whole: str, hint: str) -> None:
    """Refuse a schedule that is longer or shorter than the training.

    Args:
        length: of the training, in units of fidelity.
        whole: what gives the length, for people.
        hint: what to do about it.

    Raises:
        ConfigurationError: it does not have the length.
    """
    total = schedule.ends[-1]
    if total != length:
        expected = f"a schedule over {length} {schedule.unit}s, {whole}"
        raise ConfigurationError(key, expected, total, hint)


def fitted(schedule: Schedule, workload: Workload, interval: int, generations: int, key: str) -> Followed:
    """A schedule for the members of a population, what is fixed at birth included.

    Args:
        workload: what they train.
        interval: units of fidelity.
        generations: intervals in each member's life, which has to be as long as the schedule.
        key: where the schedule stands in the configuration.

    Raises:
        ConfigurationError: it does not fit the workload, a segment does not end with an interval, or it is
            longer or shorter than a life.
    """
    found = followed(schedule, workload.space, workload.fidelity, key, fixed=True)
    for number, end in enumerate(schedule.ends):
        if end % interval:
            expected = f"a segment that ends at a multiple of population.interval, {interval}"
            raise ConfigurationError(f"{key}.segments[{number}]", expected, f"an end at {end}")
    lasts = f"population.generations ({generations}) times population.interval ({interval})"
    hint = f"it fits population.generations={schedule.ends[-1] // interval}"
    check_length(schedule, generations * interval, key, lasts, hint)
    return found
