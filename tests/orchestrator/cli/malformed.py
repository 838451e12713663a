"""Malformed configurations, generated from the schema: every key with values that no study can have."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from orchestrator.config.schema import Root

STUDIES = {"population": "pbt_toy", "search": "search_digits", "benchmark": "carps_small"}
"""A study of each kind that is quick to assemble."""

LONG = "x" * 300
FILE = "mine/study/mine.yaml"
_DEEP = 1000


@dataclass(frozen=True)
class Case:
    """One malformed configuration.

    Attributes:
        kind: the kind of study that it would be.
        overrides: of the command line, the study's own not among them.
        text: the study's file; None: a built-in study.
        wrong: whether nothing but a refusal will do. Otherwise the value may mean something to somebody, and
            what counts is that nothing crashes.
    """

    kind: str
    overrides: tuple[str, ...] = ()
    text: str | None = None
    wrong: bool = True

    @property
    def arguments(self) -> list[str]:
        """The command line, in a directory that has :attr:`text` as :data:`FILE`."""
        if self.text is None:
            return [f"+study={STUDIES[self.kind]}", *self.overrides]
        return ["--config-dir", "mine", "+study=mine", *self.overrides]


@dataclass(frozen=True)
class Value:
    """A value in Hydra's grammar and in YAML; None where it cannot be written there."""

    hydra: str | None
    yaml: str | None
    wrong: bool = field(default=True)


def _text(value: str, wrong: bool = True) -> Value:
    """A quoted text in both."""
    inner = value.replace("\\", "\\\\").replace("'", "\\'")
    return Value(f"'{inner}'", json.dumps(value), wrong)


def _same(text: str, wrong: bool = True) -> Value:
    return Value(text, text, wrong)


def _nested(opening: str, closing: str, depth: int = _DEEP) -> str:
    return opening * depth + closing * depth


ANY_TYPE = (
    _same(_nested("[", "]")),
    Value(_nested("{a:", "}").replace(":}", ":1}", 1), _nested("{a: ", "}").replace(" }", " 1}", 1)),
    _same("${nowhere}"),
    _same("${oc.env:NO_SUCH_VARIABLE}"),
    _same("${no_such_resolver:1}"),
    _same("${"),
    _same("${" * 100 + "}" * 100),
    Value(None, "!!python/object/apply:os.system ['touch pwned']"),
    Value(None, "!!python/name:os.system"),
    Value(None, "*nowhere"),
    Value(None, "&loop [*loop]"),
    Value(None, "&loop {a: *loop}"),
    Value(None, '"\\uD800"', False),
    Value(None, "[1"),
    Value(None, "\t1"),
    Value("1,2", None),
    Value("[1", None),
    Value("choice(1,2)", None),
    Value("shuffle(range(1,10))", None),
    Value("glob(*)", None),
    Value("int(x)", None),
)
"""Wrong whatever the type is."""

