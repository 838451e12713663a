"""How a result came about: what a reader needs to compute it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import yaml

from orchestrator.reporting.document import Section
from orchestrator.run.directory import RunDirectory
from orchestrator.run.provenance import sessions


def reproduction(runs: Sequence[RunDirectory]) -> Section | None:
    """Commands, versions, commits, hardware and configuration of some runs; None where none is recorded."""
    boxes = [box for run in runs if (box := _box(run))]
    return Section("reproduce", "How to compute it again", "".join(boxes)) if boxes else None


def _box(run: RunDirectory) -> str:
    every = sessions(run)
    if not every:
        return ""
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in _terms(every) if value)
    return f'<dl class="box">{terms}</dl>{_configuration(run)}'


def _terms(every: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for entry in every:
        verb = "gone on with" if entry.get("resumed") else "started with"
        yield f"{verb}, {entry.get('time', '')}", f"<code>{escape(str(entry.get('command', '')))}</code>"
    last = every[-1]
    yield "python", escape(str(last.get("python", "")))
    yield "versions", escape(_listed(last.get("versions", {})))
    yield "commits", escape(_listed(last.get("commits", {})))
    yield "hardware", escape(_machine(last.get("hardware", {})))
    differing = [entry for entry in every[:-1] if entry.get("versions") != last.get("versions")]
    if differing:
        yield "earlier starts", escape(f"{len(differing)} with other versions (provenance.json)")


def _configuration(run: RunDirectory) -> str:
    """The resolved configuration, without what is about this machine and its record alone."""
    if not run.config.is_file():
        return ""
    kept = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    shown = {
        name: value for name, value in kept.items() if name not in ("run", "tracking", "resume", "allow")
    }
    text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)
    return f"<details><summary>Configuration</summary><pre>{escape(text)}</pre></details>"


def _listed(found: Mapping[str, Any]) -> str:
    # Folders of users are paths of their machines; the commit says enough.
    return ", ".join(f"{name.rpartition('/')[2]} {value}" for name, value in found.items())


def _machine(found: Mapping[str, Any]) -> str:
    parts = [str(found[name]) for name in ("processor", "platform") if found.get(name)]
    parts += [f"{found['cores']} cores"] if found.get("cores") else []
    parts += [f"{found['memory_gib']} GiB"] if found.get("memory_gib") else []
    return ", ".join([*parts, *(str(gpu) for gpu in found.get("gpus", []))])