NOT_A_NUMBER = (
    _same("many"),
    _same("[1]"),
    _same("{a: 1}"),
    _same("1_000"),
    _text("1_000"),
    _text("１２"),
    _same("１２"),
    _text("٣"),
    _text(" 12"),
    _text("0x10"),
    _text("1:30"),
    _text(""),
    _text("\0"),
    _text("1\0"),
    _text(LONG),
    _same(".nan"),
    Value("nan", ".NaN"),
    Value("-inf", "-.inf"),
    Value("inf", ".inf"),
    _same("1e400"),
    _same("9" * 400),
    _same("9" * 5000),
    _same("-9" + "9" * 30),
    _same("{_target_: os.system, command: touch pwned}"),
)
NOT_A_TEXT = (
    _same("[1]"),
    _same("{a: 1}"),
    _same("{_target_: os.system, command: touch pwned}"),
)
NAMES = (
    _text("\0"),
    _text("a\0b"),
    _text(LONG),
    _text("x/" * 3000),
    _text(""),
    _text(" "),
    _text("a\nb"),
    _text("../x"),
    _text("/dev/null/x"),
    _text("%2e%2e/x"),
    _text("~nobody-at-all/x"),
    _text("１２"),
    _same("1_000"),
)
"""Texts that a name or a path may not be; some may be other texts."""
_WRONG_NAMES = {
    "study.name": {
        "\0",
        "a\0b",
        LONG,
        "x/" * 3000,
        "",
        " ",
        "a\nb",
        "../x",
        "/dev/null/x",
        "%2e%2e/x",
        "１２",
    },
    "run.dir": {"\0", "a\0b", LONG, "x/" * 3000, "", " ", "a\nb", "/dev/null/x"},
    "resume": {"\0", "a\0b", LONG, "x/" * 3000, "", " ", "a\nb", "../x", "/dev/null/x", "%2e%2e/x", "１２"},
}
NOT_A_MAPPING = (
    _same("3"),
    _same("[1]"),
    _same("x"),
    _text("\0"),
    _same("{? [1, 2] : 3}"),
    _same("{_target_: os.system, command: touch pwned}"),
    _same("{_target_: builtins.exec}"),
    _same("{_target_: builtins.eval, _args_: ['1']}", True),
    _same("{_target_: subprocess.Popen, args: touch pwned}"),
    _same("{_target_: ''}"),
    _same("{_target_: null}"),
    _same("{_target_: [1]}"),
    _same("{_target_: .}"),
    _same("{_target_: a..b}"),
    Value("{_target_: '../x'}", "{_target_: '../x'}"),
    Value("{_target_: 'os.\0'}", '{_target_: "os.\\0"}'),
    _same("{_target_: " + LONG + "}"),
    _same("{_target_: " + "a." * 400 + "b}"),
    _same("{_target_: １２.x}"),
    _same("{_target_: __main__.x}"),
    _same("{_target_: orchestrator.cli.program.main}"),
    _same("{_target_: antigravity.x}"),
    _same("{_target_: this.x}"),
)
NOT_A_LIST = (
    _same("3"),
    _same("x"),
    _same("{a: 1}"),
    _same("[[[1]]]"),
    _same("[null]"),
    _same("[{_target_: os.system, command: touch pwned}]"),
    Value("['\0']", '["\\0"]'),
)
ANYTHING = (
    *NOT_A_NUMBER,
    *NOT_A_TEXT,
    *NAMES,
    *NOT_A_MAPPING,
    *NOT_A_LIST,
    _same("null"),
    _same("true"),
    _same("-1"),
    _same("0"),
    _same("1e-320"),
)
"""For keys that the schema leaves free."""


def leaves(declared: Any = Root, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of the schema that is no section, with its type."""
    for name, hint in typing.get_type_hints(declared).items():
        below = f"{key}.{name}" if key else name
        if dataclasses.is_dataclass(hint):
            yield from leaves(hint, below)
        else:
            yield below, hint


def _values(key: str, hint: Any) -> Iterator[Value]:
    """Values that the key cannot have."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    origin = typing.get_origin(hint)
    yield from ANY_TYPE
    if hint is Any:
        yield from (dataclasses.replace(value, wrong=False) for value in ANYTHING)
    elif key == "population.interval" or {int, float} & {*options}:
        yield from NOT_A_NUMBER
    elif hint is bool:
        yield from (value for value in NOT_A_NUMBER)
    elif str in options:
        yield from NOT_A_TEXT
        known = _WRONG_NAMES.get(key, set())
        for value in NAMES:
            plain = json.loads(value.yaml or '""') if (value.yaml or "").startswith('"') else value.yaml
            yield dataclasses.replace(value, wrong=plain in known)
    elif origin is dict:
        free = key.endswith((".methods", ".suites", ".env"))  # a target there is an entry like others
        yield from (
            dataclasses.replace(value, wrong=value.wrong and not free)
            if "_target_" in (value.yaml or "")
            else value
            for value in NOT_A_MAPPING
        )
    elif origin is list:
        yield from NOT_A_LIST
    elif isinstance(hint, type) and issubclass(hint, Enum):
        yield from NOT_A_NUMBER
    if type(None) not in options and hint is not Any:
        yield _same("null")


_NOT_OF_KIND = {
    "population": ("search", "optimizer", "benchmark"),
    "search": ("population", "benchmark"),
    "benchmark": ("population", "search", "optimizer", "workload", "search_space", "objectives"),
}
"""Sections that another kind of study reads, so that only their types are checked."""


def from_schema() -> Iterator[Case]:
    """Every key of the schema with every wrong value, as override and as file, for every kind of study."""
    for kind in STUDIES:
        for key, hint in leaves():
            ignored = key == "run.config_dir" or key.partition(".")[0] in _NOT_OF_KIND[kind]
            for value in _values(key, hint):
                wrong = value.wrong and not ignored
                if value.hydra is not None:
                    yield Case(kind, (f"{key}={value.hydra}",), None, wrong)
                if value.yaml is not None:
                    yield Case(kind, (), study_file(kind, key, value.yaml), wrong)


def free_keys(kind: str) -> tuple[str, ...]:
    """Keys that the study's choices have, and the schema leaves free."""
    space = (
        "search_space.parameters",
        "search_space.parameters.NAME",
        "search_space.parameters.NAME.low",
        "search_space.parameters.NAME.high",
        "search_space.parameters.NAME.type",
        "search_space.conditions",
        "search_space.forbidden",
    )
    name = {"population": "h0", "search": "learning_rate"}.get(kind, "")
    if kind == "benchmark":
        return (
            "benchmark.methods.random",
            "benchmark.suites.bbob.instances.function",
            "benchmark.suites.bbob.instances",
            "benchmark.suites.bbob.evaluations",
            "benchmark.suites.bbob.workload._target_",
            "benchmark.suites.bbob.objectives",
        )
    own = {
        "population": (
            "population.exploit.quantile",
            "population.exploit._target_",
            "population.explore.boundary",
            "workload.steps",
            "workload._target_",
            "schedule.unit",
            "schedule.segments",
            "population.initial",
        ),
        "search": (
            "optimizer._target_",
            "workload.width",
            "workload.batch_size",
            "search.reference",
            "search.stopping._target_",
            "search.constraints",
            "objectives",
        ),
    }[kind]
    return (*own, *(key.replace("NAME", name) for key in space))


def from_choices() -> Iterator[Case]:
    """Keys below the study's choices with anything at all."""
    for kind in STUDIES:
        for key in free_keys(kind):
            for value in (*ANY_TYPE, *ANYTHING):
                if value.hydra is not None:
                    yield Case(kind, (f"++{key}={value.hydra}",), None, False)
                if value.yaml is not None:
                    yield Case(kind, (), study_file(kind, key, value.yaml), False)


_DEFAULTS = {
    "population": "[override /workload: pbt_toy, override /search_space: pbt_toy]",
    "search": "[override /workload: digits, override /search_space: digits, override /optimizer: random]",
    "benchmark": "[/optimizer@benchmark.methods.random: random, /suite@benchmark.suites.bbob: bbob]",
}


def study_file(kind: str, key: str, value: str) -> str:
    """A study whose ``key`` has a value in YAML."""
    *sections, last = key.split(".")
    head = f"# @package _global_\ndefaults: {_DEFAULTS[kind]}\n"
    if sections[:1] == ["study"]:
        study = {"name": "mine", "kind": kind} | {last: None}
        entries = ", ".join(f"{name}: {value if name == last else text}" for name, text in study.items())
        return f"{head}study: {{{entries}}}\n"
    lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate((*sections, last))]
    return f"{head}study: {{name: mine, kind: {kind}}}\n" + "\n".join(lines) + f" {value}\n"


def _bomb(kind: str, levels: int = 12, width: int = 10) -> str:
    rows = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels))]
    inner = "\n".join(f"  {row}" for row in rows)
    return study_file(kind, "workload.more", "1").replace("  more: 1", inner)


def from_files() -> Iterator[Case]:
    """Files that are no study, or of which YAML makes more than their length says."""
    for kind in STUDIES:
        plain = study_file(kind, "seed", "1")
        for text in (
            "",
            "null\n",
            "- a\n- b\n",
            "3\n",
            "\ufeff[",
            "\0",
            "study: {name: a\0b}\n",
            "%YAML 9.9\n---\nseed: 1\n",
            "a: 1\n---\nb: 2\n",
            "seed: 1\n",
            plain + "seed: 2\n",
            plain + "seed : 2\n",
            plain + "1: 2\n",
            plain + "null: 2\n",
            plain + "? [1, 2]\n: 3\n",
            plain + "? {a: b}\n: 3\n",
            plain + "true: 3\n",
            plain + "'': 3\n",
            plain + "'a.b': 3\n",
            plain + f"{LONG}: 3\n",
            plain + "seeed: 3\n",
            plain + "_target_: os.system\n",
            plain + "hydra: {run: {dir: x}}\n" * 2,
            plain + "<<: {seed: 2, seeed: 3}\n",
            plain + "population: &p {size: *p}\n",
            plain.replace("seed: 1", "seed: &s [*s]"),
            plain.replace("defaults: ", "defaults: &d ") + "run: {dir: *d}\n",
            plain.replace("defaults: ", "defaults: 3 # "),
            plain.replace("defaults: ", "defaults: {a: b} # "),
            plain.replace("defaults: ", "defaults: [3] # "),
            plain.replace("defaults: ", "defaults: [{}] # "),
            plain.replace("defaults: ", "defaults: [{1: 2}] # "),
            plain.replace("defaults: ", "defaults: [{a: b, c: d}] # "),
            plain.replace("defaults: ", "defaults: [mine] # "),
            plain.replace("defaults: ", "defaults: [/study/mine] # "),
            plain.replace("defaults: ", "defaults: ['../../../etc/passwd'] # "),
            plain.replace("defaults: ", "defaults: [/workload: [a, b]] # "),
            plain.replace("defaults: ", "defaults: [override /nothing: x] # "),
            plain.replace("defaults: ", "defaults: ['a@b@c: d'] # "),
            plain.replace("defaults: ", f"defaults: [/workload@{LONG}: digits] # "),
            plain.replace("defaults: ", "defaults: ['${oc.env:HOME}'] # "),
            plain.replace("@package _global_", "@package ../x"),
            plain.replace("@package _global_", "@package _global_ _group_"),
            plain.replace("@package _global_", "@package ."),
            _bomb(kind),
            "a: &a {b: 1}\n" + "c: {<<: [" + "*a, " * 3000 + "*a]}\n",
            plain + "population:" + "".join("\n" + " " * n + "a:" for n in range(1, _DEEP)) + " 1\n",
            plain + "workload:" + "\n  -" + " -" * _DEEP + " 1\n",
        ):
            yield Case(kind, (), text)


def from_command_lines() -> Iterator[Case]:
    """Arguments that are no overrides."""
    for kind in STUDIES:
        for line in (
            "=",
            "==",
            "seed",
            "seed==1",
            "\0=1",
            "seed\0=1",
            f"{LONG}=1",
            "+" + "a." * 400 + "b=1",
            "++a..b=1",
            "seed.x=1",
            "++seed.x=1",
            "++population.size.x=1",
            "seed[0]=1",
            "++allow[0]=os",
            "~study",
            "~",
            "+",
            "++",
            "@=1",
            "a@b@c=1",
            "workload@workload=digits",
            "workload@=digits",
            "+workload@a b=digits",
            "workload=../../etc/passwd",
            "workload=/etc/passwd",
            f"workload={LONG}",
            "workload='\0'",
            "workload=%2e%2e/x",
            "+study=pbt_toy",
            "hydra.run.dir=x",
            "hydra.searchpath=3",
            "hydra.searchpath=[3]",
            "hydra.searchpath=[http://x]",
            "hydra/launcher=x",
            "+hydra.callbacks.x._target_=os.system",
            "seed=${seed}",
            "seed=${.seed}",
            "study.name=${study.name}",
            "seed=${hydra:run.dir}",
            "seed=1 2",
            "seed='1",
            "seed=\\",
            "seed=$(touch pwned)",
            "seed=`touch pwned`",
            "seed=;touch pwned",
            "１２=1",
            "seed=１２",
            "seed=1_000",
            "seed=" + "9" * 5000,
            "resume=nowhere",
            "resume='\0'",
            f"resume={LONG}",
            "resume=/dev/null",
            "run.dir=/dev/null",
            "run.dir=/proc/1/x/y",
        ):
            yield Case(kind, (line,))


def sampled(count: int, seed: int) -> list[Case]:
    """``count`` different cases, drawn from all."""
    everything = list(dict.fromkeys((*from_schema(), *from_choices(), *from_files(), *from_command_lines())))
    chosen = np.random.default_rng(seed).permutation(len(everything))[:count]
    return [everything[index] for index in sorted(chosen)]
